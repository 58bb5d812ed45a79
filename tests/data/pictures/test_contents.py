"""What a folder, .zip or .tar holds: members, refusals, splits, classes and order. Nothing is decoded here."""
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.pictures import containers, contents, layout
from pipeline.errors import InputError

KINDS = ("folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def make(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A folder, .zip or .tar, whichever `path` is called; a name that ends with / is an empty folder."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
    elif ".t" in path.name:
        with tarfile.open(path, "w:" + path.suffix[1:].replace("tar", "").replace("tgz", "gz")) as tar:
            for name, content in contents.items():
                tar.addfile(*entry(name, content))
    else:
        for name, content in contents.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).mkdir(parents=True) if name.endswith("/") else (path / name).write_bytes(content)
    return path


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[
        tarfile.TarInfo, io.BytesIO]:
    content = b"" if name.endswith("/") else content
    info = tarfile.TarInfo(name.rstrip("/"))
    info.size, info.type, info.linkname = len(content), tarfile.DIRTYPE if name.endswith("/") else kind, link
    return info, io.BytesIO(content)


def found(source: Path) -> contents.Contents:
    return contents.contents(source, source.parent / "spool")


def arranged(path: Path, names: list[str], share: float = 0.25) -> layout.Layout:
    return layout.arrange(path, found(make(path, {name: b"x" for name in names})), share)


