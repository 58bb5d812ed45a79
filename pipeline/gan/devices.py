"""Where networks run and in which precision, and how the process is set up for it."""
import ctypes
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from filelock import FileLock

from pipeline import files, folders, records
from pipeline.errors import InputError
from pipeline.gan import parallel
from pipeline.gan.fast import switch
from pipeline.params.sections import Hardware


@dataclass(frozen=True)
class Device:
    """A torch device, the dtype that convolutions and matrix products run in (parameters stay float32), and whether
    the quicker of two equal ways is taken.
    """
    device: torch.device
    dtype: torch.dtype
    fast: bool

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Forward passes inside this context run in `dtype`, the `fast` way or the plain one."""
        low = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=low), switch.switched(self.fast):
            yield

    @property
    def facts(self) -> dict[str, str | int]:
        """What decides, with code, data and parameters, about every bit of a result."""
        kind = self.device.type
        if kind != "mps":
            kind = torch.cuda.get_device_name() if kind == "cuda" else torch.cpu.get_capabilities()["cpu_name"]
        return {"device": kind, "dtype": str(self.dtype).removeprefix("torch."), "fast": self.fast,
                "threads": torch.get_num_threads(), "torch": torch.__version__,
                **({"processes": parallel.count()} if parallel.count() > 1 else {})}


def choose(hardware: Hardware) -> Device:
    """The device and precision of section hardware; InputError when this machine does not have them."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = hardware.device
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"  # mps has not been tried
    if not available[name]:
        raise InputError(f"params.yaml: hardware.device = {name!r}: this machine has "
                         f"{', '.join(kind for kind in available if available[kind])}")
    if hardware.precision == "bf16" and not has_bf16(name):
        raise InputError(f"params.yaml: hardware.precision = 'bf16': this {name} has no bfloat16 arithmetic; "
                         "take auto or fp32")
    if name == "cpu":
        _keep_freed_memory()
    if name == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = hardware.precision != "fp32"
    bf16 = hardware.precision == "bf16" or (hardware.precision == "auto" and has_bf16(name)
                                            and (name != "cpu" or bf16_is_faster()))
    return Device(torch.device(name), torch.bfloat16 if bf16 else torch.float32, hardware.fast)


def has_bf16(kind: str) -> bool:
    """Whether this machine's `kind` of device multiplies in bfloat16 without emulating it."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return kind == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def bf16_is_faster() -> bool:
    """Whether matrix products on this CPU are faster in bfloat16 than in float32, by at least a third.

    Measured once for each kind of CPU and version of PyTorch, and kept in the repository's scratch folder, because a
    second measurement might decide otherwise about the bits of a result.
    """
    kind = json.dumps([torch.__version__, torch.cpu.get_capabilities()], sort_keys=True, default=str)
    known = folders.work("precision", f"{hashlib.sha256(kind.encode()).hexdigest()[:16]}.json")
    if not known.exists():
        known.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(known.with_suffix(".lock")):  # of processes that start together one measures
            if not known.exists():
                _measure(known)
    measured = records.read(known, dict[Literal["fp32_seconds", "bf16_seconds"], float], f"delete {known.parent}")
    return bool(measured["fp32_seconds"] > 4 / 3 * measured["bf16_seconds"])


def _measure(known: Path) -> None:
    """Writes to `known` how many seconds a product takes in either precision, at best."""
    seconds: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(5):
        for dtype, seen in seconds.items():
            x = torch.ones(768, 768, dtype=dtype)
            begin = time.perf_counter()
            x @ x
            seen.append(time.perf_counter() - begin)
    fp32, bf16 = (min(seen) for seen in seconds.values())
    files.write(known, json.dumps({"fp32_seconds": fp32, "bf16_seconds": bf16}).encode() + b"\n")


def _keep_freed_memory() -> None:
    """Tells glibc to keep what is freed: a training step returns its maps to the system and faults them in again,
    which costs up to a third of its time. Elsewhere nothing happens.
    """
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # <malloc.h>
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
