"""dcgan check: params.yaml is judged before DVC removes a result."""
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import folders
from pipeline.errors import InputError
from tests.conftest import ROOT, Params, command


def test_it_counts_the_trainings_or_names_what_is_wrong(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    command("check")
    assert capsys.readouterr().out == "params.yaml: 4 runs x 1 seeds on digits\n"
    params({"data.directory": "data/arrays/digits"})
    with pytest.raises(InputError, match="data.directory = 'data/arrays/digits': overlaps .* DVC deletes"):
        command("check")


def test_a_place_beside_what_stages_write_is_a_users_own(params: Params) -> None:
    for place in ("data/images", "data/mnist", "pictures", "../elsewhere", "/tmp/x.zip", "models.zip"):
        params({"data.directory": place})
        command("check")


def test_make_asks_before_dvc_runs() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "&& dvc repro" in line]
    assert len(lines) == 2 and all("dcgan check && dvc repro" in line for line in lines)


def test_dvc_deletes_only_what_the_check_knows_of() -> None:
    """DVC removes every output before its stage runs."""
    outputs = []
    for stage in YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"].values():
        made = stage.get("do", stage)
        for kind in ("outs", "plots", "metrics"):
            outputs += [next(iter(one)) if isinstance(one, dict) else one for one in made.get(kind, [])]
    assert str(folders.data("${data.name}")) in outputs and len(outputs) > 10
    assert all(any(Path(one).is_relative_to(place) for place in folders.WRITTEN) for one in outputs)
