"""Generators in MLflow: the same images in Python, from the command line and over HTTP, and no pickle anywhere."""
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.errors import DivergedError, InputError
from pipeline.gan import sampling
from pipeline.gan.checkpoint import Model
from pipeline.latent import rows
from pipeline.tracking import generators, store
from tests import made_up
from tests.conftest import FP32, command

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
NETWORKS = {"guidelines-28": 0.25, "paper-mnist": 0.125, "torch-64": 0.0625}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder, with a run in MLflow that has logged a model of each network; their addresses in a file."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        store.connect()
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("dcgan", str(folder / "mlruns")))
        addresses = {}
        with mlflow.start_run():
            for name, width in NETWORKS.items():
                model = made_up.model(folder / name, name, width)
                graph = folder / "graph.pt2"
                generators.export(sampling.by_rows(model.G, model.network), model.facts["network"], graph)
                identity = generators.log(graph, model.facts["network"])
                addresses[name] = f"models:/{identity}"
        (folder / "addresses.json").write_text(json.dumps(addresses))
        yield folder


def addresses(project: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((project / "addresses.json").read_text())
    return found


def drawn(model: Model, seeds: list[int], labels: list[int]) -> np.ndarray:
    """What G makes of the z of each seed."""
    z = torch.cat([sampling.prior(model.network, 1, torch.Generator().manual_seed(seed)) for seed in seeds])
    y = torch.eye(model.network.classes)[labels] if model.network.classes else None
    return rows.images(model.G, model.network, rows.joined(z, y), FP32)


def close(ours: Any, expected: np.ndarray) -> bool:
    """Equal up to a grey level, which rounding may cost, and neither of one grey."""
    found = np.asarray(ours)
    return found.shape == expected.shape and bool(abs(found.astype(int) - expected).max() <= 1) and expected.std() > 9


@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_draws_by_seed_or_takes_z(project: Path, name: str) -> None:
    model = made_up.model(project / name, name, NETWORKS[name])
    served = mlflow.pyfunc.load_model(addresses(project)[name])
    seeds = list(range(300, 314))
    images = served.predict(pd.DataFrame({"seed": seeds}))
    assert images.dtype == np.uint8 and close(images, drawn(model, seeds, [i % 10 for i in range(14)]))
    z = torch.cat([sampling.prior(model.network, 1, torch.Generator().manual_seed(seed)) for seed in seeds])
    assert close(served.predict(pd.DataFrame({"z": list(z.double().numpy())})), images)
    if model.network.classes:
        asked = pd.DataFrame({"seed": seeds, "label": 3})
        assert close(served.predict(asked), drawn(model, seeds, [3] * 14)) and not close(served.predict(asked), images)


def test_there_is_no_pickle_and_none_of_this_projects_modules(project: Path) -> None:
    for address in addresses(project).values():
        folder = Path(mlflow.artifacts.download_artifacts(address))
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {
            "", ".pt2", ".py", ".json", ".yaml", ".txt"}
        graph, = folder.rglob("*.pt2")
        with zipfile.ZipFile(graph) as archive:
            assert not any(b".pkl" in archive.read(name) or ".pkl" in name for name in archive.namelist())
        code = (folder / "serving.py").read_text()
        assert "import pipeline" not in code and "from pipeline" not in code


@pytest.mark.parametrize(("question", "message"), [
    ({"seed": [1], "z": [[0.0] * 100]}, "a seed, or z, and not both"),
    ({"z": [[0.0] * 100, [0.0] * 99]}, "row 1: 99 numbers as z; expected 100 finite ones"),
    ({"z": [[float("nan")] * 100]}, "row 0: 100 numbers as z; expected 100 finite ones"),
    ({"z": [[1e300] * 100]}, "row 0: 100 numbers as z; expected 100 finite ones"),
    ({"z": [None]}, "row 0: 0 numbers as z; expected 100 finite ones"),
    ({"seed": [1, 2], "label": [0, 10]}, "row 1: label 10; expected one from 0 to 9")])
def test_what_a_model_cannot_answer_is_said(project: Path, question: dict[str, Any], message: str) -> None:
    served = mlflow.pyfunc.load_model(addresses(project)["paper-mnist"])
    with pytest.raises(mlflow.MlflowException, match=message):
        served.predict(pd.DataFrame(question))


def test_an_unconditional_generator_says_so(project: Path) -> None:
    with pytest.raises(mlflow.MlflowException, match="row 0: label 3; this generator is unconditional"):
        mlflow.pyfunc.load_model(addresses(project)["guidelines-28"]).predict(pd.DataFrame({"seed": [1], "label": [3]}))


def test_images_that_are_not_finite_are_an_error_and_not_black(project: Path) -> None:
    model = made_up.model(project / "broken", "guidelines-28", 0.25)
    with torch.no_grad():
        next(model.G.parameters())[0, 0] = float("nan")
    generators.export(model.G, model.facts["network"], Path("graph.pt2"))
    with mlflow.start_run():
        address = f"models:/{generators.log(Path('graph.pt2'), model.facts['network'])}"
    with pytest.raises(DivergedError, match=f"{address}: the generator makes images that are not finite"):
        command("sample", address, "never.png")
    assert not Path("never.png").exists()


def test_sample_takes_a_models_address(project: Path) -> None:
    address = addresses(project)["paper-mnist"]
    command("sample", address, "--n", "7", "--seed", "5", "out.npz")
    model = made_up.model(project / "paper-mnist", "paper-mnist", 0.125)
    z = sampling.prior(model.network, 7, torch.Generator().manual_seed(5))
    with np.load("out.npz") as found:
        assert close(found["images"], sampling.sample(model.G, model.network, z, FP32))
        np.testing.assert_array_equal(found["z"], z.numpy())


def test_an_address_of_nothing_or_of_something_else_is_one_line(project: Path) -> None:
    (project / "other.py").write_text(
        "import mlflow, pandas\nclass Other(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input: pandas.DataFrame): return\n"
        "mlflow.models.set_model(Other())\n")
    with mlflow.start_run():
        other = mlflow.pyfunc.log_model(name="other", python_model="other.py", pip_requirements=[])
    for address in ("models:/m-0123", "runs:/0123/generator", other.model_uri):
        with pytest.raises(InputError, match="not a generator that this project has logged to MLflow") as error:
            generators.load(address)
        assert "\n" not in str(error.value)


def other_model(folder: Path, code: str) -> str:
    """The address of a model that is not this project's, and runs `code` when MLflow loads it."""
    (folder / "other.py").write_text(
        f"import mlflow, pandas, pathlib\n{code}\nclass Other(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input: pandas.DataFrame): return\nmlflow.models.set_model(Other())\n")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(name="other", python_model=str(folder / "other.py"), pip_requirements=[])
    return str(logged.model_uri)


def test_a_model_of_somebody_else_is_refused_before_any_of_its_code_runs(
        project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = other_model(tmp_path, f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()")
    (tmp_path / "ran").unlink()  # MLflow runs what it logs
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    for where in (address, Path(mlflow.artifacts.download_artifacts(address)).as_uri()):
        with pytest.raises(InputError, match="not a generator that this project has logged"):
            generators.load(where)
    assert not (tmp_path / "ran").exists() and os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_a_model_whose_code_was_changed_is_read_without_it(project: Path, tmp_path: Path) -> None:
    folder = copied(addresses(project)["guidelines-28"], tmp_path)
    (folder / "serving.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    network, images = generators.load(folder.as_uri())
    assert network["name"] == "guidelines-28" and images(torch.zeros(1, 100)).shape == (1, 1, 28, 28)
    assert not (tmp_path / "ran").exists()


def copied(address: str, target: Path) -> Path:
    """A copy of the files of a model."""
    return Path(shutil.copytree(mlflow.artifacts.download_artifacts(address), target / "model"))


class Pickled:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("attack", ["inputs", "weights", "extra", "name", "dimension", "guard", "operator", "file"])
def test_a_graph_that_could_run_code_is_refused_before_it_is_read(project: Path, tmp_path: Path, attack: str) -> None:
    """Each of these is what torch.export.load, or the module that it makes, would run."""
    folder = copied(addresses(project)["guidelines-28"], tmp_path)
    graph, = folder.rglob("*.pt2")
    with zipfile.ZipFile(graph) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    name = next(one for one in content if one.endswith("models/model.json"))
    weights = next(one for one in content if one.endswith("weights_config.json"))
    text, code = content[name].decode(), f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    evil = pickle.dumps(Pickled(tmp_path / "ran"))
    match attack:
        case "inputs":
            content[name.replace("models/model.json", "data/sample_inputs/model.pt")] = evil
        case "weights":
            content[weights] = content[weights].replace(b'"use_pickle": false', b'"use_pickle": true', 1)
        case "extra":
            content[name.replace("models/model.json", "extra/x.py")] = code.encode()
        case "name":
            content[name] = text.replace('"name": "x"', json.dumps({"name": f"x; {code}"})[1:-1]).encode()
        case "dimension":
            content[name] = re.sub(r'"expr_str": "[^"]*"', json.dumps({"expr_str": code})[1:-1], text).encode()
        case "guard":
            content[name] = text.replace('"guards_code": []', json.dumps({"guards_code": [code]})[1:-1]).encode()
        case "operator":
            content[name] = text.replace("torch.ops.aten.tanh.default", "torch.hub.load").encode()
        case "file":
            content[name] = text.replace("torch.ops.aten.tanh.default", "torch.ops.aten.from_file.default").encode()
    with zipfile.ZipFile(graph, "w") as archive:
        for one, data in content.items():
            archive.writestr(one, data)
    with pytest.raises(InputError, match="not a generator that this project has logged to MLflow .graph.pt2: "):
        generators.load(folder.as_uri())
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("key", "value"), [("z_dim", 10**12), ("classes", 3), ("prior", "unheard of"), ("low", None),
                                            ("network", {"name": "slides"}), ("network", {"name": "x"})])
def test_facts_that_are_not_those_of_the_network_are_refused(
        project: Path, tmp_path: Path, key: str, value: Any) -> None:
    folder = copied(addresses(project)["guidelines-28"], tmp_path)
    described = YAML(typ="safe").load((folder / "MLmodel").read_text())
    described["flavors"]["python_function"]["config"][key] = value
    with open(folder / "MLmodel", "w") as file:
        YAML(typ="safe").dump(described, file)
    with pytest.raises(InputError, match="not a generator that this project has logged to MLflow"):
        generators.load(folder.as_uri())


@pytest.mark.parametrize("address", ["https://example.org/model", "s3://bucket/model", "dbfs:/model", "ftp://host/x",
                                     "mlflow-artifacts:/x"])
def test_models_from_elsewhere_are_not_asked_for(project: Path, address: str) -> None:
    with pytest.raises(InputError, match="expected models:/"):
        command("sample", address, "never.png")


def mlflow_command(*words: str | int, **options: Any) -> "subprocess.Popen[str]":
    """`mlflow models` in a process of its own, without pickle and in this environment."""
    command = [sys.executable, "-m", "mlflow", "models", *map(str, words), "--env-manager", "local"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(command, text=True, env=environment, **options)


@pytest.mark.slow
def test_mlflow_models_predict_answers_from_a_file(project: Path) -> None:
    Path("asked.csv").write_text("seed\n7\n8\n")
    address = addresses(project)["guidelines-28"]
    done = mlflow_command("predict", "-m", address, "-i", "asked.csv", "-t", "csv", "-o", "answer.json")
    assert done.wait(120) == 0
    answer = json.loads(Path("answer.json").read_text())["predictions"]
    assert close(answer, drawn(made_up.model(project / "guidelines-28", "guidelines-28", 0.25), [7, 8], []))


@pytest.mark.slow
def test_mlflow_models_serve_answers_over_http(project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = addresses(project)["paper-mnist"]
    with open("server.log", "w") as log:
        server = mlflow_command("serve", "-m", address, "-p", port, stdout=log, stderr=log, start_new_session=True)
    try:
        wait(f"http://127.0.0.1:{port}/ping", server)
        records = [{"seed": seed, "label": 3} for seed in (7, 8, 9)]
        answer = ask(port, {"dataframe_records": records})["predictions"]
        assert close(answer, drawn(made_up.model(project / "paper-mnist"), [7, 8, 9], [3] * 3))
        z = sampling.prior(made_up.model(project / "paper-mnist").network, 1, torch.Generator().manual_seed(7))
        assert close(ask(port, {"dataframe_records": [{"z": z[0].tolist(), "label": 3}]})["predictions"],
                     np.asarray(answer[:1]))
        with pytest.raises(urllib.error.HTTPError) as error:
            ask(port, {"dataframe_records": [{"label": 3}]})
        assert error.value.code == 400 and "every row needs a seed, or z" in error.value.read().decode()
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def ask(port: int, question: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", json.dumps(question).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.load(response)
        return found


def wait(url: str, server: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(Path("server.log").read_text())
