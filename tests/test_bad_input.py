"""Bad input as a table: every row is one line on stderr, a status that is not zero, and no file changed.

A row is (case, words, what makes the input bad, what the line says). Commands and stages run inside this process.
"""
import hashlib
import importlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline import __main__ as cli
from pipeline import folders, stage
from pipeline.data import digits, images
from pipeline.scores import classifier, frechet, reference_model
from tests import made_up
from tests.conftest import Params, write_params

Damage = Callable[[Path], Any]
Row = tuple[str, str, Damage, str]


def text(path: str, content: str | bytes) -> Damage:
    """Writes a file."""
    return lambda folder: (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def keys(**changes: Any) -> Damage:
    """Changes keys of params.yaml, whose dots are written as two underscores."""
    return lambda folder: write_params(folder / "params.yaml", {key.replace("__", "."): value
                                                                for key, value in changes.items()})


def edited(path: str, change: Callable[[Any], Any]) -> Damage:
    """Changes the content of a JSON file."""
    def edit(folder: Path) -> None:
        content = json.loads((folder / path).read_text())
        changed = change(content)
        (folder / path).write_text(json.dumps(content if changed is None else changed))

    return edit


def without(path: str, key: str) -> Damage:
    """Takes a key from a JSON file."""
    return edited(path, lambda content: content.pop(key) and None)


def given(path: str, key: str, value: Any) -> Damage:
    """Changes a key of a JSON file."""
    return edited(path, lambda content: content.update({key: value}))


def piped(path: str) -> Damage:
    """Puts a pipe in the place of a file."""
    def pipe(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        os.mkfifo(folder / path)

    return pipe


def emptied(path: str) -> Damage:
    """Puts a folder in the place of a file."""
    def empty(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        (folder / path).mkdir()

    return empty


def removed(path: str) -> Damage:
    return lambda folder: (folder / path).unlink()


def cut(path: str, size: int) -> Damage:
    """Leaves the first bytes of a file."""
    return lambda folder: (folder / path).write_bytes((folder / path).read_bytes()[:size])


def array(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """Changes an array of the data set, with digests that fit."""
    def damage(folder: Path) -> None:
        place = folder / "data/arrays/digits"
        np.save(place / f"{name}.npy", change(np.load(place / f"{name}.npy")))
        meta = json.loads((place / "meta.json").read_text())
        images.describe(place, {key: meta[key] for key in ("name", "classes", "source", "url", "licence")})

    return damage


def nothing(folder: Path) -> None:
    """The words are bad enough."""


def pictures(path: str, *names: str | bytes) -> Damage:
    """A folder or .zip of files with these names, which data.directory is."""
    def make(folder: Path) -> None:
        write_params(folder / "params.yaml", IMAGES | {"data.directory": path})
        if path.endswith(".zip"):
            with zipfile.ZipFile(folder / path, "w") as archive:
                for name in names:
                    archive.writestr(str(name), b"x")
            return
        for name in names:
            file = Path(os.fsdecode(os.path.join(os.fsencode(folder / path), os.fsencode(name))))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")

    return make


def both(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


IMAGES = {"data.name": "images", "data.pictures": {"size": 8, "channels": 3, "smallest": 8}, "data.directory": "faces"}
DEEP = "runs: " + "[" * 3000 + "]" * 3000
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi"))
HUGE = int("9" * 30)
PARAMS = "params.yaml: "
# Files that are no params.yaml. `promote` reads it before anything else.
FILES: list[tuple[str, str | bytes, str]] = [
    ("empty", "", "expected"), ("a list", "[]", "expected"), ("a word", "hello", "expected"),
    ("a number", "3", "expected"),
    ("nothing", "null", "expected"), ("an open list", "data: [", "line 1"), ("an open mapping", "data: {", "line 1"),
    ("a tab", "data:\n\tname: mnist", "line 2"), ("a bell", "data:\x07", "not YAML"), ("a NUL", "data: \0", "not YAML"),
    ("Latin-1", "data: {name: caf\xe9}".encode("latin-1"), "not YAML"),
    ("UTF-16", "data: 1".encode("utf-16"), "not YAML"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not YAML"), ("gzip", b"\x1f\x8b\x08\0\0\0\0\0", "not YAML"),
    ("two documents", "data: 1\n---\ndata: 2", "line 2"), ("a key twice", "data: 1\ndata: 2", "duplicate key"),
    ("an unknown anchor", "data: *nobody", "line 1"), ("an unknown tag", "data: !!python/object:os.system x", "line 1"),
    ("itself", "data: &a {name: *a}", "holds itself"), ("itself in a list", "data: &a [*a]", "holds itself"),
    ("a bomb of aliases", BOMB, "values by aliases"), ("3,000 levels", DEEP, "nested too deeply"),
    ("3,000 levels of blocks", "\n".join(" " * i + "a:" for i in range(1200)), "nested too deeply"),
    ("a list as a key", "[1, 2]: 3", "keys must be"), ("a mapping as a key", "{a: 1}: 3", "line 1"),
    ("5,000 digits", f"seeds: [{'1' * 5000}]", "4300"),
    ("5,000 hexadecimal digits", f"seeds: [0x{'f' * 5000}]", "4300"),
    ("a day that is none", "data: 2026-02-30", "not YAML"), ("a number that is none", "data: !!int x", "not YAML"),
    ("two megabytes", "# " + "x" * (2 << 20), "characters; expected at most"),
    ("a number as a key", "1: 2\n", "unknown key 1"), ("nothing as a key", "~: 2\n", "unknown key null"),
    ("a binary", "data: !!binary '%%'", "expected"), ("a set", "data: !!set {a, b}", "expected"),
    ("HTML", "<!DOCTYPE html><html>", "expected"), ("JSON cut off", '{"data": {"name"', "line 1"),
    ("a conflict of git", "<<<<<<< HEAD\ndata: 1\n=======\ndata: 2\n>>>>>>> x\n", "line")]
# Values that nobody can have, by their keys.
VALUES: list[tuple[str, Any, str]] = [
    ("train__epochs", HUGE, "less than or equal to 1000000000"), ("train__epochs", 10**400, "less than or equal to"),
    ("train__epochs", -1, "greater than or equal to 1"), ("train__epochs", 1e3, "expected a valid integer"),
    ("train__epochs", [2], "expected a valid integer"), ("train__epochs", {"a": 1}, "expected a valid integer"),
    ("train__epochs", "10 ** 9", "expected a valid integer"), ("train__fid_images", 10**13, "less than or equal"),
    ("train__fid_images", 1, "greater than or equal to 2"), ("train__batch", 10**9, "less than or equal to 10000000"),
    ("train__batch", 1, "greater than or equal to 2"), ("train__grid", 33, "less than or equal to 32"),
    ("train__grid", 0, "greater than or equal to 1"), ("train__fid_every", 0, "greater than or equal to 1"),
    ("train__report_images", HUGE, "less than or equal"), ("train__images", 0, "greater than or equal to 1"),
    ("train__statistics_images", 10**12, "less than or equal"),
    ("train__batch_norm", "moving", "'running' or 'recomputed'"),
    ("train__checkpoint_seconds", float("inf"), "expected a finite number"),
    ("train__checkpoint_seconds", float("nan"), "expected a finite number"),
    ("train__checkpoint_seconds", -1, "greater than or equal to 0"),
    ("train__checkpoint_seconds", 1e9, "less than or equal"),
    ("train__width", float("inf"), "expected a finite number"), ("train__width", 5, "less than or equal to 4"),
    ("train__width", 0, "greater than 0"), ("train__lr", float("inf"), "expected a finite number"),
    ("train__lr", 0, "greater than 0"), ("train__lr", "fast", "expected a valid number"),
    ("train__beta1", -0.1, "greater"),
    ("train__beta1", float("nan"), "expected a finite number"),
    ("train__leak", float("-inf"), "expected a finite number"),
    ("train__ema", float("nan"), "expected a finite number"), ("train__ema", 1.5, "less than 1"),
    ("train__label_smoothing", float("nan"), "expected a finite number"),
    ("train__d_steps", HUGE, "less than or equal"),
    ("train__lr_G", float("nan"), "expected a finite number"), ("train__flip", "yes", "expected a valid boolean"),
    ("train__violate", "pooling", "expected a valid array"), ("train__network", "a/b", "expected"),
    ("train__network", "x" * 101, "at most 100 characters"), ("train__decay_epochs", HUGE, "less than or equal"),
    ("seeds", [HUGE], "less than 4294967296"), ("seeds", [2**32], "less than 4294967296"), ("seeds", 3, "valid array"),
    ("seeds", ["a"], "expected a valid integer"), ("seeds", [0.5], "expected a valid integer"),
    ("seeds", [None], "expected"),
    ("seeds", {"a": 1}, "expected a valid array"), ("evaluate__seeds", HUGE, "less than or equal to 1000"),
    ("evaluate__seeds", 0, "greater than or equal to 1"), ("evaluate__fid_images", 10**13, "less than or equal"),
    ("evaluate__neighbours", 10**6, "less than or equal to 1000"), ("evaluate__neighbours", 0, "greater than or equal"),
    ("evaluate__probe_C", [float("inf")], "expected a finite number"), ("evaluate__probe_C", [0], "greater than 0"),
    ("evaluate__confidence", float("nan"), "expected a finite number"),
    ("evaluate__resamples", HUGE, "less than or equal"),
    ("evaluate__memorisation_images", HUGE, "less than or equal"),
    ("evaluate__probe_images", HUGE, "less than or equal"),
    ("evaluate__labels_per_class", HUGE, "less than or equal"),
    ("evaluate__supervised_epochs", HUGE, "less than or equal"),
    ("evaluate__generated_labels", [HUGE], "less than or equal"), ("evaluate__seed", -1, "greater than or equal to 0"),
    ("evaluate__inception", {"images": HUGE}, "less than or equal"),
    ("evaluate__inception", {"weights": "a\x1bb"}, "should match pattern"),
    ("internals__C", float("inf"), "expected a finite number"), ("internals__steps", HUGE, "less than or equal"),
    ("internals__points", HUGE, "less than or equal"), ("internals__candidates", HUGE, "less than or equal"),
    ("internals__trials", HUGE, "less than or equal"), ("internals__draws", HUGE, "less than or equal"),
    ("internals__layer", HUGE, "less than or equal to 100"), ("internals__epsilon", float("nan"), "finite number"),
    ("internals__spread", float("inf"), "expected a finite number"),
    ("internals__milliseconds", HUGE, "less than or equal"),
    ("internals__arithmetic", {"a": [1], "d": [2]}, "expected"), ("internals__object", "cats", "'loops', 'strokes' or"),
    ("reference__epochs", HUGE, "less than or equal"), ("reference__lr", float("nan"), "expected a finite number"),
    ("reference__classifiers", 10, "less than or equal to 9"), ("reference__net", "vgg", "'small' or 'residual'"),
    ("search__n_trials", HUGE, "less than or equal"), ("search__rungs", [HUGE], "less than or equal"),
    ("search__hours", float("inf"), "expected a finite number"), ("search__images", 5, "unknown key search.images"),
    ("search__seeds", HUGE, "less than or equal"), ("search__probe_C", [float("inf")], "expected a finite number"),
    ("search__space", {"lr": {"low": 1e-5, "high": float("inf")}}, "expected a finite number"),
    ("search__space", {"lr": [float("nan")]}, "search.space.lr = nan: expected"),
    ("search__space", {"lr": None}, "expected"),
    ("search__storage", 3, "expected a valid string"), ("search__candidates", 0, "greater than or equal to 1"),
    ("hardware__fast", "no", "expected a valid boolean"), ("hardware__precision", "fp16", "'auto', 'fp32' or 'bf16'"),
    ("runs", {"a\nb": {}}, "expected"), ("runs", {"": {}}, "expected"), ("runs", {"x" * 101: {}}, "at most 100"),
    ("runs", [], "expected"), ("runs", {"../a": {}}, "expected"), ("runs", {"\u202ea": {}}, "expected"),
    ("transfers", {"a": {"model": "x\0y"}}, "expected"), ("transfers", {"a": {"model": ""}}, "should match pattern"),
    ("data__directory", "~nosuchuser/x", "data.directory = '~nosuchuser/x': no such folder"),
    ("data__directory", "", "should match pattern"), ("data__directory", "a\x1b[2J", "should match pattern"),
    ("data__directory", "a\u202eb", "should match pattern"), ("data__directory", "a\nb", "should match pattern"),
    ("data__directory", "data/arrays/images", "overlaps"), ("data__directory", "data", "overlaps"),
    ("data__directory", ".", "overlaps"), ("data__directory", "models", "overlaps"),
    ("data__directory", "..", "overlaps"),
    ("data__directory", "reports/../models/test4", "overlaps"), ("data__directory", "code", "overlaps"),
    ("data__directory", 3, "expected a valid string"), ("data__name", None, "expected"), ("data__name", [], "expected"),
    ("data__pictures", {"size": 10**6, "channels": 3, "smallest": 8}, "less than or equal to 1024"),
    ("data__pictures", {"size": 8, "channels": 4, "smallest": 8}, "expected 1 or 3"),
    ("data__pictures", {"size": 8, "channels": 3, "smallest": HUGE}, "less than or equal"),
    ("data__pictures", {"size": 8, "channels": 3, "smallest": 8, "test": float("nan")}, "expected a finite number")]
META, MODEL, REFERENCE = "data/arrays/digits/meta.json", "models/test4/model.json", "models/reference/reference.json"
TRAIN, SAMPLE = "train test4 0", "sample models/test4 out.png"
ROWS: list[Row] = [
    *((f"params.yaml: {case}", "promote", text("params.yaml", content), expected) for case, content, expected in FILES),
    *((f"{key} = {value!r:.30}: {expected}", "promote", keys(**{key: value}), expected)
      for key, value, expected in VALUES),
    ("params.yaml is a pipe", "promote", piped("params.yaml"), "expected a file, found a pipe"),
    ("params.yaml is a folder", "promote", emptied("params.yaml"), "expected a file, found a folder"),
    ("params.yaml is away", "promote", removed("params.yaml"), "params.yaml: not found"),
    ("params.yaml is a link to nothing", "promote", both(removed("params.yaml"), lambda folder: (
        folder / "params.yaml").symlink_to("nowhere")), "params.yaml: not found"),
    # best.yaml
    ("no winner", "promote", nothing, "best.yaml: not found"),
    ("the winner is a pipe", "promote best.yaml", piped("best.yaml"), "expected a file, found a pipe"),
    *((f"best.yaml: {case}", "promote best.yaml", text("best.yaml", content), expected) for case, content, expected in (
        ("itself", "run: &a {lr: *a}", "holds itself"), ("a list as a key", "run: {[1]: 2}", "keys must be"),
        ("5,000 digits", f"run: {{batch: {'1' * 5000}}}", "4300"), ("3,000 levels", DEEP, "nested too deeply"),
        ("Latin-1", "run: {a: \xe9}".encode("latin-1"), "not YAML"), ("a list", "[]", "no winner of a search"),
        ("a number", "3", "no winner"), ("a run that is a list", "run: [1]", "no winner"),
        ("no run", "trial: 3", "no winner"),
        ("an unknown key", "run: {bach: 64}", "bach"), ("a rate above 1", "run: {lr: 12}", "lr"),
        ("no number", "run: {lr: .nan}", "lr"), ("an empty run", "run:", "no winner"),
        ("decay beyond the end", "{beats: true, run: {decay_epochs: 9}}",
         "params.yaml with the winner: runs.searched.decay_epochs"))),
    # Words
    ("no images", f"{SAMPLE} --n 0", nothing, "--n 0: expected at least 1"),
    ("fewer than none", f"{SAMPLE} --n -5", nothing, "--n -5: expected at least 1"),
    ("10^12 images", f"{SAMPLE} --n 1000000000000", nothing, "GB of memory"),
    ("10^30 images", f"{SAMPLE} --n {HUGE}", nothing, "GB of memory"),
    ("a word for a number", f"{SAMPLE} --n many", nothing, "invalid int value: 'many'"),
    ("a negative seed", f"{SAMPLE} --seed -1", nothing, "--seed"),
    ("a seed of 70 bits", f"{SAMPLE} --seed {2**70}", nothing, "expected a whole number from 0 to 2^63 - 1"),
    ("a label that is none", f"{SAMPLE} --label 99", nothing, "99"),
    ("a negative label", f"{SAMPLE} --label -1", nothing, "-1"),
    ("no average", f"{SAMPLE} --generator ema", nothing, "has no generator ema; it has last"),
    ("an unknown generator", f"{SAMPLE} --generator first", nothing, "invalid choice: 'first'"),
    ("an unknown suffix", "sample models/test4 out.jpg", nothing, "out.jpg: expected"),
    ("a folder that is not empty", "sample models/test4 models", nothing, "models: is there already"),
    ("a file in the way", "sample models/test4 params.yaml/x.png", nothing, "File exists"),
    ("no such model", "sample models/nobody out.png", nothing, "models/nobody/model.json: not found"),
    ("a model that is a file", "sample params.yaml out.png", nothing, "params.yaml"),
    ("a model elsewhere", "sample https://example.org/m out.png", nothing, "expected models:/"),
    ("a model in a bucket", "sample s3://bucket/m out.png", nothing, "expected models:/"),
    ("a model without MLflow", "sample models:/m-1 out.png", nothing, "mlflow.db: not found"),
    ("a walk without points", "walk models/test4 out.png --points 0", nothing, "a walk of 10 steps"),
    ("a walk of one point", "walk models/test4 out.png --points 1", nothing, "a walk of 10 steps"),
    ("a walk without steps", "walk models/test4 out.png --steps 0", nothing, "a walk of 0 steps"),
    ("a walk of 10^12 steps", "walk models/test4 out.png --steps 1000000000000", nothing, "GB of memory"),
    ("a walk to somewhere else", "walk models/test4 out.txt", nothing, "out.txt: expected"),
    ("a run beside nobody", "compare nobody test4", nothing, "no run 'nobody'"),
    ("a run of no study", "compare nowhere/test4 test4", nothing, "nowhere/params.yaml: not found"),
    ("runs that are not scored", "compare test3 test4", nothing, "test3: not scored"),
    ("no command", "serach", nothing, "no command 'serach' (did you mean 'search'?)"),
    ("a command of escapes", "\x1b[2J", nothing, r"no command '\x1b[2J'"),
    ("too few words", "train", nothing, "train: expected one of train@test1-0"),
    ("too many words", "train test4 0 1", nothing, "train: expected one of train@test1-0"),
    ("no such run", "train test9 0", nothing, "no run 'test9' (did you mean 'test4'?)"),
    ("no such seed", "train test4 7", nothing, "no seed 7; there are 0"),
    ("a seed that is no number", "train test4 x", nothing, "invalid int value: 'x'"),
    ("no such transfer", "transfer x", nothing, "x"),
    ("a negative port", "dashboard -1", nothing, "port -1: expected one from 0 to 65535"),
    ("a port that is no number", "dashboard http", nothing, "invalid int value: 'http'"),
    ("a dashboard before a search", "dashboard", nothing, "optuna.log: not found"),
    ("a study of a bad name", "new ../x", nothing, "'../x': expected a name of letters"),
    ("a study like none", "new x --from nobody", nothing, "--from nobody: no such study"),
    ("10^400 epochs", f"new x --epochs 1{'0' * 400}", nothing, "epochs = "),
    ("no epochs", "new x --epochs 0", nothing, "epochs = 0: expected greater than or equal to 1"),
    ("a width that is none", "new x --width nan", nothing, "width = nan: expected a finite number"),
    ("an endless width", "new x --width inf", nothing, "width = inf: expected a finite number"),
    ("an unknown data set", "new x --data minst", nothing, "--data minst: no such data set (did you mean 'mnist'?)"),
    ("a negative seed of a study", "new x --seeds -1", nothing, "seeds"),
    # Pictures
    ("no pictures", "fetch", keys(**{key.replace(".", "__"): value for key, value in IMAGES.items()}),
     "faces does not exist; expected a folder"),
    ("pictures that are a pipe", "fetch", both(keys(**{"data": {
        "name": "images", "directory": "faces.tar", "pictures": IMAGES["data.pictures"]}}), piped("faces.tar")),
     "faces.tar is a pipe or a device"),
    ("an empty folder", "fetch", pictures("faces", "readme.txt"), "holds no pictures"),
    ("pictures that are none", "fetch", pictures("faces", *(f"{i}.png" for i in range(4))),
     "4 of 4 pictures cannot be used"),
    ("a zip that is none", "fetch", both(pictures("faces.zip", "a.png"), text("faces.zip", "PK")),
     "faces.zip is damaged"),
    ("a way out", "fetch", pictures("faces.zip", "../../a.png"), "'../../a.png' leads out of the archive"),
    ("an absolute name", "fetch", pictures("faces.zip", "/a.png"), "'/a.png' leads out of the archive"),
    ("a class of escapes", "fetch", pictures("faces.zip", "\x1b[2J/a.png"),
     "is in a folder whose name is not UTF-8 or"),
    ("a class turned around", "fetch", pictures("faces.zip", "a\u202eb/a.png"), "is in a folder whose name"),
    ("a class that is not UTF-8", "fetch", pictures("faces", b"caf\xe9/a.png"), "is in a folder whose name"),
    ("pictures beside classes", "fetch", pictures("faces", "a/1.png", "2.png"), "expected pictures in class folders"),
    # What the project has written
    *((f"{path}: {case}", command, damage(path), f"{Path(path).name}: not what this project writes")
      for path, command in ((META, TRAIN), (MODEL, SAMPLE), (REFERENCE, TRAIN)) for case, damage in (
          ("empty", lambda path: text(path, "")), ("cut off", lambda path: cut(path, 40)),
          ("a list", lambda path: text(path, "[]")), ("nothing", lambda path: text(path, "null")),
          ("not UTF-8", lambda path: text(path, b'{"a": "\xe9"}')), ("levels", lambda path: text(path, "[" * 100000)),
          ("YAML", lambda path: text(path, "a: 1")), ("no digest", lambda path: without(path, "sha256")),
          ("a digest that is a number", lambda path: given(path, "sha256", 3)))),
    *((f"{path} is a pipe", command, piped(path), f"{Path(path).name}: expected a file, found a pipe")
      for path, command in ((META, TRAIN), (MODEL, SAMPLE), (REFERENCE, TRAIN))),
    *((f"{path} is away", command, removed(path), f"{Path(path).name}: not found; run `dvc repro")
      for path, command in ((META, TRAIN), (MODEL, SAMPLE), (REFERENCE, TRAIN))),
    *((f"meta.json without {key}", TRAIN, without(META, key), f"({key}: Field required)")
      for key in ("classes", "files", "counts", "name")),
    ("meta.json without classes in it", TRAIN, given(META, "classes", []), "at least 1 item"),
    ("meta.json of other files", TRAIN, given(META, "files", {"../x": "0"}), "its digests do not fit together"),
    ("meta.json of other digests", TRAIN, given(META, "sha256", "0" * 64), "its digests do not fit together"),
    *((f"reference.json without {key}", TRAIN, without(REFERENCE, key), f"({key}: Field required)")
      for key in ("data", "shape", "classes", "extractor", "net")),
    ("a reference of a net that is none", TRAIN, given(REFERENCE, "net", "vgg"), "net: Input should be"),
    ("a reference of 10^9 classes", TRAIN, given(REFERENCE, "classes", 10**9), "classes: Input should be less"),
    ("a reference of two axes", TRAIN, given(REFERENCE, "shape", [1, 28]), "shape"),
    ("a reference of other data", TRAIN, given(REFERENCE, "data", "0" * 64), "made from other data"),
    ("a damaged reference", TRAIN, cut("models/reference/reference.safetensors", 500), "the file is damaged"),
    *((f"model.json without {key}", SAMPLE, without(MODEL, key), f"({key}: Field required)")
      for key in ("network", "leak")),
    ("a model of no network", SAMPLE, given(MODEL, "network", {"name": "unheard"}), "model.json: "),
    ("a model without a name", SAMPLE, given(MODEL, "network", {}), "network.name: Field required"),
    ("a model of more than a network", SAMPLE, given(MODEL, "network", {"name": "slides", "x": 1}), "network.x"),
    ("a model 10^9 times as wide", SAMPLE, given(MODEL, "network", {"name": "slides", "width": 1e9}), "network.width"),
    ("a model that leaks too much", SAMPLE, given(MODEL, "leak", 2), "leak: Input should be less than 1"),
    ("a model without generator", SAMPLE, given(MODEL, "sha256", {}), "not a model of this project"),
    ("a damaged generator", SAMPLE, cut("models/test4/generator.safetensors", 500), "the file is damaged"),
    ("no generator", SAMPLE, removed("models/test4/generator.safetensors"), "generator.safetensors: not found"),
    # Arrays
    ("fewer labels than images", TRAIN, array("train_labels", lambda labels: labels[:-1]), "train_labels are uint8"),
    ("labels of two axes", TRAIN, array("test_labels", lambda labels: labels[:, None]), "test_labels are uint8"),
    ("labels that are too high", TRAIN, array("train_labels", lambda labels: labels + 1), "train_labels reach 10"),
    ("images of three axes", TRAIN, array("train_images", lambda pixels: pixels[:, 0]), "train_images are uint8"),
    ("images of floats", TRAIN, array("train_images", lambda pixels: pixels.astype(float)), "train_images are float64"),
    ("no test images", TRAIN, both(array("test_images", lambda pixels: pixels[:0]),
                                   array("test_labels", lambda labels: labels[:0])), "test_images are uint8 (0,"),
    ("test images of another size", TRAIN, array("test_images", lambda pixels: pixels[..., :9]),
     "test_images are uint8"),
    ("a damaged array", TRAIN, cut("data/arrays/digits/train_images.npy", 9000), "the file is damaged"),
    ("no array", TRAIN, removed("data/arrays/digits/test_labels.npy"), "test_labels.npy: not found"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a reference and a model, as stages leave them, but neither fitted nor trained."""
    folder = tmp_path_factory.mktemp("made")
    images.save(folder / "data/arrays/digits", digits.arrays(), digits.FACTS)
    dataset = images.load(folder / "data/arrays/digits")
    torch.manual_seed(0)
    net = classifier.Classifier(dataset.shape, 10, "small").eval()
    moments = frechet.moments(classifier.features(net, dataset.train_images[:200]))
    reference_model.save(folder / folders.REFERENCE, net, moments, {
        "data": dataset.digest, "shape": dataset.shape, "classes": 10, "extractor": "classifier"})
    made_up.model(folder / "models/test4", "guidelines-28", 0.25, 200)
    return folder


@pytest.fixture
def project(params: Params, made: Path, tmp_path: Path) -> Path:
    for part in ("data", "models"):
        shutil.copytree(made / part, tmp_path / part)
    return tmp_path


def content(folder: Path) -> dict[str, str]:
    """What is in every file."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*")
            if path.is_file() and ".work" not in path.parts and ".left_out" not in path.parts}


def started(name: str, words: list[str]) -> None:
    """Runs a stage here, where the command line becomes its process."""
    if len(words) != len(cli.WORDS.get(name, ())):
        cli_start(name, words)
    sys.argv = [name, *words]
    stage.main(getattr(importlib.import_module(f"pipeline.{name}"), name))


cli_start = cli.start


@pytest.mark.parametrize(("words", "damage", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_input_is_one_line_and_nothing_is_lost(
        project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, damage: Damage,
        expected: str) -> None:
    damage(project)
    before = content(project)
    monkeypatch.setattr(cli, "start", started)
    monkeypatch.setattr(sys, "argv", ["dcgan", *words.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    line = end.value.code if isinstance(end.value.code, str) else captured.err.strip().splitlines()[-1]
    assert end.value.code != 0 and expected in line and "\n" not in line and line.isprintable() and len(line) < 1200
    assert "Traceback" not in captured.err
    assert content(project) == before


def test_the_table_is_long_and_names_every_case_once() -> None:
    assert len(ROWS) >= 200 and len({row[0] for row in ROWS}) == len(ROWS)
