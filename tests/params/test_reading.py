"""params.yaml: what is accepted, what is inherited, and the one line that says what is not."""
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from ruamel.yaml import YAML

from pipeline import published
from pipeline.errors import InputError
from pipeline.gan import guidelines, literature
from pipeline.params import reading
from pipeline.params.sections import Run
from pipeline.params.study import Study
from tests.conftest import ROOT, write_params

STUDIES = sorted((ROOT / "studies").glob("*/params.yaml"))
BETA1 = "search.space.beta1"


def loaded(tmp_path: Path, changes: dict[str, Any]) -> Study:
    """The tests' small study with changes."""
    write_params(tmp_path / "params.yaml", changes)
    return reading.load(tmp_path / "params.yaml")


def refused(path: Path) -> str:
    """The one line that refuses a file, behind its name."""
    with pytest.raises(InputError) as error:
        reading.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_the_slides_four_tests_are_the_runs() -> None:
    runs = reading.load(ROOT / "params.yaml").runs
    slides = {"test1": (256, 1e-4, 0.9, 0.3), "test2": (100, 2e-4, 0.9, 0.3),
              "test3": (100, 2e-4, 0.5, 0.3), "test4": (100, 2e-4, 0.5, 0.2)}
    assert {name: (run.batch, run.lr, run.beta1, run.leak) for name, run in runs.items() if name in slides} == slides


def test_a_run_inherits_what_it_does_not_say_from_train_and_the_rest_from_the_schema(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"train.batch": 77, "train.width": 0.5, "runs": {"test5": {"lr": 0.001}, "test6": None},
                              "internals.runs": ["test5"], "search.first": []})
    assert study.runs["test5"] == Run(network="slides", epochs=2, batch=77, width=0.5, lr=0.001)
    assert study.runs["test6"] == study.train.run == Run(network="slides", epochs=2, batch=77, width=0.5)


