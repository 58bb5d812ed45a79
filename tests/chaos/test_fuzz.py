"""Readers of what users and damaged disks give: whatever it is, they read it or end in one InputError.

The examples are the same every time; DCGAN_CHAOS_EXAMPLES=20000 takes more, and others every time.
"""
import io
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.pruners import NopPruner
from ruamel.yaml import YAML

from pipeline.data.pictures import containers, contents
from pipeline.errors import InputError
from pipeline.gan import checkpoint
from pipeline.params import reading
from pipeline.tuning import joining, journals, storages
from tests import made_up
from tests.conftest import write_params

EXAMPLES = int(os.environ.get("DCGAN_CHAOS_EXAMPLES", 0))


def examples(number: int) -> Callable[..., Any]:
    """So many examples in the short form."""
    return settings(max_examples=EXAMPLES or number, derandomize=not EXAMPLES, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))


# Where in a file, as a share of it; how many bytes go; and what comes.
Damage = tuple[float, int, bytes]
DAMAGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(
    st.binary(max_size=8), st.sampled_from([b"", b"\0", b"\n", b"{", b"]", b"-1", b"9" * 30, b"null", b"../"]))),
    min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(
        ["test4", "digits", "slides", "auto", 0, 1, -1, 0.5, 1e9, "1e-3", "../x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


def damaged(content: bytes, damages: list[Damage]) -> bytes:
    for place, length, more in damages:
        begin = int(place * len(content))
        content = content[:begin] + more + content[begin + length:]
    return content


def one_line(error: InputError) -> bool:
    return 0 < len(str(error)) < 2000 and "\n" not in str(error)


def paths(content: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in nested mappings and lists."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [above, *(path for key, value in inside for path in paths(value, (*above, key)))]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@examples(20)
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["set", "drop", "add"]), VALUES,
                                  st.text(max_size=8)), max_size=2))
def test_a_params_yaml_is_read_and_written_back_or_refused(place: Path, changes: list[Any]) -> None:
    """Unchanged, it is read; with other values, it is read or refused; what is read means the same written back."""
    path = place / "params.yaml"
    write_params(path, {})
    content = YAML(typ="safe").load(path)
    for number, what, value, name in changes:
        known = paths(content)[1:]
        if not known:
            break
        *above, key = known[number % len(known)]
        holder = content
        for part in above:
            holder = holder[part]
        if what == "set":
            holder[key] = value
        elif what == "drop":
            del holder[key]
        elif isinstance(holder, dict):
            holder[name] = value
    with open(path, "w") as file:
        YAML().dump(content, file)
    try:
        study = reading.load(path)
    except InputError as error:
        assert changes and one_line(error)
        return
    with open(path, "w") as file:
        YAML().dump(asdict(study), file)
    assert reading.load(path) == study


@examples(50)
@given(damages=DAMAGES)
def test_the_bytes_of_a_params_yaml_are_read_or_refused(place: Path, damages: list[Damage]) -> None:
    path = place / "params.yaml"
    write_params(path, {})
    path.write_bytes(damaged(path.read_bytes(), damages))
    try:
        reading.load(path)
    except InputError as error:
        assert one_line(error)


def archive(kind: str) -> bytes:
    """Six small files in two folders."""
    buffer, chance = io.BytesIO(), random.Random(0)
    names = {f"{label}/{number}.png": chance.randbytes(200 * number) for label in "ab" for number in range(3)}
    if kind == ".zip":
        with zipfile.ZipFile(buffer, "w") as made:
            for number, (name, content) in enumerate(names.items()):
                made.writestr(name, content, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)[number % 3])
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w" if kind == ".tar" else "w:gz") as tar:
        for name, content in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz"])
@examples(100)
@given(damages=DAMAGES)
def test_archives_are_read_or_refused_and_nothing_is_written_elsewhere(place: Path, kind: str,
                                                                       damages: list[Damage]) -> None:
    folder = place / "archives"
    folder.mkdir(exist_ok=True)
    source, spool = folder / f"faces{kind}", folder / "spool"
    source.write_bytes(damaged(archive(kind), damages))
    before = {path for path in place.rglob("*") if path != spool}
    try:
        found = contents.contents(source, spool)
    except InputError as error:
        assert one_line(error)
    else:
        for member in found.pictures:
            try:
                assert len(containers.read(member)) == member.size
            except (*containers.DAMAGE, InputError):  # the picture is left out, or the source refused
                pass
    assert {path for path in place.rglob("*") if path != spool} == before


@examples(25)
@given(name=st.sampled_from(["model.json", "generator.safetensors", "discriminator.safetensors"]), damages=DAMAGES)
def test_a_model_is_read_or_refused(place: Path, name: str, damages: list[Damage]) -> None:
    folder = place / "model"
    if not folder.exists():
        made_up.model(folder, "guidelines-28", 0.125, 200)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(damaged(content, damages))
    try:
        checkpoint.load_model(folder)
    except InputError as error:
        assert one_line(error)
    finally:
        (folder / name).write_bytes(content)


@examples(60)
@given(damages=DAMAGES)
def test_a_journal_is_read_or_refused_and_no_whole_line_is_lost(place: Path, damages: list[Damage]) -> None:
    """What is refused stays as it is. What is read keeps all but a torn last line, which is kept beside it."""
    folder = place / "journal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    storage = storages.open_storage(None, folder)
    study = joining.open_study(storage, "s", {"a": 1}, ["minimize"], NopPruner())
    for number in range(3):
        study.tell(study.ask(), number)
    path = folder / storages.JOURNAL
    content = damaged(path.read_bytes(), damages)
    path.write_bytes(content)
    new = folder / ".work/optuna.new"
    try:
        journals.open_journal(path, new).get_all_studies()
    except InputError as error:
        assert one_line(error)
    torn = path.with_name(f"{path.name}.torn")
    kept = path.read_bytes()
    assert content == kept + (torn.read_bytes()[:-1] if torn.exists() else b"") and kept[-1:] in (b"", b"\n")
