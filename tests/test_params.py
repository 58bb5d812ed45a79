"""params.yaml: what is accepted, and the one line that says what is not."""
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import params
from pipeline.documents import Recipes
from pipeline.errors import InputError
from pipeline.gan import guidelines, literature
from pipeline.sections import Run
from tests.conftest import ROOT


def edited(tmp_path: Path, old: str, new: str) -> Path:
    """The params.yaml of the tests with one piece replaced."""
    text = (Path(__file__).parent / "params.yaml").read_text()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_slides_four_tests_are_the_runs() -> None:
    runs = params.load(ROOT / "params.yaml").runs
    slides = {"test1": (256, 1e-4, 0.9, 0.3), "test2": (100, 2e-4, 0.9, 0.3),
              "test3": (100, 2e-4, 0.5, 0.3), "test4": (100, 2e-4, 0.5, 0.2)}
    assert {name: (run.batch, run.lr, run.beta1, run.leak) for name, run in runs.items() if name in slides} == slides


BETA1 = "{low: 0.0, high: 0.95, log: false}"


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("  epochs: 2              #", "  epochs: two #", "train.epochs = 'two': expected a valid integer"),
    ("  epochs: 2              #", "  epochs: true #", "train.epochs = True: expected a valid integer"),
    ("  epochs: 2              #", "  epochs: 2.5 #", "train.epochs = 2.5: expected a valid integer"),
    ("  epochs: 2              #", "  epochs: 0 #", "train.epochs = 0: expected greater than or equal to 1"),
    ("  epochs: 2              #", "  epoch: 2 #", "unknown key train.epoch (did you mean 'epochs'?)"),
    ("  report_images: 5000", "  # report_images: 5000", "missing key train.report_images"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: 2, beta1: 0.5, leak: 0.2",
     "runs.test4.lr = 2: expected less than or equal to 1"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: .nan, beta1: 0.5, leak: 0.2",
     "runs.test4.lr = nan: expected"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: '2e-4', beta1: 0.5, leak: 0.2",
     "runs.test4.lr = '2e-4': expected a valid number"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: 0.1, beta1: 1, leak: 0.2",
     "runs.test4.beta1 = 1: expected less than 1"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: 0.1, beta: 0.5, leak: 0.2",
     "unknown key runs.test4.beta (did you mean 'beta1'?)"),
    ("batch: 100, lr: 0.0002, beta1: 0.5, leak: 0.2", "batch: 100, lr: 0.1, lr: 0.2, beta1: 0.5, leak: 0.2",
     'found duplicate key "lr"'),
    ("data:", "date:", "unknown key date (did you mean 'data'?)"),
    ("  device: auto", "  device: gpu", "hardware.device = 'gpu': expected 'auto', 'cuda', 'mps' or 'cpu'"),
    ("  name: mnist", "  name: minst", "data.name = 'minst': expected 'mnist', 'fashion_mnist', "),
    ("  test1:", "  ../test1:", "runs.../test1"),
    ("  probe_C: [0.0001, 0.001, 0.01, 0.1, 1.0]", "  probe_C: []", "evaluate.probe_C = []: expected"),
    ("data:", "data: [", "line"),
    ("data:", "data:\x07", "not YAML"),
    ("lr: 0.0001", "lr: 2026-01-01", "runs.test1.lr = '2026-01-01': expected a valid number"),
    ("  test1:", "  reference:", "runs.reference"),
    ("probe_validation: 0.25", "probe_validation: 1", "evaluate.probe_validation = 1: expected less"),
    ("{low: 1.0e-5, high", "{low: 0, high", "search.space.lr.low = 0: a logarithmic range starts above 0"),
    (BETA1, "{low: 0.9, high: 0.5, log: false}", "search.space.beta1 = 0.9 to 0.5: expected low < high"),
    (BETA1, "{low: 0.5, high: 0.5, log: false}", "search.space.beta1 = 0.5 to 0.5: expected low < high"),
    (BETA1, "{low: .nan, high: 0.5, log: false}", "search.space.beta1 = nan to 0.5: expected low < high"),
    (BETA1, "{low: 0.0, high: 1.5, log: false}", "search.space.beta1 = 1.5: expected less than 1"),
    (BETA1, "{low: 0.0, hihg: 0.9, log: false}", "unknown key search.space.beta1.hihg (did you mean 'high'?)"),
    (BETA1, "{low: none, high: 0.9, log: false}", "search.space.beta1.low = 'none': expected a valid number"),
    (BETA1, "[]", "search.space.beta1 = []: expected List should have at least 1 item"),
    (BETA1, "[0.5, 0.5]", "search.space.beta1 = [0.5, 0.5]: a value is there twice"),
    (BETA1, "half", "search.space.beta1 = 'half': expected a valid number"),
    ("    leak: {low", "    leek: {low", "search.space.leek: a run has no such parameter (did you mean 'leak'?)"),
    ("    leak: {low", "    # leak: {low", "search.space: leak is missing"),
    ("batch: [32,", "batch: [1,", "search.space.batch = 1: expected greater than or equal to 2"),
    ("batch: [32,", "batch: [32.5,", "search.space.batch = 32.5: expected a valid integer"),
    ("objectives: [fid]", "objectives: [fdi]", "search.objectives.0 = 'fdi': expected 'fid' or 'probe'"),
    ("objectives: [fid]", "objectives: [probe]", "search.objectives = ['probe']: expected [fid] or [fid, probe]"),
    ("first: [test1", "first: [test9", "search.first: no run 'test9'; there are test1, test2, test3, test4"),
    ("  n_trials:", "  n_trial:", "unknown key search.n_trial (did you mean 'n_trials'?)"),
])
def test_bad_input_gets_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(InputError) as error:
        params.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert expected in message


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    """`dvc exp run -S` writes 1e-05, which YAML 1.1 takes for a string."""
    path = edited(tmp_path, "lr: 0.0001", "lr: 1e-05")
    assert params.load(path).runs["test1"].lr == 1e-5


