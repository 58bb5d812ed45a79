"""Who may join a study: nobody with other code or another precision, and nobody begins a second one by accident."""
from contextlib import closing
from pathlib import Path

import pytest
from optuna.trial import TrialState

from pipeline.errors import InputError
from pipeline.tuning import storages
from pipeline.tuning.storages import Storage
from tests.tuning.test_studies import ended, finish, new, take

CONDITIONS = {"space": "a", "code": "c0de", "dtype": "torch.float32"}


@pytest.fixture
def journal(tmp_path: Path) -> Storage:
    return storages.open_storage(None, tmp_path)


@pytest.mark.parametrize(("change", "said"), [
    ({"code": "0ther"}, "s is not finished and has code = c0de; this worker has 0ther"),
    ({"dtype": "torch.bfloat16"}, "has dtype = torch.float32; this worker has torch.bfloat16, .*hardware.precision")])
def test_other_code_or_precision_is_refused_while_somebody_works(
        journal: Storage, change: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another space is another study; and so is other code, once nobody works with the old: of one machine's files."""
    trial = take(journal, new(journal, "s", **CONDITIONS))
    with pytest.raises(InputError, match=said) as error:
        new(journal, "t", **CONDITIONS | change)
    assert "\n" not in str(error.value)
    new(journal, "u", **CONDITIONS | change | {"space": "b"})
    assert trial is not None
    trial.set_user_attr("process", ended())
    assert new(journal, "t", **CONDITIONS | change).get_trials() == []
    assert "search: begins a new study: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_databases_study_is_refused_until_it_is_finished(postgresql: str, tmp_path: Path) -> None:
    """Workers of other machines may come back to it at any time."""
    with closing(storages.open_storage(postgresql, tmp_path)) as storage:
        study = new(storage, "joined", **CONDITIONS)
        for left in (2, 1):
            trial = take(storage, study, 2)
            with pytest.raises(InputError, match="joined is not finished and has code = c0de; this worker has 0ther"):
                new(storage, "split", **CONDITIONS | {"code": "0ther"})
            finish(study, trial)
            if left == 2:
                with pytest.raises(InputError, match="joined is not finished"):
                    new(storage, "split", **CONDITIONS | {"code": "0ther"})
        assert new(storage, "split", **CONDITIONS | {"code": "0ther"}).get_trials() == []
        assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE] * 2
