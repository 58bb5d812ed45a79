"""Room is asked for before it is needed."""
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from pipeline import room
from pipeline.errors import InputError
from pipeline.gan import literature, sampling


def test_what_does_not_fit_is_said_with_both_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room.on_disk(tmp_path / "not" / "there", 1)
    with pytest.raises(InputError, match="there: needs 1e.12 GB of disk, .* GB are free"):
        room.on_disk(tmp_path / "not" / "there", 10**21)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=24 * 10**9))
    room.in_memory("samples", 24 * 10**9)
    with pytest.raises(InputError, match="samples: needs 40 GB of memory, 24 GB are free"):
        room.in_memory("samples", 40 * 10**9)


def test_so_many_samples_are_refused_before_their_z_are_drawn() -> None:
    with pytest.raises(InputError, match="1,000,000,000,000 images: needs .* GB of memory"):
        sampling.prior(literature.network("slides"), 10**12, torch.Generator())