def test_a_missing_file_and_an_unknown_run_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml: not found"):
        params.load(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="no run 'test9' .did you mean 'test4'..; there are test1, test2"):
        monkeypatch.chdir(Path(__file__).parent)
        params.study("test9")


@pytest.mark.parametrize("content", ["", "[]", "hello", "3"])
def test_a_file_without_sections_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(InputError, match=r"params\.yaml: "):
        params.load(tmp_path / "params.yaml")


RECIPES = ROOT / "recipes" / "params.yaml"


def test_a_recipe_is_a_study_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study, name = params.study("recipes/paper-mnist")
    assert name == "paper-mnist" and list(study.runs) == ["paper-mnist"] and study.data.name == "mnist"
    assert study.runs[name] == Run(batch=128, lr=2e-4, beta1=0.5, leak=0.2)
    design = study.train
    assert (design.network, design.width, design.images, design.epochs, design.decay_epochs, design.grid) == (
        "paper-mnist", 1, 50_000, 200, 100, 8)
    assert params.shared("recipes/svhn").data.name == "svhn" and params.shared("mnist").data.name == "mnist"


def test_the_recipes_are_those_of_the_sources() -> None:
    """Data set, batch size, learning rate, beta1, leak, epochs, those of falling lr, and images: of their own."""
    book = params._read(RECIPES, Recipes)
    sources = {name: r for name, r in book.recipes.items() if name in literature.NETWORKS or name == "slides-mnist"}
    assert all((r.width, r.violate, r.seed) == (1, [], 0) for r in sources.values())
    rows = {name: (r.network, r.data, r.batch, r.lr, r.beta1, r.leak, r.epochs, r.decay_epochs, r.images)
            for name, r in sources.items()}
    assert rows == {
        "slides-mnist": ("slides", "mnist", 100, 2e-4, 0.5, 0.2, 20, 0, None),
        "article-cifar10": ("article-cifar10", "cifar10", 256, 1e-4, 0.9, 0.3, 100, 0, None),
        "udacity-svhn": ("udacity-svhn", "svhn", 128, 2e-4, 0.5, 0.2, 25, 0, None),
        "paper-64": ("paper-64", "pictures64", 128, 2e-4, 0.5, 0.2, 25, 0, 350_000),
        "paper-mnist": ("paper-mnist", "mnist", 128, 2e-4, 0.5, 0.2, 200, 100, 50_000),
        "paper-imagenet32": ("paper-imagenet32", "pictures32", 128, 2e-4, 0.5, 0.2, 30, 0, None),
        "torch-64": ("torch-64", "pictures64", 64, 2e-4, 0.5, 0.2, 25, 0, None),
    }


def test_the_ablation_breaks_every_guideline_with_three_seeds() -> None:
    book = params._read(RECIPES, Recipes)
    base = book.recipes["ablation-baseline-0"]
    assert (base.network, base.data, base.violate, base.seed) == ("guidelines-28", "mnist", [], 0)
    expected = {}
    for broken in ("baseline", *guidelines.VIOLATIONS):
        violate, lr = [] if broken == "baseline" else [broken], 0.02 if broken == "sgd" else base.lr
        for seed in (0, 1, 2):
            expected[f"ablation-{broken}-{seed}"] = replace(base, violate=violate, seed=seed, lr=lr)
    assert {name: recipe for name, recipe in book.recipes.items() if name.startswith("ablation-")} == expected
    for name, recipe in book.recipes.items():
        literature.network(recipe.network, recipe.width, recipe.violate)
        assert recipe.data in book.data, name


@pytest.mark.parametrize(("old", "new", "expected"), [
    ("  paper-64: {data: pictures64,", "  paper-64: {data: pictures46,",
     "recipes.paper-64.data: no data set 'pictures46' (did you mean 'pictures64'?); there are mnist"),
    ("network: paper-64, width: 1", "network: paper-64, widht: 1",
     "unknown key recipes.paper-64.widht (did you mean 'width'?)"),
    ("network: paper-64, width: 1", "network: paper-64, width: 0",
     "recipes.paper-64.width = 0: expected greater than 0"),
    ("images: 350000, epochs: 25, decay_epochs: 0", "images: 350000, epochs: 25, decay_epochs: 26",
     "recipes.paper-64.decay_epochs = 26: expected at most epochs = 25"),
    ("{size: 64, channels: 3, smallest: 64", "{size: 64, channels: 2, smallest: 64", "channels = 2: expected 1 or 3"),
    ("  paper-64:", "  reference:",
     "recipes.reference: models/recipes/reference holds the classifiers; take another name"),
])
def test_bad_recipes_get_one_line(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, expected: str) -> None:
    (tmp_path / "recipes").mkdir()
    content = RECIPES.read_text()
    assert old in content
    (tmp_path / "recipes/params.yaml").write_text(content.replace(old, new, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        params.study("recipes/reference" if "reference" in new else "recipes/paper-64")
    assert str(error.value).startswith("recipes/params.yaml: ") and expected in str(error.value)


def test_an_unknown_recipe_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match="recipes: no recipe 'paper-46' .did you mean 'paper-64'..; there are slides"):
        params.study("recipes/paper-46")
    with pytest.raises(InputError, match="data: no data set 'shvn' .did you mean 'svhn'.."):
        params.shared("recipes/shvn")
    with pytest.raises(InputError, match="data.name: no data set 'svhn'; there are mnist"):
        params.shared("svhn")