def by_split(laid: layout.Layout) -> dict[str, set[tuple[str, str]]]:
    """{split: {(name, class)}}."""
    return {name: {(member.name, laid.classes[label]) for member, label in zip(*split)}
            for name, split in laid.splits.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_found_by_suffix_sorted_and_read_whatever_holds_them(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    pictures = {f"root/{name}": rng.bytes(size) for size, name in enumerate(
        ("b/2.png", "b/10.JPG", "a/x.Jpeg", "a-b/x.webp", "a/c/x.bmp", "a/y.TIF", "a/z.tiff"), 500)}
    others = {"root/a/notes.txt": b"text", "root/a/.hidden.png": b"x", "root/__MACOSX/a/._x.png": b"x",
              "root/.git/x.png": b"x", "root/x.gif": b"x"}
    contents = found(make(tmp_path / f"source.{kind}", others | pictures))
    assert [member.name for member in contents.pictures] == [f"root/{name}" for name in (
        "a/c/x.bmp", "a/x.Jpeg", "a/y.TIF", "a/z.tiff", "a-b/x.webp", "b/10.JPG", "b/2.png")]
    assert {member.name: containers.read(member) for member in contents.pictures} == pictures
    assert contents.folders == {("root",), ("root", "a"), ("root", "a", "c"), ("root", "a-b"), ("root", "b")}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_damaged_member_of_a_zip_is_noticed_when_it_is_read(tmp_path: Path, method: int) -> None:
    content = bytes(range(256)) * 4
    path = make(tmp_path / "a.zip", {"x.png": content}, method)
    member = found(path).pictures[0]
    assert containers.read(member) == content
    damaged = bytearray(path.read_bytes())
    damaged[30 + len("x.png") + member.stored // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises((ValueError, OSError, zlib.error)):
        containers.read(member)


def patched(path: Path, offset: int, value: bytes) -> Path:
    """Changes the first entry of a .zip's directory."""
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2") + offset
    content[at:at + len(value)] = value
    path.write_bytes(content)
    return path


def linked_zip(path: Path) -> Path:
    info = zipfile.ZipInfo("a/link.png")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def special_tar(path: Path, kind: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(*entry("a/x.png", b"x"))
        archive.addfile(*entry("a/special.png", kind=kind, link="a/x.png"))
    return path


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def changed(path: Path, at: int, value: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at:len(content) + at + len(value) if at < 0 else at + len(value)] = value
    path.write_bytes(content)
    return path


def folder_with_link(path: Path, target: str) -> Path:
    make(path / "source", {"a/x.png": b"x", "b/y.png": b"y"})
    make(path / "outside", {"z.png": b"z"})
    (path / "source" / "a" / "link.png").symlink_to(target)
    return path / "source"


def long_header(path: Path) -> Path:
    """A .tar whose first member's long name is said to have 8 GB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    return path


def backward(path: Path) -> Path:
    """A .tar with a member of -1024 bytes, after which reading would go on before it."""
    info = tarfile.TarInfo("x.png")
    info.pax_headers = {"size": "-1024"}
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(10240))
    return path


BIG = (65 << 20).to_bytes(4, "little")


def overlapping(path: Path) -> Path:
    """A .zip whose second member is the first one once more, under another name."""
    with zipfile.ZipFile(make(path, TWO), "a") as archive:
        archive.infolist()[1].header_offset = archive.infolist()[0].header_offset
        archive.comment = b"so that its directory is written anew"
    return path


def chained(path: Path) -> Path:
    """A .tar of long names, each of which names the next: tarfile follows them one inside the other."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2
    path.write_bytes((name.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")) * 2000)
    return path


def piped(path: Path) -> Path:
    os.mkfifo(path)
    return path


def oddly_named(path: Path, name: bytes) -> Path:
    folder = os.path.join(os.fsencode(path), name)
    os.makedirs(folder)
    with open(os.path.join(folder, b"x.png"), "wb") as file:
        file.write(b"x")
    return path


TWO = {"a/x.png": b"x" * 2000, "b/y.png": b"y" * 2000}
REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "parent": (lambda p: make(p / "s.zip", {"a/../../x.png": b"x"}), r"'a/../../x.png' leads out of the archive"),
    "parent, tar": (lambda p: make(p / "s.tar", {"../x.png": b"x"}), r"'../x.png' leads out of the archive"),
    "parent, no picture": (lambda p: make(p / "s.tar.gz", {"../x.txt": b"x"}), r"'../x.txt' leads out of the archive"),
    "absolute": (lambda p: make(p / "s.tar", {"/x.png": b"x"}), r"'/x.png' leads out of the archive"),
    "Windows' parent": (lambda p: make(p / "s.zip", {r"..\x.png": b"x"}), r"x.png' leads out of the archive"),
    "Windows' drive": (lambda p: make(p / "s.zip", {r"C:\x.png": b"x"}), r"x.png' leads out of the archive"),
    "link": (lambda p: linked_zip(p / "s.zip"), "'a/link.png' is a link or a device"),
    "symlink": (lambda p: special_tar(p / "s.tar", tarfile.SYMTYPE), "'a/special.png' is a link, a device"),
    "hard link": (lambda p: special_tar(p / "s.tar", tarfile.LNKTYPE), "'a/special.png' is a link, a device"),
    "device": (lambda p: special_tar(p / "s.tar", tarfile.CHRTYPE), "'a/special.png' is a link, a device"),
    "pipe": (lambda p: special_tar(p / "s.tar", tarfile.FIFOTYPE), "'a/special.png' is a link, a device"),
    "link outside": (lambda p: folder_with_link(p, "../../outside/z.png"), "'a/link.png' is a link that leads outside"),
    "link to outside folder": (lambda p: folder_with_link(p, "../../outside"), "'a/link.png' is a link that leads out"),
    "link to folder": (lambda p: folder_with_link(p, "../b"), "'a/link.png' is a link to a folder"),
    "link to nothing": (lambda p: folder_with_link(p, "nothing.png"), r"No such file.*a/link\.png"),
    "encrypted": (lambda p: patched(make(p / "s.zip", TWO), 8, b"\1"), "'a/x.png' is encrypted; expected .*password"),
    "method": (lambda p: make(p / "s.zip", TWO, zipfile.ZIP_LZMA), "'a/x.png' is compressed by method 14 .*deflated"),
    "large": (lambda p: patched(make(p / "s.zip", TWO), 24, BIG), "'a/x.png' is declared as 68,157,440 bytes"),
    "large when stored": (lambda p: patched(make(p / "s.zip", TWO), 20, BIG), "'a/x.png' is declared .* 68,157,440 in"),
    "bomb": (lambda p: make(p / "s.tgz", {"a/x.png": b"x", "a/x.txt": bytes(20 << 20)}), "'a/x.txt' ends more than 50"),
    "twice": (lambda p: make(p / "s.tar", {"a/x.png": b"x", "a//x.png": b"y"}), "'a/x.png' is there twice"),
    "long header": (lambda p: long_header(p / "s.tar"), "header of type b'L' declares 8,589,934,592 bytes"),
    "backward": (lambda p: backward(p / "s.tar"), "s.tar"),
    "overlapping": (lambda p: overlapping(p / "s.zip"), "'b/y.png' shares bytes with another member"),
    "chained headers": (lambda p: chained(p / "s.tar"), r"s\.tar is damaged .*recursion"),
    "pipe as archive": (lambda p: piped(p / "s.tar"), r"s\.tar is a pipe or a device; expected a folder"),
    "escape": (lambda p: make(p / "s.zip", {"\x1b[2J/x.png": b"x"}), r"'\\x1b\[2J/x\.png' is in a folder whose name"),
    "turned around": (lambda p: make(p / "s.zip", {"a\u202eb/x.png": b"x"}),
                      r"'a\\u202eb/x\.png' is in a folder whose"),
    "not UTF-8": (lambda p: oddly_named(p / "s", b"caf\xe9"),
                  r"'caf\\udce9(/x\.png)?' is in a folder whose name is not UTF-8"),
    "absent": (lambda p: p / "s.zip", "does not exist; expected a folder, .zip or .tar"),
    "type": (lambda p: make(p, {"s.rar": b"Rar!"}) / "s.rar", "s.rar is a file of another type; expected a folder"),
    "empty": (lambda p: make(p / "s", {"a/": b""}), "holds no pictures; expected a folder, .zip"),
    "no pictures": (lambda p: make(p / "s.zip", {"a/x.txt": b""}), "holds no pictures; expected a folder, .zip"),
    "cut zip": (lambda p: cut(make(p / "s.zip", TWO), -30), "s.zip is damaged or not what its name says"),
    "no zip": (lambda p: make(p, {"s.zip": b"PK\3\4" + bytes(99)}) / "s.zip", "s.zip is damaged or not what"),
    "no tar": (lambda p: make(p, {"s.tar": bytes(range(256)) * 9}) / "s.tar", "s.tar is damaged or not what"),
    "cut tar": (lambda p: cut(make(p / "s.tar", TWO), 3500), r"s.tar is damaged .*\(unexpected end of data\)"),
    "tar cut between members": (lambda p: cut(make(p / "s.tar", TWO), 2560), r"s.tar is damaged .*\(empty header\)"),
    "tar cut in a header": (lambda p: cut(make(p / "s.tar", TWO), 2600), r"s.tar is damaged .*\(truncated header\)"),
    "tar damaged inside": (lambda p: changed(make(p / "s.tar", TWO), 2560, b"?"), r"s.tar is damaged .*\(bad checksum"),
    "cut tar.gz": (lambda p: cut(make(p / "s.tar.gz", TWO), -60), r"s.tar.gz is damaged"),
    "tar.gz damaged at its end": (lambda p: changed(make(p / "s.tar.gz", TWO), -8, b"???"), r"damaged .*CRC check"),
    "tar.xz that is none": (lambda p: make(p, {"s.tar.xz": bytes(999)}) / "s.tar.xz", "s.tar.xz is damaged or not"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_source_that_is_damaged_or_not_to_be_trusted_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    build, message = REFUSED[case]
    source = build(tmp_path)
    before = {path for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=message) as error:
        contents.contents(source, tmp_path / "spool")
    assert str(error.value).startswith("data.directory: ") and "\n" not in str(error.value)
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "spool"} and not (tmp_path.parent / "x.png").exists()


def test_a_member_that_is_larger_than_it_declares_is_refused_and_not_read_to_its_end(tmp_path: Path) -> None:
    path = patched(make(tmp_path / "s.zip", {"x.png": bytes(50 << 20)}), 24, (100).to_bytes(4, "little"))
    with pytest.raises(InputError, match=r"s.zip: 'x.png' has more than the 100 bytes that it declares"):
        containers.read(found(path).pictures[0])


def test_the_pictures_of_a_source_may_not_be_a_bomb_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "TOTAL", 3999)
    with pytest.raises(InputError, match=r"'b/y.png' and the pictures before it are declared as 4,000 bytes"):
        found(make(tmp_path / "s.zip", TWO))
    monkeypatch.setattr(contents, "TOTAL", 4000)
    assert len(found(tmp_path / "s.zip").pictures) == 2


def test_a_link_inside_a_folder_is_followed_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    source = folder_with_link(tmp_path, "../b/y.png")
    assert {member.name: containers.read(member) for member in found(source).pictures}["a/link.png"] == b"y"
    os.mkfifo(source / "b" / "pipe.png")
    with pytest.raises(InputError, match="'b/pipe.png' is a link to a folder, or a device"):
        found(source)


LABELLED = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/sub/2.png"]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("top", ["", "wrapped/", "wrapped/once more/"])
def test_all_layouts_are_understood_in_a_wrapping_folder_or_without(tmp_path: Path, kind: str, top: str) -> None:
    def split(number: int, names: list[str]) -> tuple[list[str], dict[str, set[tuple[str, str]]]]:
        laid = arranged(tmp_path / f"{number}.{kind}", [top + name for name in names])
        return laid.classes, {name: {(member[len(top):], label) for member, label in pairs}
                              for name, pairs in by_split(laid).items()}

    halves = [f"{half}/{name}" for half in ("train", "test") for name in LABELLED]
    classes, splits = split(0, halves)
    assert classes == ["cat", "dog"]
    assert splits == {half: {(f"{half}/{name}", name[:3]) for name in LABELLED} for half in ("train", "test")}
    for number, name in enumerate(("val", "valid", "Validation", "Testing"), 1):
        assert split(number, [one.replace("test/", f"{name}/") for one in halves])[1]["test"] == {
            (f"{name}/{one}", one[:3]) for one in LABELLED}
    classes, splits = split(5, LABELLED)
    assert classes == ["cat", "dog"] and splits["train"] | splits["test"] == {(name, name[:3]) for name in LABELLED}
    assert sorted(label for _, label in splits["test"]) == ["cat", "dog"]  # one of two, not a quarter of two
    classes, splits = split(6, ["train/1.png", "train/2.png", "test/1.png"])
    assert classes == ["unlabelled"] and splits["test"] == {("test/1.png", "unlabelled")}
    if top.count("/") < 2:
        classes, splits = split(7, [f"{i}.png" for i in range(8)])
        assert classes == ["unlabelled"] and len(splits["train"]) == 6 and len(splits["test"]) == 2


def test_a_sole_folder_wraps_pictures_and_a_sole_one_in_it_is_a_class(tmp_path: Path) -> None:
    assert arranged(tmp_path / "a", ["cats/1.png", "cats/2.png"]).classes == ["unlabelled"]
    assert arranged(tmp_path / "b", ["set/cats/1.png", "set/cats/2.png"]).classes == ["cats"]


def test_with_a_test_folder_the_validation_folder_is_not_used_and_that_is_said(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = by_split(arranged(tmp_path / "a", ["train/1.png", "val/2.png", "test/3.png", "notes/n.txt"]))
    assert splits == {"train": {("train/1.png", "unlabelled")}, "test": {("test/3.png", "unlabelled")}}
    assert "'val' is not used" in capsys.readouterr().err


@pytest.mark.parametrize("names, message", [
    (["test/1.png", "val/1.png"], "has 'test', 'val' side by side; expected train"),
    (["train/1.png", "bus/1.png"], "has 'train', 'bus' side by side; expected train with test"),
    (["train/1.png", "1.png"], "has 'train', 'pictures in no folder' side by side"),
    (["cat/1.png", "dog/1.png", "1.png"], "has pictures beside the folder 'cat'; expected pictures in class folders"),
    (["train/cat/1.png", "train/1.png"], "train has pictures beside the folder 'cat'"),
    (["cat/1.png", "dog/"], "dog holds no pictures; expected some in every class folder"),
    (["cat/1.png", "dog/1.txt"], "dog holds no pictures; expected some in every class folder"),
    (["train/cat/1.png", "train/dog/", "test/cat/1.png"], "train/dog holds no pictures"),
    (["train/cat/1.png", "test/"], "test holds no pictures"),
    (["train/cat/1.png", "test/dog/1.png"], "test pictures are of 'dog', its training pictures of 'cat'"),
    (["train/cat/1.png", "test/1.png"], "test pictures are of 'unlabelled', its training pictures of 'cat'"),
    (["cat/1.png", "dog/1.png"], r"one picture of every class.*data\.pictures\.test"),
])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_a_layout_that_is_not_clear_is_refused_in_one_line(
        tmp_path: Path, kind: str, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        arranged(tmp_path / f"s.{kind}", names)
    assert str(error.value).startswith("data.directory: ") and "\n" not in str(error.value)


def test_a_share_of_every_class_is_held_out_always_the_same(tmp_path: Path) -> None:
    names = [f"{name}/{i:02}.png" for name, count in (("a", 10), ("b", 30), ("c", 4), ("d", 1)) for i in range(count)]
    laid = arranged(tmp_path / "s", names, share=0.2)
    assert {split: np.bincount(pairs.labels, minlength=4).tolist() for split, pairs in laid.splits.items()} == {
        "train": [8, 24, 3, 1], "test": [2, 6, 1, 0]}
    again = arranged(tmp_path / "s.zip", names[::-1], share=0.2)
    assert by_split(again) == by_split(laid)
    assert set.union(*by_split(laid).values()) == {(name, name[0]) for name in names}


def test_splits_are_stored_in_orders_that_depend_on_their_own_names_alone(tmp_path: Path) -> None:
    train, test = [f"train/{i % 3}/{i:03}.png" for i in range(90)], [f"test/{i % 3}/{i:03}.png" for i in range(30)]
    laid = arranged(tmp_path / "a", train + test)
    for names, split in ((train, "train"), (test, "test")):
        order = np.random.default_rng(0).permutation(len(names))
        assert [member.name for member in laid.splits[split].members] == [sorted(names)[i] for i in order]
    fewer = arranged(tmp_path / "b", train + test[:7])
    assert [member.name for member in fewer.splits["train"].members] == [
        member.name for member in laid.splits["train"].members]
    assert np.bincount(laid.splits["train"].labels[:30]).min() >= 5  # the first third is a sample of all classes


def test_labels_are_as_wide_as_the_classes_need(tmp_path: Path) -> None:
    for count, kind in ((256, np.uint8), (257, np.uint16)):
        names = [f"{split}/{i:03}/x.png" for split in ("train", "test") for i in range(count)]
        labels = arranged(tmp_path / f"{count}.zip", names).splits["train"].labels
        assert labels.dtype == kind and sorted(labels.tolist()) == list(range(count))
