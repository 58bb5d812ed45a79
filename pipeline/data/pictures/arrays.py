"""The data source `images`: a folder, .zip or .tar of pictures of any size and kind becomes a data set.

Processes of their own decode, and write what they decode straight into the array files, so that memory does not grow
with the pictures.
"""
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from pipeline import files, room
from pipeline.data import images
from pipeline.data.pictures import contents, decoding, layout
from pipeline.data.pictures.containers import Member
from pipeline.data.pictures.decoding import Job
from pipeline.errors import InputError, printable

if TYPE_CHECKING:
    from pipeline.params.sections import Pictures

BATCH = 16  # pictures that a process is sent at once
MOST_PROCESSES = 16
MEMORY = 1 << 30  # bytes for the pictures that all processes decode at a time
LEFT_OUT = 0.01  # the share of pictures that may be unusable
LISTED = 20
NAMES = Path(".work/left_out")


def save(folder: Path, source: Path, wanted: "Pictures") -> None:
    """Fills `folder` with the pictures of `source`, a folder, .zip or .tar, as the image contract has them.

    InputError when `source` cannot be used, or more than 1 % of its pictures; fewer are left out and named on stderr.
    """
    with files.replacing(folder) as temporary:
        spool = temporary / "spool"
        classes, splits = layout.arrange(source, contents.contents(source, spool), wanted.test)
        count = sum(len(split.members) for split in splits.values())
        room.on_disk(folder, count * wanted.channels * wanted.size**2)
        targets, first = [], 0
        for name, split in splits.items():
            path, shape = temporary / f"{name}_images.npy", (wanted.channels, wanted.size, wanted.size)
            targets.append((str(path), images.allocate(path, (len(split.members), *shape)), first))
            first += len(split.members)
        members = [member for split in splits.values() for member in split.members]
        unusable = _decode(members, Job(targets, wanted.size, wanted.channels, wanted.smallest, MEMORY))
        spool.unlink(missing_ok=True)
        _report(source, [(members[i], reason) for i, reason in unusable.items()], len(members), wanted.smallest)
        usable = ~np.isin(np.arange(len(members)), list(unusable))
        labels = {name: _keep(temporary, name, usable[first:first + len(splits[name].labels)], splits[name].labels)
                  for name, (_, _, first) in zip(splits, targets)}
        facts = {"name": "images", "classes": classes, "source": printable(Path(os.path.abspath(source)).name),
                 "url": "unknown", "licence": "unknown", "left_out": len(unusable)}
        if source.is_file():
            facts["source_sha256"] = files.sha256(source)
        if wanted.deduplicate:
            from pipeline.data.pictures import duplicates
            unique = duplicates.unique(np.load(temporary / "train_images.npy", mmap_mode="r"))
            labels["train"] = _keep(temporary, "train", unique, labels["train"])
            facts["duplicates_removed"] = int((~unique).sum())
            print(f"{source}: {facts['duplicates_removed']:,} near-duplicates of {len(unique):,} training pictures are "
                  "removed", file=sys.stderr)
        _check(source, classes, labels)
        images.describe(temporary, facts)


