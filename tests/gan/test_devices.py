"""Devices and precision: what is chosen, what is refused."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.params.sections import Hardware
from tests.conftest import ROOT


def test_a_device_this_machine_has_not_got_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"hardware\.device = 'cuda': this machine has .*cpu"):
        devices.choose(Hardware(device="cuda", precision="auto", fast=True))


@pytest.mark.parametrize(("capabilities", "dtype"), [
    ({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)])
def test_precision_follows_the_hardware(
        monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(devices, "bf16_is_faster", lambda: True)
    assert devices.choose(Hardware(device="cpu", precision="auto", fast=True)).dtype == dtype
    assert devices.choose(Hardware(device="cpu", precision="fp32", fast=True)).dtype == torch.float32
    if dtype == torch.float32:
        with pytest.raises(InputError, match="no bfloat16 arithmetic; take auto or fp32"):
            devices.choose(Hardware(device="cpu", precision="bf16", fast=True))


def test_auto_prefers_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: not including_emulation)
    chosen = devices.choose(Hardware(device="auto", precision="auto", fast=True))
    assert chosen.device.type == "cuda" and chosen.dtype == torch.bfloat16


def test_autocast_changes_the_precision_of_products_only_where_asked() -> None:
    x = torch.ones(2, 2)
    for dtype in (torch.float32, torch.bfloat16):
        with devices.Device(torch.device("cpu"), dtype, fast=True).arithmetic():
            assert (x @ x).dtype == dtype


def test_auto_is_fp32_where_bf16_is_not_faster_but_bf16_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(devices, "bf16_is_faster", lambda: False)
    assert devices.choose(Hardware(device="cpu", precision="auto", fast=True)).dtype == torch.float32
    assert devices.choose(Hardware(device="cpu", precision="bf16", fast=True)).dtype == torch.bfloat16


def test_a_kind_of_cpu_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = devices.bf16_is_faster()
    known, = (tmp_path / ".work/precision").glob("*.json")
    measured = json.loads(known.read_text())
    assert first == (measured["fp32_seconds"] > 4 / 3 * measured["bf16_seconds"])
    known.write_text(json.dumps({"fp32_seconds": 1.0, "bf16_seconds": 2.0 if first else 0.5}))
    assert devices.bf16_is_faster() != first  # what is known is not measured again
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "another"})
    devices.bf16_is_faster()
    assert len([*known.parent.glob("*.json")]) == 2


@pytest.mark.slow
def test_processes_that_start_together_find_the_same(tmp_path: Path) -> None:
    code = "from pipeline.gan import devices; print(devices.bf16_is_faster())"
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
                                env=os.environ | {"PYTHONPATH": str(ROOT)}) for _ in range(3)]
    answers = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0] and len(set(answers)) == 1
