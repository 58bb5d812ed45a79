"""What tells whether dvc.lock is ahead of the files; `python -m tests.chaos repro` kills `dvc repro` itself."""
from pathlib import Path

from ruamel.yaml import YAML

from tests.chaos import repro


def test_digests_are_those_of_dvc(tmp_path: Path) -> None:
    """As DVC itself has them: its own index of a folder, and files that were changed since."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem
    folder = tmp_path / "models/a"
    (folder / "deep/er").mkdir(parents=True)
    for name in ("z.txt", "a.bin", "deep/b", "deep/er/c", "deep.txt"):
        (folder / name).write_text(name)
    fs = LocalFileSystem()
    database = HashFileDB(fs, str(tmp_path / "cache"))
    digests = {f"models/{name}": build(database, str(tmp_path / "models" / name), fs, "md5")[2].hash_info.value
               for name in ("a", "a/z.txt")}
    assert digests == {path: repro.md5(tmp_path / path) for path in digests} and digests["models/a"].endswith(".dir")
    with open(tmp_path / "dvc.lock", "w") as file:
        YAML().dump({"stages": {"x": {"outs": [{"path": path, "md5": md5} for path, md5 in digests.items()]}}}, file)
    assert repro.ahead(tmp_path) == []
    (folder / "deep/b").write_text("torn")
    assert repro.ahead(tmp_path) == ["dvc.lock is ahead of models/a"]
    (folder / "z.txt").unlink()
    assert repro.ahead(tmp_path) == ["dvc.lock is ahead of models/a"]  # what is away is being made
