"""`dcgan explore`: the best run by the report's distance, any model by its folder, and one line for what cannot be."""
import base64
import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from pipeline.commands import explore
from pipeline.data import pixels
from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.params.sections import Sampling
from tests import made_up
from tests.conftest import FP32, ROOT, Params, command


def test_the_page_has_samples_of_the_model_and_its_facts(params: Params, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    params({"hardware.precision": "fp32", "hardware.device": "cpu"})
    model = made_up.model(tmp_path / "models/one/seed0", statistics_images=60)
    command("explore", "models/one", "page.html", "--seed", "5")
    text = Path("page.html").read_text()
    z = sampling.prior(model.network, 60, torch.Generator().manual_seed(5))
    with sampling.evaluating(model.G, model.network, Sampling(statistics_images=60), FP32):
        grid = pixels.grid(sampling.sample(model.G, model.network, z, FP32), 10)
    assert page_samples(text) == pixels.png(grid)
    assert "The latent space of one" in text and "page.html" in capsys.readouterr().out


def page_samples(text: str) -> bytes:
    found = re.search(r'class="still" src="data:image/png;base64,([^"]+)"', text)
    assert found
    return base64.b64decode(found[1])


def test_the_default_is_the_best_run_of_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a copy of the repository's own results, and with another run made better."""
    for name in ("params.yaml", "reports/train", "reports/evaluate"):
        source = ROOT / name
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    metrics = json.loads((ROOT / "reports/metrics.json").read_text())
    distance = next(iter(metrics["test4"]))
    assert explore.best() == Path("models") / min(metrics, key=lambda run: metrics[run][distance]) / "seed0"
    path = tmp_path / "reports/evaluate/test1/seed0/scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {distance: 0.001}))
    assert explore.best() == Path("models/test1/seed0")
    for content in ({}, {distance: None}):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match="the runs' scores cannot be compared"):
            explore.best()


@pytest.mark.parametrize(("words", "message"), [
    (["models/one", "page.png"], "page.png: expected a file that ends in .html"),
    (["models/two"], "models/two/model.json: not found"),
    ([], "reports/evaluate/test1/seed0/scores.json: not found; run `dvc repro`")])
def test_what_cannot_be_is_one_line(params: Params, words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        command("explore", *words)
    assert "\n" not in str(error.value) and message in str(error.value)
    assert not Path("reports/explore.html").exists()
