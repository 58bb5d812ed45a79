"""What the data source `images` takes: python -m benchmarks.pictures [ARCHIVE]

With an archive: images per second from it to a data set of 32x32, every step included, and per second that any of the
processes was on a core, which other work on the machine disturbs less. Then, for 10,000 and 60,000 JPEGs of 64x64 made
here, in a .zip: the most memory that the command and the processes that it started had together, by itself and with all
that the stage fetch imports. Memory is the sum of resident pages; those that processes share count once for each.
"""
import io
import json
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

REPETITIONS = 3
COUNTS = (10_000, 60_000)
SCRIPT = """
import sys
from pathlib import Path
if sys.argv[4] == "fetch":
    import pipeline.fetch
from pipeline.data import pictures
from pipeline.params.sections import Pictures
wanted = Pictures(size=int(sys.argv[3]), channels=3, smallest=8, test=0.1, deduplicate=False)
pictures.save(Path(sys.argv[1]), Path(sys.argv[2]), wanted)
"""


def main() -> None:
    """Prints the rate, and a table row for each number of pictures."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if sys.argv[1:]:
            rate(data, Path(sys.argv[1]))
        print("| pictures | MB, alone | MB, with the stage's imports |\n|---:|---:|---:|")
        for count in COUNTS:
            source = jpegs(Path(folder) / f"{count}.zip", count)
            alone, with_imports = (memory(data, source, imports) / 1e6 for imports in ("alone", "fetch"))
            print(f"| {count:,} | {alone:.0f} | {with_imports:.0f} |")


def rate(data: Path, source: Path) -> None:
    """Prints the medians of REPETITIONS runs."""
    seconds, on_cores = [], []
    for _ in range(REPETITIONS):
        begin, before = time.perf_counter(), os.times()
        start(data, source, 32, "alone").wait()
        after = os.times()
        seconds.append(time.perf_counter() - begin)
        on_cores.append(after.children_user + after.children_system - before.children_user - before.children_system)
    count = sum(json.loads((data / "meta.json").read_text())["counts"].values())
    wall, cores = statistics.median(seconds), statistics.median(on_cores)
    print(f"{count:,} pictures in {wall:.1f} s: {count / wall:,.0f} images/s, {count / cores:,.0f} per core's second")


def memory(data: Path, source: Path, imports: str) -> int:
    """The most resident bytes of a process that makes `data` of `source`, and of those that it starts."""
    most, process = 0, start(data, source, 64, imports)
    while process.poll() is None:
        most = max(most, resident(process))
        time.sleep(0.1)
    return most


def start(data: Path, source: Path, size: int, imports: str) -> psutil.Popen:
    return psutil.Popen([sys.executable, "-c", SCRIPT, str(data), str(source), str(size), imports])


def resident(process: psutil.Process) -> int:
    """Bytes of a process and its children; 0 when one ends meanwhile."""
    try:
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def jpegs(path: Path, count: int) -> Path:
    """A .zip of `count` 64x64 JPEGs in ten classes: smooth noise, compressed to about 3 kB each."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(count):
            buffer = io.BytesIO()
            noise = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
            noise.resize((64, 64), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
            archive.writestr(f"{i % 10}/{i:05}.jpg", buffer.getvalue())
    return path


if __name__ == "__main__":
    main()
