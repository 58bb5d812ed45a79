"""Where networks run and in which precision, and what the process has to be told for it."""
import ctypes
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from pipeline.errors import InputError
from pipeline.sections import Hardware


@dataclass(frozen=True)
class Device:
    """A torch device and the dtype that convolutions and matrix products run in (parameters stay float32)."""
    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[None]:
        """Convolutions and matrix products run in `dtype` inside this context."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    @property
    def facts(self) -> dict[str, str | int]:
        """What decides, with code, data and parameters, about every bit of a result."""
        kind = self.device.type
        if kind != "mps":
            kind = torch.cuda.get_device_name() if kind == "cuda" else torch.cpu.get_capabilities()["cpu_name"]
        return {"device": kind, "dtype": str(self.dtype).removeprefix("torch."), "threads": torch.get_num_threads(),
                "torch": torch.__version__}


def choose(hardware: Hardware) -> Device:
    """The device and precision asked for; InputError when this machine has not got them."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = hardware.device
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"  # mps has not been tried
    if not available[name]:
        raise InputError(f"params.yaml: hardware.device = {name!r}: this machine has "
                         f"{', '.join(kind for kind in available if available[kind])}")
    fast = has_bf16(name)
    if hardware.precision == "bf16" and not fast:
        raise InputError(f"params.yaml: hardware.precision = 'bf16': this {name} has no bfloat16 arithmetic; "
                         "take auto or fp32")
    if name == "cpu":
        _keep_freed_memory()
    if name == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = hardware.precision != "fp32"
    bf16 = fast if hardware.precision == "auto" else hardware.precision == "bf16"
    return Device(torch.device(name), torch.bfloat16 if bf16 else torch.float32)


def has_bf16(kind: str) -> bool:
    """Whether products in bfloat16 are faster than in float32 on this machine's `kind` of device."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return kind == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _keep_freed_memory() -> None:
    """Tells glibc to keep what is freed: a training step returns its maps to the system and faults them in again,
    which costs up to a third of its time. Elsewhere nothing happens.
    """
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # <malloc.h>
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
