"""Devices and precision: what is chosen, what is refused."""
import pytest
import torch

from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.sections import Hardware


def test_a_device_this_machine_has_not_got_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"hardware\.device = 'cuda': this machine has .*cpu"):
        devices.choose(Hardware(device="cuda", precision="auto"))


@pytest.mark.parametrize(("capabilities", "dtype"), [
    ({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)])
def test_precision_follows_the_hardware(
        monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert devices.choose(Hardware(device="cpu", precision="auto")).dtype == dtype
    assert devices.choose(Hardware(device="cpu", precision="fp32")).dtype == torch.float32
    if dtype == torch.float32:
        with pytest.raises(InputError, match="no bfloat16 arithmetic; take auto or fp32"):
            devices.choose(Hardware(device="cpu", precision="bf16"))


def test_auto_prefers_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: not including_emulation)
    chosen = devices.choose(Hardware(device="auto", precision="auto"))
    assert chosen.device.type == "cuda" and chosen.dtype == torch.bfloat16


def test_autocast_changes_the_precision_of_products_only_where_asked() -> None:
    x = torch.ones(2, 2)
    for dtype in (torch.float32, torch.bfloat16):
        with devices.Device(torch.device("cpu"), dtype).autocast():
            assert (x @ x).dtype == dtype
