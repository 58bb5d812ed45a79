"""A promoted run's generator is the champion of MLflow's registered model, once it is there."""
from dataclasses import asdict
from pathlib import Path

import mlflow
import pytest

from pipeline.commands import promote
from pipeline.errors import InputError
from pipeline.gan import checkpoint
from pipeline.params import reading
from pipeline.tracking import champion
from pipeline.tracking import tracker as tracking
from tests import made_up
from tests.commands.test_promote import BEST, STUDY
from tests.conftest import command
from tests.tracking.conftest import description

FOLDER = Path("models/searched/seed0")
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies


def trained(folder: Path, digest: str, *times: int) -> None:
    """What stages train and evaluate tell MLflow of a training, the latter so many times."""
    model = made_up.model(folder, "guidelines-28", 0.25)
    with tracking.run(description(tags={"model": digest})) as tracker:
        for time in times:
            tracker.model(model.G, model.facts["network"], {"fid_classifier_10k": 1.0}, time)


def test_the_newest_generator_of_a_training_is_the_champion_and_registered_once(project: Path) -> None:
    assert champion.crown(FOLDER, "m1") == ""
    trained(project / "one", "m1")
    assert champion.crown(FOLDER, "m1") == ""  # trained, not evaluated
    trained(project / "two", "m2", 1, 2)
    trained(project / "three", "m3", 1)
    client = mlflow.MlflowClient()
    for digest, version in (("m2", 1), ("m3", 2), ("m2", 1)):
        assert champion.crown(FOLDER, digest) == "models:/dcgan@champion"
        crowned = client.get_model_version_by_alias("dcgan", "champion")
        assert int(crowned.version) == version
        assert client.get_run(crowned.run_id).data.tags["model"] == digest
    command("sample", "models:/dcgan@champion", "images.npz", "--n", "2")
    assert (project / "images.npz").exists()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "foo://x"])
def test_a_store_that_cannot_be_asked_is_one_line(
        project: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)  # nobody listens; no such kind
    with pytest.raises(InputError, match="models/searched/seed0: MLflow does not make its generator the champion") as (
            error):
        champion.crown(FOLDER, "m1")
    assert "\n" not in str(error.value)


def test_the_second_promotion_is_of_the_generator(
        project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    monkeypatch.setattr(champion, "crown", lambda folder, digest: asked.append(digest) or "models:/dcgan@champion")
    (project / "params.yaml").write_text(STUDY)
    (project / "best.yaml").write_text(BEST)
    command("promote", "best.yaml")
    command("promote", "best.yaml")
    assert capsys.readouterr().out.count(promote.AGAIN) == 2
    model = made_up.model(FOLDER, "guidelines-28", 0.25)
    checkpoint.save_model(FOLDER, model.G, model.D, model.facts | {"run": {"batch": 999}})
    command("promote", "best.yaml")  # of the winner before, which has not been trained yet
    assert promote.AGAIN in capsys.readouterr().out and not asked
    run = asdict(reading.load().runs["searched"])
    digest = checkpoint.save_model(FOLDER, model.G, model.D, model.facts | {"run": run})
    command("promote", "best.yaml")
    assert asked == [digest] and "MLflow has its generator as models:/dcgan@champion" in capsys.readouterr().out
    monkeypatch.setattr(champion, "crown", lambda folder, digest: "")
    command("promote", "best.yaml")
    assert "MLflow has no generator of it: `dcgan sync`" in capsys.readouterr().out
    monkeypatch.setenv("DCGAN_TRACKING", "off")
    command("promote", "best.yaml")
    assert "DCGAN_TRACKING is off" in capsys.readouterr().out
