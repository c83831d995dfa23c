"""Images per second of torch's DataLoader over WebDataset shards: decoded, normalised and batched, and trained on by
nobody.

    python3 benches/peers/webdataset_loading.py FOLDER [--workers 2] [--batch 256] [--epochs 2]

FOLDER holds shards with .jpg beside .cls, as benches/million.py --form tar makes them. Shards and a buffer of 1,000
images are shuffled, which is how WebDataset does it. Needs torch, webdataset, numpy and Pillow.
"""

import argparse
import pathlib
import time

import numpy as np
import torch
import webdataset


def numbers(image):
    """An image as PyTorch's networks take it, `[3, height, width]`."""
    pixels = np.asarray(image, np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(((pixels - 0.3) / 0.3).transpose(2, 0, 1)))


def main():
    """Measures one epoch after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    asked = parser.parse_args()
    shards = sorted(str(path) for path in asked.folder.glob("*.tar"))
    images = webdataset.WebDataset(shards, shardshuffle=len(shards), seed=1)
    images = images.shuffle(1000).decode("pil").to_tuple("jpg", "cls").map_tuple(numbers, int)
    loader = torch.utils.data.DataLoader(images.batched(asked.batch), batch_size=None, num_workers=asked.workers)
    for epoch in range(1, asked.epochs + 1):
        start, count = time.time(), 0
        for batch, _ in loader:
            count += len(batch)
        seconds = time.time() - start
        print(f"WebDataset, {asked.workers} workers, epoch {epoch}: {count / seconds:,.0f} images/s ({seconds:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
