"""What a program does to files, read from strace: creations, writes, renames, syncs, in the order in which they ended."""

import os
import re
import subprocess
from dataclasses import dataclass, field

CALLS = (
    "clone,clone3,fork,vfork,openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,"
    "fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,lseek,close,"
    "mmap,copy_file_range,sendfile,dup,dup2,dup3,sync,syncfs,sync_file_range"
)


@dataclass
class Op:
    """Something that a disk may have taken or not, or a promise that it has."""

    kind: str  # create, write, size, rename, unlink, sync, said
    inode: int = 0  # of the file or folder that is made, written, moved or synced
    folder: int = 0  # whose entries change
    name: str = ""
    target: int = 0  # the folder that a file is moved to
    new_name: str = ""
    offset: int = 0
    data: bytes = b""
    is_folder: bool = False
    began: int = 0  # place in the trace; a sync covers what ended before it began
    ended: int = 0


@dataclass
class Open:
    """An open file: where the next write goes."""

    path: str
    inode: int
    offset: int = 0
    appends: bool = False


@dataclass
class Trace:
    """All operations under a folder; the folder itself has the inode 0."""

    root: str
    ops: list = field(default_factory=list)
    paths: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)
    inodes: int = 0
    at: int = 0
    start: list = field(default_factory=list)

    def place(self, path):
        """Folder and name of a path, if it lies under the root."""
        path = os.path.normpath(path)
        if path != self.root and not path.startswith(self.root + "/"):
            return None
        folder, name = os.path.split(path)
        return path, self.paths.get(folder), name

    def make(self, path, is_folder, began):
        found = self.place(path)
        if found is None or found[0] in self.paths:
            return
        path, folder, name = found
        self.inodes += 1
        self.paths[path] = self.inodes
        self.sizes[self.inodes] = 0
        self.ops.append(Op("create", self.inodes, folder, name, is_folder=is_folder, began=began))


def record(command, root, log, before):
    """Runs `command` under strace in the folder `root`, where there are the paths and contents `before`; how it ended, and
    its operations under `root`."""
    root = os.path.realpath(root)
    traced = ["strace", "-f", "-y", "-xx", "-s", "1000000000", "--signal=none", "-e", f"trace={CALLS}", "-o", str(log)]
    done = subprocess.run(traced + command, cwd=root, capture_output=True, check=False)
    with open(log, encoding="ascii", errors="replace") as file:
        return done, parse(file.read().splitlines(), root, before)


def is_allowed():
    """Whether there is strace, and it may trace."""
    try:
        return subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def text(hexed):
    return bytes.fromhex(hexed.replace("\\x", "")).decode("utf-8", "surrogateescape")


def calls(lines):
    """(places of its beginning and its end, thread, name, arguments, result) of each call, in the order of their ends."""
    begun = {}
    for number, line in enumerate(lines):
        thread, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.startswith(("+++", "---")):
            continue
        if rest.endswith("<unfinished ...>"):
            begun[thread] = (number, rest.removesuffix("<unfinished ...>").rstrip())
            continue
        place = number
        if resumed := re.match(r"<\.\.\. (\w+) resumed>(.*)", rest):
            if thread not in begun:
                continue
            place, start = begun.pop(thread)
            rest = start + resumed[2]
        called = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$", rest)
        if called and called[3] != "?":
            yield place, number, thread, called[1], called[2], int(called[3])


