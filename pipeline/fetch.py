"""Stage fetch: the data set that params.yaml names, as uint8 arrays in a folder."""
import os
from pathlib import Path

from pipeline import params, stage
from pipeline.data import digits, images, mnist

RAW = Path(".work/raw")  # undeclared: what DVC removes before a stage need not be downloaded again


def fetch(data: Path) -> None:
    """Fills the folder DATA with the data set `data.name` of params.yaml."""
    section = params.load().data
    if section.name == "digits":
        images.save(data, digits.arrays(), digits.FACTS)
    else:
        directory = Path(os.path.expanduser(section.directory)) if section.directory else None
        images.save(data, mnist.arrays(RAW / "mnist", directory), mnist.FACTS)
    dataset = images.load(data)
    counts = dataset.meta["counts"]
    print(f"{section.name}: {counts['train']:,} training and {counts['test']:,} test images in {data}")


if __name__ == "__main__":
    stage.main(fetch)
