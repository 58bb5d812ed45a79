"""dcgan publish, from a study with a model to a clone that has it and trains nothing."""
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InputError
from tests.conftest import Params, command

DVC_YAML = """\
stages:
  train:
    cmd: python -c "open('model', 'w').write('weights')"
    outs:
      - model
"""


def ran(folder: Path, *words: str) -> str:
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_a_clone_pulls_what_was_published_and_trains_nothing(tmp_path: Path) -> None:
    """The repository's own study and one of studies/, each a DVC project of its own."""
    dvc = (sys.executable, "-m", "dvc")
    origin, copy, remote = (tmp_path / name for name in ("origin", "copy", "remote"))
    small = origin / "studies/small"
    small.mkdir(parents=True)
    ran(origin, "git", "init", "-q")
    for place, words in ((origin, ["init", "-q"]), (small, ["init", "-q", "--subdir"])):
        (place / "dvc.yaml").write_text(DVC_YAML)
        (place / ".gitignore").write_text("/model\n")
        ran(place, *dvc, *words)
        ran(place, *dvc, "repro")
    published = ran(origin, sys.executable, "-m", "pipeline", "publish", str(remote))
    assert "publish: this study: in " in published and "publish: studies/small: in " in published
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    ran(origin, "git", "add", "-A")
    ran(origin, "git", *identity, "commit", "-qm", "Results")
    ran(tmp_path, "git", "clone", "-q", str(origin), str(copy))
    for place in (copy, copy / "studies/small"):
        assert not (place / "model").exists()
        ran(place, *dvc, "pull", "-q")
        assert (place / "model").read_text() == "weights"
        assert "Running stage" not in ran(place, *dvc, "repro")


def test_what_cannot_be_published_is_one_line(params: Params, tmp_path: Path) -> None:
    for remote, message in (("elsewhere", "has no dvc.lock"), (" ", "no remote; expected a folder")):
        with pytest.raises(InputError, match=message):
            command("publish", remote)


@pytest.mark.slow
def test_a_remote_that_takes_nothing_is_one_line_after_dvcs_own(params: Params, tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").touch()  # but DVC was never told of this folder
    result = subprocess.run([sys.executable, "-m", "pipeline", "publish", "x"], capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr.splitlines()[-1].startswith("dcgan: publish: `dvc remote add")