def parse(lines, root, before):
    """The operations of a trace that strace wrote."""
    done = list(calls(lines))
    # Threads share the open files of their process.
    process = {}
    for _, _, thread, name, arguments, result in done:
        if name in ("clone", "clone3") and result > 0 and "CLONE_FILES" in arguments and "CLONE_VFORK" not in arguments:
            process[str(result)] = thread

    def owner(thread):
        while thread in process:
            thread = process[thread]
        return thread

    trace, files = Trace(root, paths={root: 0}), {}
    for name, data in before.items():
        path = os.path.join(root, name)
        trace.make(path, data is None, 0)
        if data is not None:
            trace.ops.append(Op("write", trace.inodes, data=data))
            trace.sizes[trace.inodes] = len(data)
    # That is on the disk.
    trace.start, trace.ops = trace.ops, []
    strings = lambda arguments: [text(it) for it in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)]
    for began, ended, thread, name, arguments, result in done:
        # Those of the call before.
        for op in reversed(trace.ops):
            if op.ended:
                break
            op.ended = trace.at
        trace.at = ended
        if result < 0:
            continue
        own = owner(thread)
        number = re.match(r"(\d+)(?:<((?:\\x[0-9a-f]{2})*)>)?", arguments)
        fd = files.get((own, int(number[1]))) if number else None
        if name in ("openat", "open", "creat"):
            path = os.path.join(root, strings(arguments)[0])
            found = trace.place(path)
            flags = arguments.rsplit('"', 1)[1]
            if found is None:
                files.pop((own, result), None)
                continue
            path = found[0]
            if path not in trace.paths:
                if "O_CREAT" not in flags and name != "creat":
                    continue
                trace.make(path, False, began)
            elif "O_TRUNC" in flags or name == "creat":
                trace.ops.append(Op("size", trace.paths[path], began=began))
                trace.sizes[trace.paths[path]] = 0
            if "O_TMPFILE" in flags:
                raise ValueError("O_TMPFILE is not simulated")
            files[own, result] = Open(path, trace.paths[path], appends="O_APPEND" in flags)
        elif name == "close":
            files.pop((own, int(number[1])), None)
        elif name in ("write", "pwrite64", "writev", "pwritev", "pwritev2"):
            data = b"".join(it.encode("utf-8", "surrogateescape") for it in strings(arguments))[:result]
            if fd is None:
                if number[1] == "1":
                    trace.ops.append(Op("said", data=data, began=began))
                continue
            if name.startswith("p"):
                offset = int(arguments.rsplit(", ", 1)[1])
            else:
                offset = trace.sizes[fd.inode] if fd.appends else fd.offset
                fd.offset = offset + result
            trace.ops.append(Op("write", fd.inode, offset=offset, data=data, began=began))
            trace.sizes[fd.inode] = max(trace.sizes[fd.inode], offset + result)
        elif name == "lseek" and fd is not None:
            fd.offset = result
        elif name in ("ftruncate", "fallocate") and fd is not None:
            numbers = [int(it) for it in re.findall(r", (\d+)", arguments)]
            size = numbers[0] if name == "ftruncate" else max(trace.sizes[fd.inode], sum(numbers[-2:]))
            trace.ops.append(Op("size", fd.inode, offset=size, began=began))
            trace.sizes[fd.inode] = size
        elif name in ("fsync", "fdatasync") and fd is not None:
            trace.ops.append(Op("sync", fd.inode, began=began))
        elif name.startswith("mkdir"):
            trace.make(os.path.join(root, strings(arguments)[0]), True, began)
        elif name.startswith("rename"):
            old, new = (trace.place(os.path.join(root, it)) for it in strings(arguments))
            if old is None and new is None:
                continue
            if old is None or new is None:
                raise ValueError(f"{old} and {new}: moves over the border of the folder are not simulated")
            inode = trace.paths[old[0]]
            trace.ops.append(Op("rename", inode, old[1], old[2], new[1], new[2], began=began))
            moved = {path: it for path, it in trace.paths.items() if path == old[0] or path.startswith(old[0] + "/")}
            for path in moved:
                del trace.paths[path]
            for path, it in moved.items():
                trace.paths[new[0] + path[len(old[0]) :]] = it
        elif name.startswith(("unlink", "rmdir")):
            relative = strings(arguments)[0]
            # A folder that is removed is walked by descriptors.
            base = re.match(r"\d+<((?:\\x[0-9a-f]{2})*)>", arguments)
            found = trace.place(os.path.join(root, text(base[1]) if base else "", relative))
            if found and found[0] in trace.paths:
                trace.ops.append(Op("unlink", trace.paths.pop(found[0]), found[1], found[2], began=began))
        elif name.startswith(("link", "symlink", "copy_file_range", "sendfile", "dup", "sync")):
            if any(trace.place(os.path.join(root, it)) for it in strings(arguments)) or fd is not None:
                raise ValueError(f"{name} is not simulated: {arguments[:200]}")
        elif name == "mmap" and "MAP_SHARED" in arguments and "PROT_WRITE" in arguments:
            mapped = re.search(r", (\d+)<((?:\\x[0-9a-f]{2})*)>", arguments)
            if mapped and trace.place(text(mapped[2])):
                raise ValueError("files that are written through memory are not simulated")
    for op in trace.ops:
        op.ended = op.ended or trace.at
    return trace
