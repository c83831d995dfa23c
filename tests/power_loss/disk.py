"""What a disk may hold after a power cut: everything that was synced, and any part of what was not."""

import hashlib
import os

SECTOR = 512


def synced(ops, cut):
    """For each of the first `cut` operations, whether the disk has promised to hold it."""
    last = {}
    for op in ops[:cut]:
        if op.kind == "sync":
            last[op.inode] = max(last.get(op.inode, -1), op.began)
    def holds(op):
        if op.kind in ("write", "size"):
            return op.ended < last.get(op.inode, -1)
        if op.kind in ("create", "unlink"):
            return op.ended < last.get(op.folder, -1)
        if op.kind == "rename":
            # Both folders have to be synced; mostly they are one.
            return op.ended < min(last.get(op.folder, -1), last.get(op.target, -1))
        return True

    return [holds(op) for op in ops[:cut]]


class Disk:
    """Files and folders by their inodes."""

    def __init__(self):
        self.files, self.folders = {}, {0: {}}

    def apply(self, op, sectors=None):
        """Takes an operation; of a write only some `sectors`, if they are given."""
        if op.kind == "create":
            self.folders.setdefault(op.inode, {}) if op.is_folder else self.files.setdefault(op.inode, bytearray())
            self.folders.setdefault(op.folder, {})[op.name] = op.inode
        elif op.kind == "write":
            file = self.files.setdefault(op.inode, bytearray())
            end = op.offset + len(op.data)
            if len(file) < end:
                file.extend(bytes(end - len(file)))
            at = op.offset
            while at < end:
                border = min(end, (at // SECTOR + 1) * SECTOR)
                if sectors is None or at // SECTOR in sectors:
                    file[at:border] = op.data[at - op.offset : border - op.offset]
                at = border
        elif op.kind == "size":
            file = self.files.setdefault(op.inode, bytearray())
            del file[op.offset :]
            file.extend(bytes(op.offset - len(file)))
        elif op.kind == "rename":
            if self.folders.setdefault(op.folder, {}).get(op.name) == op.inode:
                del self.folders[op.folder][op.name]
            self.folders.setdefault(op.target, {})[op.new_name] = op.inode
        elif op.kind == "unlink":
            self.folders.setdefault(op.folder, {}).pop(op.name, None)

    def tree(self, folder=0, path=""):
        """Path and contents of every file, None for a folder; what no folder leads to is lost."""
        for name, inode in sorted(self.folders.get(folder, {}).items()):
            here = os.path.join(path, name)
            if inode in self.folders:
                yield here, None
                yield from self.tree(inode, here)
            else:
                yield here, bytes(self.files.get(inode, b""))


def after(ops, cut, kept, torn, start):
    """The disk after a cut, which held what `start` made: `kept` are the places of operations that it took without a promise, `torn` has the sectors
    of writes that it took in part."""
    disk = Disk()
    for op in start:
        disk.apply(op)
    for place, (op, holds) in enumerate(zip(ops[:cut], synced(ops, cut))):
        if holds or place in kept:
            disk.apply(op, torn.get(place) if not holds else None)
    return dict(disk.tree())


def digest(tree):
    """What tells one disk from another."""
    hasher = hashlib.blake2b(digest_size=16)
    for path, data in tree.items():
        hasher.update(f"{path}\0{-1 if data is None else len(data)}\0".encode("utf-8", "surrogateescape") + (data or b""))
    return hasher.digest()


def choices(ops, cut, chance, some):
    """Ways in which the disk may have taken what it did not promise: (places kept, sectors of torn writes). First none,
    all, all but one and one alone; then `some` drawn ones."""
    pending = [place for place, holds in enumerate(synced(ops, cut)) if not holds]
    yield set(), {}
    yield set(pending), {}
    for place in pending[-12:]:
        yield set(pending) - {place}, {}
        yield {place}, {}
    for place in pending[-12:]:
        if ops[place].kind == "write":
            yield set(pending), {place: tear(ops[place], chance)}
    for _ in range(some):
        share = chance.choice([0.1, 0.5, 0.9])
        kept = {place for place in pending if chance.random() < share}
        torn = {place: tear(ops[place], chance) for place in kept if ops[place].kind == "write" and chance.random() < 0.3}
        yield kept, torn


def tear(op, chance):
    """Some of the sectors of a write."""
    first, last = op.offset // SECTOR, (op.offset + max(len(op.data), 1) - 1) // SECTOR
    return {sector for sector in range(first, last + 1) if chance.random() < 0.5}
