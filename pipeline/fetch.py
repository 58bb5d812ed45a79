"""Stage fetch: a data set that params.yaml names, as uint8 arrays in a folder."""
from pathlib import Path
from types import ModuleType

from pipeline import params, stage
from pipeline.data import images, pictures
from pipeline.errors import InputError

RAW = Path(".work/raw")  # undeclared: what DVC removes before a stage need not be downloaded again


def fetch(name: str, data: Path) -> None:
    """Fills the folder DATA with the data set NAME: params.yaml's, or like recipes/svhn one of recipes/params.yaml."""
    section = params.shared(name).data
    directory = Path(section.directory).expanduser() if section.directory else None
    if section.name == "images":
        if directory is None or section.pictures is None:
            missing = "directory, a folder, .zip or .tar" if directory is None else "pictures, what becomes"
            raise InputError(f"{name}: the data set images needs data.{missing} of pictures")
        pictures.save(data, directory, section.pictures)
    else:
        source = source_of(section.name)
        images.save(data, source.arrays(RAW / section.name, directory), source.FACTS)
    counts = images.load(data).meta["counts"]
    print(f"{section.name}: {counts['train']:,} training and {counts['test']:,} test images in {data}")


def source_of(name: str) -> ModuleType:
    """The module of a data set. Each brings a library that is larger than all that decoding pictures needs."""
    if name == "mnist":
        from pipeline.data import mnist
        return mnist
    if name == "fashion_mnist":
        from pipeline.data import fashion_mnist
        return fashion_mnist
    if name == "cifar10":
        from pipeline.data import cifar10
        return cifar10
    if name == "svhn":
        from pipeline.data import svhn
        return svhn
    from pipeline.data import digits
    return digits


if __name__ == "__main__":
    stage.main(fetch)