def test_sections_may_be_empty_or_absent(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        "data: {name: digits}\nevaluate:\nruns: {a: {}}\ninternals: {runs: [a]}\n")
    study = reading.load(tmp_path / "params.yaml")
    assert study.seeds == [0] and study.evaluate.fid_images == 10_000 and study.runs == {"a": Run()}


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("train.epochs", "two", "train.epochs = 'two': expected a valid integer"),
    ("train.epochs", True, "train.epochs = True: expected a valid integer"),
    ("train.epochs", 2.5, "train.epochs = 2.5: expected a valid integer"),
    ("train.epochs", 0, "train.epochs = 0: expected greater than or equal to 1"),
    ("train.epoch", 2, "unknown key train.epoch (did you mean 'epochs'?)"),
    ("runs.test4.lr", 2, "runs.test4.lr = 2: expected less than or equal to 1"),
    ("runs.test4.lr", float("nan"), "runs.test4.lr = nan: expected"),
    ("runs.test4.lr", "2e-4", "runs.test4.lr = '2e-4': expected a valid number"),
    ("runs.test4.beta1", 1, "runs.test4.beta1 = 1: expected less than 1"),
    ("runs.test4.beta", 0.5, "unknown key runs.test4.beta (did you mean 'beta1'?)"),
    ("runs.test4.data", "cifar10", "unknown key runs.test4.data"),
    ("runs.test4.decay_epochs", 3, "runs.test4.decay_epochs = 3: expected at most epochs = 2"),
    ("runs.test4.decay_epochs", 1, "runs.test4.decay_epochs = 1: the first of these epochs still has the whole rate"),
    ("runs.test4.d_steps", 0, "runs.test4.d_steps = 0: expected greater than or equal to 1"),
    ("runs.test4.label_smoothing", 0.6, "runs.test4.label_smoothing = 0.6: expected less than 0.5"),
    ("runs.test4.ema", 1, "runs.test4.ema = 1: expected less than 1"),
    ("train.keep", "bset", "train.keep = 'bset': expected 'last' or 'best' (did you mean 'best'?)"),
    ("train.on_collapse", "halt", "train.on_collapse = 'halt': expected 'warn' or 'stop'"),
    ("reference.classifiers", 0, "reference.classifiers = 0: expected greater than or equal to 1"),
    ("evaluate.supervised_lr", [], "evaluate.supervised_lr = []: expected"),
    ("search.space.ema", [1.0], "search.space.ema = 1: expected less than 1"),
    ("search.space.d_steps", [0], "search.space.d_steps = 0: expected greater than or equal to 1"),
    ("runs.test4", 3, "runs.test4 = 3: expected"),
    ("runs.reference", {}, "runs.reference"),
    ("runs", {}, "runs = {}: expected"),
    ("runs", {"../test1": {}}, "runs.../test1"),
    ("seeds", [0, 1, 0], "seeds = [0, 1, 0]: 0 is there twice"),
    ("seeds", [], "seeds = []: expected"),
    ("seeds", [-1], "seeds.0 = -1: expected greater than or equal to 0"),
    ("date", {"name": "mnist"}, "unknown key date (did you mean 'data'?)"),
    ("hardware.device", "gpu", "hardware.device = 'gpu': expected 'auto', 'cuda', 'mps' or 'cpu'"),
    ("data.name", "minst", "data.name = 'minst': expected 'mnist', 'fashion_mnist', "),
    ("data.name", "minst", "(did you mean 'mnist'?)"),
    ("data.name", "images", "data.name = 'images': expected also data.directory"),
    ("data", {"name": "images", "directory": "x"}, "data.name = 'images': expected also data.pictures"),
    ("data", {"name": "images", "directory": "x", "pictures": {"size": 8, "channels": 2, "smallest": 8}},
     "channels = 2: expected 1 or 3"),
    ("evaluate.probe_C", [], "evaluate.probe_C = []: expected"),
    ("evaluate.probe_validation", 1, "evaluate.probe_validation = 1: expected less"),
    ("internals.runs", ["test9"], "internals.runs: no run 'test9'"),
    ("internals.runs", [], "internals.runs = []: expected"),
    ("search.against", "test9", "search.against: no run 'test9' (did you mean 'test4'?)"),
    ("search.rungs", [5000, 15000, 40000], "search.rungs = [5000, 15000, 40000]: search.pruner = 'halving' expects"),
    ("search.rungs", [15000, 5000], "search.rungs = [15000, 5000]: expected each to be longer than the one before"),
    ("search.rungs", [45000], "search.rungs = [45000]: search.pruner = 'halving' expects two rungs or more"),
    ("search.rungs", [400, 600], "each as many times the one before, like [5000, 15000, 45000]"),
    ("search.rungs", [], "search.rungs = []: expected"),
    ("search.hours", 0, "search.hours = 0: expected greater than 0"),
    ("search.hours", float("inf"), "search.hours = inf: expected"),
    ("search.sampler", "tpa", "search.sampler = 'tpa': expected 'tpe', 'gp', 'cmaes' or 'random' (did you mean 'tpe'"),
    ("search.equal", "image", "search.equal = 'image': expected 'images' or 'updates' (did you mean 'images'?)"),
    ("search", {"sampler": "cmaes", "objectives": ["fid", "probe"]}, "search.sampler = 'cmaes': has one objective"),
    ("search.space.epochs", [1, 2], "search.space.epochs: expected one of batch, lr, beta1, leak, network, width"),
    ("search.space.network", {"low": 1, "high": 2}, "search.space.network: is no number; expected a list of values"),
    ("search.space.flip", ["yes"], "search.space.flip = 'yes': expected a valid boolean"),
    ("search.space.violate", ["sigmoid", "pooling"], "search.space.violate = 'sigmoid': expected a valid array"),
    ("search.space.leak", {"low": 0.1, "high": 0.2, "when": {"bach": 32}},
     "search.space.leak.when.bach: expected a key that search.space has before leak, with a list of values (did you "
     "mean 'batch'?); there are batch"),
    ("search.space.leak", {"values": [0.1, 0.2], "when": {"batch": 33}},
     "search.space.leak.when.batch = 33: expected one of [32, 64, 100, 128, 256]"),
    ("search.space.leak", {"values": [0.1, 0.2], "when": {"lr": 1e-3}}, "search.space.leak.when.lr: expected a key"),
    ("search.space.leak", {"values": []}, "search.space.leak = []: expected"),
    ("search.space", {"lr": {"low": 0, "high": 1, "log": True}}, "search.space.lr.low = 0: a logarithmic range"),
    (BETA1, {"low": 0.9, "high": 0.5}, "search.space.beta1 = 0.9 to 0.5: expected low < high"),
    (BETA1, {"low": 0.5, "high": 0.5}, "search.space.beta1 = 0.5 to 0.5: expected low < high"),
    (BETA1, {"low": float("nan"), "high": 0.5}, "search.space.beta1.low = nan: expected a finite number"),
    (BETA1, {"low": 0.0, "high": 1.5}, "search.space.beta1 = 1.5: expected less than 1"),
    (BETA1, {"low": 0.0, "hihg": 0.9}, "unknown key search.space.beta1.hihg (did you mean 'high'?)"),
    (BETA1, {"low": "none", "high": 0.9}, "search.space.beta1.low = 'none': expected a valid number"),
    (BETA1, [], "search.space.beta1 = []: expected"),
    (BETA1, [0.5, 0.5], "search.space.beta1 = [0.5, 0.5]: a value is there twice"),
    (BETA1, "half", "search.space.beta1 = 'half': expected a valid number"),
    ("search.space.leek", 0.1, "search.space.leek: expected one of batch, lr, beta1, leak, network, width, violate, "
                               "lr_G, lr_D, d_steps, label_smoothing, flip, ema (did you mean 'leak'?)"),
    ("search.space.batch", [1], "search.space.batch = 1: expected greater than or equal to 2"),
    ("search.space.batch", [32.5], "search.space.batch = 32.5: expected a valid integer"),
    ("search.objectives", ["fdi"], "search.objectives.0 = 'fdi': expected 'fid' or 'probe'"),
    ("search.objectives", ["probe"], "search.objectives = ['probe']: expected [fid] or [fid, probe]"),
    ("search.first", ["test9"], "search.first: no run 'test9' (did you mean 'test4'?); there are test1, test2"),
    ("search.n_trial", 3, "unknown key search.n_trial (did you mean 'n_trials'?)"),
    ("transfers", {"a": {}}, "missing key transfers.a.model"),
])
def test_bad_input_gets_one_line(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    write_params(tmp_path / "params.yaml", {key: value})
    assert expected in refused(tmp_path / "params.yaml")


@pytest.mark.parametrize(("content", "expected"), [
    ("", "expected"), ("[]", "expected"), ("hello", "expected"), ("3", "expected"), ("data: [", "line"),
    ("data:\x07", "not YAML"), ("data: {name: digits}\nruns: {a: {lr: 0.1, lr: 0.2}}", 'duplicate key "lr"'),
    ("data: {name: digits}\nruns: {a: {lr: 2026-01-01}}\ninternals: {runs: [a]}", "runs.a.lr = '2026-01-01': exp")])
def test_what_is_no_study_is_one_line(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "params.yaml").write_text(content)
    assert expected in refused(tmp_path / "params.yaml")


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    """`dvc exp run -S` writes 1e-05, which YAML 1.1 takes for a string."""
    (tmp_path / "params.yaml").write_text("data: {name: digits}\nruns: {a: {lr: 1e-05}}\ninternals: {runs: [a]}")
    assert reading.load(tmp_path / "params.yaml").runs["a"].lr == 1e-5


def test_a_missing_file_and_an_unknown_run_and_seed_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: not found"):
        reading.load(tmp_path / "nowhere.yaml")
    study = loaded(tmp_path, {})
    with pytest.raises(InputError, match="no run 'test9' .did you mean 'test4'..; there are test1, test2"):
        reading.run(study, "test9")
    with pytest.raises(InputError, match="seeds: no seed 7; there are 0"):
        reading.run(study, "test4", 7)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_every_study_is_a_folder_with_the_shared_stages(path: Path) -> None:
    study = reading.load(path)
    for run in study.runs.values():
        literature.network(run.network, run.width, run.violate)
    for name in ("dvc.yaml", "pipeline", ".dvcignore"):
        assert (path.parent / name).resolve() == ROOT / name
    assert "dir = ../../../.dvc/cache" in (path.parent / ".dvc/config").read_text()
    for transfer in study.transfers.values():
        source = path.parent / transfer.model
        if source.parent.resolve() == ROOT / "published":
            assert source.name in published.PUBLISHED
            continue
        assert source.parts[-2] in reading.load(source.parents[2] / "params.yaml").runs
    listed = YAML(typ="safe").load(path.read_text())
    assert {"data", "hardware", "reference", "train", "runs", "seeds", "evaluate", "internals", "search",
            "transfers", "claims"} == set(listed)  # DVC wants every section of a stage's params to be there


def test_the_studies_of_the_literature_have_their_sources_numbers() -> None:
    """Data set, batch size, learning rate, beta1, leak, epochs, those of falling lr, and images."""
    found = {}
    for path in STUDIES:
        study = reading.load(path)
        run = next(iter(study.runs.values()))
        found[path.parent.name] = (run.network, study.data.name, run.batch, run.lr, run.beta1, run.leak, run.epochs,
                                   run.decay_epochs, run.images)
    sources = {
        "slides-mnist": ("slides", "mnist", 100, 2e-4, 0.5, 0.2, 20, 0, None),
        "article-cifar10": ("article-cifar10", "cifar10", 256, 1e-4, 0.9, 0.3, 100, 0, None),
        "udacity-svhn": ("udacity-svhn", "svhn", 128, 2e-4, 0.5, 0.2, 25, 0, None),
        "paper-64": ("paper-64", "images", 128, 2e-4, 0.5, 0.2, 25, 0, 350_000),
        "paper-mnist": ("paper-mnist", "mnist", 128, 2e-4, 0.5, 0.2, 200, 100, 50_000),
        "article-mnist": ("slides", "mnist", 256, 1e-4, 0.9, 0.3, 50, 0, None),
        "paper-svhn": ("paper-svhn", "svhn", 64, 5e-4, 0.5, 0.2, 200, 0, None),
        "paper-imagenet32": ("paper-imagenet32", "images", 128, 2e-4, 0.5, 0.2, 30, 0, None),
        "torch-64": ("torch-64", "images", 64, 2e-4, 0.5, 0.2, 25, 0, None)}
    assert {name: found[name] for name in sources} == sources


def test_the_study_of_guidelines_breaks_each_of_them_alone() -> None:
    study = reading.load(ROOT / "studies/guidelines/params.yaml")
    assert study.seeds == list(range(10)) and study.runs["guidelines"].violate == []
    assert study.runs["guidelines"] == Run(network="guidelines-28", epochs=2)
    for name in guidelines.VIOLATIONS:
        expected = asdict(study.runs["guidelines"]) | {"violate": [name]} | ({"lr": 0.02} if name == "sgd" else {})
        assert asdict(study.runs[name]) == expected
    assert set(study.runs) == {"guidelines", *guidelines.VIOLATIONS}
    claimed = {run for claim in study.claims.values() for run in claim.better}
    assert set(study.runs) - claimed == {"normal_z"}  # the sources differ in it, and claim nothing


def default(one: Field[Any]) -> str:
    """The default of a field, as docs/settings.md writes it."""
    if one.default is MISSING and one.default_factory is MISSING:
        return "required"
    value = one.default if one.default_factory is MISSING else one.default_factory()
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")


def test_the_settings_are_documented_with_their_defaults() -> None:
    """docs/settings.md has a row for every key: `section.key`, its default, what it does."""
    lines = (ROOT / "docs/settings.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    documented = {row[0].strip("| `"): row[1].strip("` ") for row in rows}
    expected = {}
    for section in fields(Study):
        kind = get_type_hints(Study)[section.name]
        if not is_dataclass(kind):
            continue
        pending = [(section.name, kind)]
        while pending:
            prefix, part = pending.pop()
            for one in fields(part):
                hint = get_type_hints(part)[one.name]
                nested = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
                if nested and one.name != "space":
                    pending.append((f"{prefix}.{one.name}", nested[0]))
                    continue
                expected[f"{prefix}.{one.name}"] = "see below" if one.name == "space" else default(one)
    assert documented == expected
