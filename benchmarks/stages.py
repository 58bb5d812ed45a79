"""How long the stages behind a training take: python -m benchmarks.stages

`python -m pipeline.STAGE`, imports included, of run test4 as `dvc repro report` has trained it; MLflow is off. The
stages write what is there already, once more.
"""
import os
import subprocess
import sys
import time
from pathlib import Path

STAGES = (("controls",), ("evaluate", "test4", "0"), ("internals", "test4"), ("report",))


def main() -> None:
    """Prints seconds."""
    if not Path("models/test4/seed0/model.json").exists():
        sys.exit("benchmarks.stages: models/test4/seed0 is absent: run `dvc repro report`")
    for stage, *words in STAGES:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", f"pipeline.{stage}", *words], check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"DCGAN_TRACKING": "off"})
        print(f"{stage}: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