def _decode(members: list[Member], job: Job) -> dict[int, str]:
    """Writes the images of all `members`; returns why it could not, by number in the order of the names.

    Pictures that take more than a process' share of MEMORY are decoded by fewer processes afterwards.
    """
    numbers = sorted(range(len(members)), key=lambda i: (members[i].file, members[i].offset))  # as the disk has them
    count = max(1, min(_cores(), MOST_PROCESSES, -(-len(members) // BATCH)))
    failures: dict[int, str] = {}
    while numbers:
        failures |= _decoded(members, numbers, job._replace(most=MEMORY // count), count)
        numbers = [i for i in numbers if decoding.LARGE in failures.get(i, "")] if count > 1 else []
        for i in numbers:
            del failures[i]
        count = -(-count // 4)
    return dict(sorted(failures.items(), key=lambda failure: contents.order(members[failure[0]])))


def _decoded(members: list[Member], numbers: list[int], job: Job, count: int) -> dict[int, str]:
    """Writes the images of the members at `numbers`, by `count` processes; returns why it could not, by number."""
    batches = iter([numbers[i:i + BATCH] for i in range(0, len(numbers), BATCH)])
    failures: dict[int, str] = {}
    bar = tqdm(total=len(numbers), desc="pictures", unit=" pictures", unit_scale=True, disable=None, file=sys.stderr)
    at_work: dict[Any, list[int]] = {}  # for each line, how many pictures each batch has that was sent and not answered

    def send(line: Any) -> None:
        if numbers := next(batches, []):
            line.send([(i, members[i]) for i in numbers])
            at_work.setdefault(line, []).append(len(numbers))

    try:
        with bar, _processes(count, job) as lines:
            for line in lines * 2:  # the second waits where the first is decoded
                send(line)
            while busy := [line for line, sent in at_work.items() if sent]:
                done: Any
                for done in wait(busy):
                    answer = done.recv()
                    if isinstance(answer, OSError) and answer.filename is None:
                        raise OSError(answer.errno, f"{answer.strerror}, writing images", job.targets[0][0])
                    if isinstance(answer, Exception):
                        raise answer
                    failures |= dict(answer)
                    bar.update(at_work[done].pop(0))
                    send(done)
    except (EOFError, ConnectionError):
        raise InputError("a process that decodes pictures ended early, perhaps for want of memory; run this "
                         "again") from None
    return failures


@contextmanager
def _processes(count: int, job: Job) -> Iterator[list[Connection]]:
    """Lines to `count` processes that `serve`, and that end with the block.

    Not those of multiprocessing: they would import the main module and with it torch, and Ctrl-C would reach them.
    """
    paths = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    code = "import sys; from pipeline.data.pictures import decoding; decoding.serve(int(sys.argv[1]))"
    command = [sys.executable, "-P", "-c", code]
    lines, processes = [], []
    try:
        for _ in range(count):
            ours, theirs = Pipe()
            lines.append(ours)
            with theirs:
                processes.append(subprocess.Popen([*command, str(theirs.fileno())], env=environment,
                                                  pass_fds=[theirs.fileno()], process_group=0))
            ours.send(job)
        yield lines
    finally:
        for process in processes:
            process.kill()
        for line in lines:
            line.close()
        for process in processes:
            process.wait()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _keep(folder: Path, split: str, wanted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Leaves the `wanted` images of a split, and writes and returns their labels."""
    if not wanted.all():
        images.keep(folder / f"{split}_images.npy", wanted)
    np.save(folder / f"{split}_labels.npy", labels[wanted], allow_pickle=False)
    return labels[wanted]


def _report(source: Path, unusable: list[tuple[Member, str]], count: int, smallest: int) -> None:
    """Names what is left out, in a file and the first of it on stderr; InputError when it is more than 1 %."""
    listed = [f"{member.name if member.name.isprintable() else repr(member.name)}: {printable(reason)}"
              for member, reason in unusable]
    if not listed:
        return
    print(f"{source}: {len(listed):,} of {count:,} pictures are left out", file=sys.stderr)
    for line in listed[:LISTED]:
        print(f"  {line}", file=sys.stderr)
    if len(listed) > LISTED:
        path = NAMES / f"{source.name}.txt"
        files.write(path, ("\n".join(listed) + "\n").encode())
        print(f"  and {len(listed) - LISTED:,} more: all are in {path}", file=sys.stderr)
    if len(listed) > LEFT_OUT * count:
        small = sum(decoding.SMALL in line for line in listed)
        why = f", {small:,} of them for a side {decoding.SMALL} ({smallest})" if small else ""
        raise InputError(f"data.directory: {source}: {len(listed):,} of {count:,} pictures cannot be used{why}; "
                         f"expected at most {LEFT_OUT:.0%}; the first is {listed[0]}")


def _check(source: Path, classes: list[str], labels: dict[str, np.ndarray]) -> None:
    missing = np.flatnonzero(np.bincount(labels["train"], minlength=len(classes)) == 0)
    if len(missing) or not len(labels["test"]):
        what = f"training picture of the class {classes[missing[0]]!r}" if len(missing) else "test picture"
        raise InputError(f"data.directory: {source}: no {what} can be used; expected at least one")
