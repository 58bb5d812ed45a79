"""Two processes under torchrun do what one does with the same batch; what cannot be shared is refused."""
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import InputError
from pipeline.gan import parallel
from tests.conftest import Params, stage

# No dropout, whose masks differ; batch norm in both networks; 1400 images: the last batches of 40 and 20 divide.
STUDY = {"train.network": "guidelines-28", "train.width": 0.5, "train.images": 1400, "train.report_images": 200,
         "hardware.precision": "fp32", "runs.test4.batch": 60, "train.fid_images": 200}


def torchrun(*words: str | Path, processes: int = 2) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
                           str(processes), "-m", *map(str, words)],
                          text=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture
def digits(params: Params) -> Params:
    params(STUDY)
    for name in ("fetch", "reference"):
        result = stage(name)
        assert result.returncode == 0, result.stderr
    return params


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(digits: Params) -> None:
    trained = Path("reports/train/test4/seed0")
    together = torchrun("pipeline.train", "test4", "0")
    assert together.returncode == 0, together.stderr
    trained.rename("together")
    single = stage("train", "test4", "0")
    assert single.returncode == 0, single.stderr
    trained.rename("single")
    a, b = (pd.read_csv(f"{folder}/losses.csv") for folder in ("together", "single"))
    assert a.images_seen.tolist() == b.images_seen.tolist() and len(a) > 10
    first = a.images_seen <= 1400
    np.testing.assert_allclose(a[first], b[first], rtol=2e-3)  # later, what rounding moved apart has grown
    fid = [pd.read_csv(f"{folder}/fid.csv").iloc[0, 1] for folder in ("together", "single")]
    assert fid[0] == pytest.approx(fid[1], rel=0.02)
    assert not [*Path(".work/train").iterdir()]


@pytest.mark.slow
def test_a_batch_that_does_not_divide_is_one_line(digits: Params) -> None:
    digits(STUDY | {"runs.test4.batch": 45})
    refused = torchrun("pipeline.train", "test4", "0")
    assert refused.returncode != 0
    assert "train: a batch has 45 images, which do not divide among 2 processes" in refused.stderr
    assert not Path("models/test4").exists()


@pytest.mark.parametrize(("n", "batch", "total", "expected"), [
    (100, 1, 100, "2 processes share batches of 1"), (100, 15, 100, "a batch has 15 images"),
    (101, 20, 101, "the last batch of an epoch has 1 images"), (100, 20, 110 + 5, "the last batch has 15 images")])
def test_uneven_shares_are_refused(
        monkeypatch: pytest.MonkeyPatch, n: int, batch: int, total: int, expected: str) -> None:
    parallel.check(n, batch, total)  # for one process they are not
    monkeypatch.setattr(parallel, "count", lambda: 2)
    with pytest.raises(InputError, match=expected):
        parallel.check(n, batch, total)


def test_shares_are_all_rows_without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "count", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        parts.append(parallel.share(np.arange(10)))
    assert sorted(np.concatenate(parts)) == list(range(10)) and max(map(len, parts)) - min(map(len, parts)) <= 1


SYNCHRONISED = """
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from pipeline.gan import parallel
with parallel.group():
    for affine, dtype in ((True, torch.float32), (False, torch.float32), (True, torch.bfloat16)):
        x = {key: value.to(dtype) for key, value in load_file("x.safetensors").items()}
        norms = {"maps": nn.BatchNorm2d(3, affine=affine), "rows": nn.BatchNorm1d(5, affine=affine)}
        for name, plain in norms.items():
            if affine:
                plain.weight.data, plain.bias.data = x[name + "_weight"].float(), x[name + "_bias"].float()
            norm = parallel.SynchronisedBatchNorm.of(plain)
            mine = parallel.share(x[name]).clone().requires_grad_()
            y = norm(mine)
            (y * parallel.share(x[name + "_seed"])).sum().backward()
            out = {"y": y.detach(), "gradient": mine.grad, "mean": norm.running_mean, "var": norm.running_var}
            if affine:
                out |= {"weight": norm.weight.grad, "bias": norm.bias.grad}
            file = f"{name}{affine}{dtype}{parallel.rank()}.safetensors"
            save_file({key: value.contiguous() for key, value in out.items()}, file)
"""


@pytest.mark.slow
def test_synchronised_batch_norm_is_batch_norm_over_all_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    x: dict[str, Any] = {"maps": torch.randn(8, 3, 4, 4, generator=generator) * 3 + 1,
                         "rows": torch.randn(8, 5, generator=generator) - 2}
    seeds = {f"{key}_seed": torch.randn(value.shape, generator=generator) for key, value in x.items()}
    for key, value in x.copy().items():
        x |= {f"{key}_{name}": torch.randn(value.shape[1], generator=generator) + 1 for name in ("weight", "bias")}
    x |= seeds
    save_file(x, "x.safetensors")
    Path("synchronised.py").write_text(SYNCHRONISED)
    done = torchrun("synchronised")
    assert done.returncode == 0, done.stderr
    for affine, dtype in ((True, torch.float32), (False, torch.float32), (True, torch.bfloat16)):
        norms = {"maps": torch.nn.BatchNorm2d(3, affine=affine), "rows": torch.nn.BatchNorm1d(5, affine=affine)}
        rounded = {"rtol": 0.02, "atol": 0.1} if dtype == torch.bfloat16 else {}
        for name, norm in norms.items():
            if affine:
                norm.weight.data, norm.bias.data = x[f"{name}_weight"].clone(), x[f"{name}_bias"].clone()
            whole = x[name].clone().requires_grad_()
            y = norm(whole)
            (y * x[f"{name}_seed"]).sum().backward()
            shares = [load_file(f"{name}{affine}{dtype}{rank}.safetensors") for rank in range(2)]
            for key in ("weight", "bias") if affine else ():
                torch.testing.assert_close(shares[0][key] + shares[1][key], getattr(norm, key).grad, **rounded)
            for rank, found in enumerate(shares):
                assert found["y"].dtype == dtype
                expected = {"y": y.detach()[rank::2], "gradient": whole.grad[rank::2],
                            "mean": norm.running_mean, "var": norm.running_var}
                exact = {"y": {"rtol": 1e-5, "atol": 1e-6}, "gradient": {"rtol": 1e-4, "atol": 1e-6}}
                for key, value in expected.items():
                    torch.testing.assert_close(found[key].float(), value, **rounded or exact.get(key, {}))


@pytest.mark.parametrize(("environment", "expected"), [
    ({"WORLD_SIZE": "two"}, "WORLD_SIZE = 'two' in the environment: expected a number"),
    ({"WORLD_SIZE": ""}, "WORLD_SIZE = '' in the environment: expected a number"),
    ({"WORLD_SIZE": "2"}, "RANK = '' in the environment: expected a number"),
    ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_PORT = '' in the environment: expected a number"),
    ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": "1", "LOCAL_RANK": "0"}, "MASTER_ADDR expected")])
def test_an_environment_that_torchrun_would_not_make_is_one_line(
        monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=expected) as error, parallel.group():
        pass
    assert "\n" not in str(error.value)
