"""Stage fetch: the study's data set as uint8 arrays in a folder."""
from types import ModuleType

from pipeline import folders, stage
from pipeline.data import images
from pipeline.data.pictures import arrays
from pipeline.params import reading
from pipeline.params.sections import Data


def fetch() -> None:
    """Fills data/arrays/<name> with the study's data set.

    Downloads are shared by all studies, in the repository's scratch.
    """
    params: Data = reading.load().data
    folder = folders.data(params.name)
    directory = folders.directory(params.directory, folders.home()) if params.directory else None
    if params.name == "images":
        assert directory is not None and params.pictures is not None  # checked when params.yaml was read
        arrays.save(folder, directory, params.pictures)
    else:
        source = source_of(params.name)
        images.save(folder, source.arrays(folders.work("raw", params.name), directory), source.FACTS)
    counts = images.load(folder).meta["counts"]
    print(f"{params.name}: {counts['train']:,} training and {counts['test']:,} test images in {folder}")


def source_of(name: str) -> ModuleType:
    """The module of a data set. Each imports a library that takes longer than all that pictures need."""
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
