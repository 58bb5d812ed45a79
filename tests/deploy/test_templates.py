"""The templates of deploy/: they name commands, options, files and variables that exist; the script does as it says."""
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import __main__ as cli
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
OTHERS = {"PGPASSWORD", "OMP_NUM_THREADS", "MLFLOW_TRACKING_URI"}  # read by psycopg, PyTorch and MLflow


def read(name: str) -> Any:
    return YAML(typ="safe").load((DEPLOY / name).read_text())


def ours() -> set[str]:
    """The environment variables that the pipeline reads by a name of its own."""
    return {name for path in (ROOT / "pipeline").rglob("*.py")
            for name in re.findall(r'"(DCGAN_\w+)"', path.read_text())}


def check(words: list[str]) -> None:
    """The command exists and takes these words."""
    if words[0] == "mlflow":
        import mlflow.cli
        mlflow.cli.cli.commands["server"].make_context("server", words[2:], resilient_parsing=False)
    else:
        assert words[0] == "dcgan"
        cli.parser().parse_args(words[1:])


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_the_composition_runs_commands_that_exist_with_variables_that_are_read() -> None:
    found = read("compose.yaml")
    for name in ("mlflow", "dashboard", "worker"):
        service = found["services"][name]
        if command := service.get("command"):
            check(shlex.split(command))
        assert set(service["environment"]) <= ours() | OTHERS and "DCGAN_STORAGE" in service["environment"]
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).resolve().exists()
        assert set(service["depends_on"]) <= set(found["services"])
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(found["volumes"])
    assert {one["source"] for one in found["services"]["database"]["configs"]} <= set(found["configs"])
    uri = found["services"]["worker"]["environment"]["MLFLOW_TRACKING_URI"]
    assert uri.removeprefix("http://") in found["services"]["mlflow"]["command"]  # else MLflow refuses the host's name


def test_the_composition_is_one_for_docker(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = os.environ | {"PGPASSWORD": "s3cret"}
    subprocess.run([docker, "compose", "-f", DEPLOY / "compose.yaml", "config"], check=True, env=environment,
                   capture_output=True)
    environment.pop("PGPASSWORD")
    refused = subprocess.run([docker, "compose", "-f", DEPLOY / "compose.yaml", "config"], env=environment,
                             capture_output=True, text=True)
    assert refused.returncode and "a password for the database" in refused.stderr


def test_the_image_has_all_that_a_worker_needs() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {word.rstrip("/") for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for word in line.split()}
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    assert copied == allowed and all((ROOT / name).exists() for name in copied)
    for words in re.findall(r"dcgan \w+", text.split("CMD")[1]):
        check(words.split())
    extras = (ROOT / "setup.cfg").read_text().split("[options.extras_require]")[1]
    assert all(f"\n{name} =" in extras for name in re.findall(r"\.\[(.*)\]", text)[0].split(","))


def test_the_job_starts_workers_and_forgives_evictions() -> None:
    job = read("job.yaml")["spec"]
    assert job["completionMode"] == "Indexed" and job["completions"] == job["parallelism"]
    assert job["podFailurePolicy"]["rules"][0]["onPodConditions"] == [{"type": "DisruptionTarget"}]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # which a podFailurePolicy asks for
    worker, = pod["containers"]
    assert "command" not in worker and {one["name"] for one in worker["env"]} <= OTHERS
    named = set(re.findall(r"[A-Z]+_[A-Z_]+|PGPASSWORD", (DEPLOY / "job.yaml").read_text()))
    assert {name for name in named if name.startswith("DCGAN_")} == {"DCGAN_STORAGE", "DCGAN_ARTIFACTS"} <= ours()


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A project on a cluster whose programs write down what they are told; srun ends with the status in `status`."""
    (tmp_path / "bin").mkdir()
    for name in ("srun", "scontrol"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/bash\necho {name} "$@" "$DCGAN_STORAGE" "$DCGAN_ARTIFACTS" "$OMP_NUM_THREADS" '
                           f'>> {tmp_path}/told\n' + (f"exit $(cat {tmp_path}/status)\n" if name == "srun" else ""))
        program.chmod(0o755)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text("")
    return tmp_path


def run(cluster: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script as Slurm does: a copy of it, somewhere else."""
    base = {"PATH": f"{cluster / 'bin'}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(cluster), "SLURM_JOB_ID": "77",
            "SLURM_CPUS_PER_TASK": "4", "SLURM_ARRAY_TASK_ID": "1"}
    return subprocess.run(["bash", DEPLOY / "worker.sbatch"], cwd="/", env=base | environment, capture_output=True,
                          text=True)


@pytest.mark.parametrize(("status", "again"), [(0, False), (1, False), (143, True)])
def test_a_worker_that_was_told_to_stop_queues_again(cluster: Path, status: int, again: bool) -> None:
    (cluster / "status").write_text(str(status))
    result = run(cluster, DCGAN_STORAGE="postgresql+psycopg://u@h/d")
    told = (cluster / "told").read_text().splitlines()
    assert result.returncode == status and result.stderr == ""
    assert told[0] == f"srun dcgan search postgresql+psycopg://u@h/d {cluster}/optuna_artifacts 4"
    check(told[0].split()[1:3])
    assert [line.split()[:3] for line in told[1:]] == ([["scontrol", "requeue", "77"]] if again else [])


def test_a_worker_without_a_storage_says_so(cluster: Path) -> None:
    result = run(cluster)
    assert result.returncode and "DCGAN_STORAGE: postgresql+psycopg://user@host/database" in result.stderr
    assert not (cluster / "told").exists()


def test_slurm_is_asked_for_what_a_worker_that_can_be_stopped_needs() -> None:
    lines = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", (DEPLOY / "worker.sbatch").read_text(), re.M)
    options = dict(lines)
    assert len(lines) == (DEPLOY / "worker.sbatch").read_text().count("#SBATCH")
    assert options["signal"] == "TERM@60" and {"requeue", "array", "cpus-per-task", "time", "output"} <= options.keys()
    assert options["open-mode"] == "append"
