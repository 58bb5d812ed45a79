"""Training states that can be resumed exactly, and trained models as files that hold no code."""
import hashlib
import io
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NotRequired

import torch
from pydantic import ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn
from typing_extensions import TypedDict  # pydantic needs it below Python 3.12

from pipeline import files, records
from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.gan.networks import Network
from pipeline.gan.updates import State
from pipeline.params.sections import Sampling

SEAL = 32  # bytes of SHA-256 before a state, which tell a whole one from a damaged one


def save_state(path: Path, state: State, notes: Any) -> None:
    """Writes `state` and `notes` (numbers, strings, lists, dicts) to `path` behind a digest, whole or not at all."""
    content = {
        "of": _of(state), "G": state.G.state_dict(), "D": state.D.state_dict(),
        "optimiser_G": state.optimiser_G.state_dict(), "optimiser_D": state.optimiser_D.state_dict(),
        "generator": state.generator.get_state(), "images_seen": state.images_seen, "notes": notes}
    if state.average is not None:
        content["average"] = state.average.state_dict()
    buffer = io.BytesIO()
    torch.save(content, buffer)
    files.write(path, hashlib.sha256(buffer.getbuffer()).digest() + buffer.getvalue())


def load_state(path: Path, state: State) -> Any:
    """Brings `state` to what was saved in `path`, and returns the notes.

    InputError when the file is damaged or of another network or run; `state` is as it was then.
    """
    sealed = files.read(path)
    if hashlib.sha256(sealed[SEAL:]).digest() != sealed[:SEAL]:
        raise InputError(f"{path}: the checkpoint is damaged ({len(sealed):,} bytes)")
    content = torch.load(io.BytesIO(sealed[SEAL:]), map_location="cpu", weights_only=True)
    if content["of"] != _of(state):
        raise InputError(f"{path}: the checkpoint of another network or run")
    state.G.load_state_dict(content["G"])
    state.D.load_state_dict(content["D"])
    state.optimiser_G.load_state_dict(content["optimiser_G"])
    state.optimiser_D.load_state_dict(content["optimiser_D"])
    state.generator.set_state(content["generator"])
    state.images_seen = content["images_seen"]
    if state.average is not None:
        state.average.load_state_dict(content["average"])
    return content["notes"]


def _of(state: State) -> str:
    """Whose state it is."""
    return f"{state.network} {state.run}"


FURTHER = ("ema", "best")  # the average of G's weights, and the generator with the smallest distance on the curve


class Described(TypedDict):
    """The arguments of `literature.network`."""
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    name: str
    width: NotRequired[Annotated[float, Field(gt=0, le=4)]]
    violate: NotRequired[list[str]]


class ModelFacts(TypedDict):
    """What model.json has at least; `sha256` are digests of the files beside it.

    `layers` is how many of D's convolutions there are, if not all. Without a digest of G there is none.
    """
    network: Described
    leak: Annotated[float, Field(ge=0, lt=1)]
    sha256: dict[str, str]
    layers: NotRequired[Annotated[int, Field(ge=1)]]
    seed: NotRequired[Annotated[int, Field(ge=0)]]
    data: NotRequired[str]
    run: NotRequired[dict[str, Any]]
    train: NotRequired[dict[str, Any]]


@dataclass(frozen=True)
class Model:
    """A trained pair in eval mode on the CPU, its architecture, and what model.json says about it.

    `others` are further generators of the same training, by their names in FURTHER.
    """
    G: Stack
    D: Stack
    network: Network
    facts: dict[str, Any]
    others: dict[str, Stack] = field(default_factory=dict)

    @property
    def sampling(self) -> Sampling:
        """The batch-norm statistics that its training was scored with."""
        train = self.facts.get("train", {})
        return Sampling(**{key.name: train[key.name] for key in fields(Sampling) if key.name in train})

    @property
    def digest(self) -> str:
        """SHA-256 of the generator's file, by which MLflow's run of its training is found."""
        return self.facts["sha256"]["generator.safetensors"]


def save_model(folder: Path, G: nn.Module, D: nn.Module, facts: dict[str, Any],
               others: dict[str, bytes] | None = None) -> str:
    """Writes both networks and model.json, which holds `facts`; returns the generator's digest.

    Among the facts are `network`, the arguments of `literature.network`, and `leak`. `others` are further generators,
    by their names in FURTHER, as `weights` has them.
    """
    return save(folder, {"discriminator": weights(D), "generator": weights(G)} | (others or {}),
                facts)["generator.safetensors"]


def save(folder: Path, content: dict[str, bytes], facts: dict[str, Any]) -> dict[str, str]:
    """Writes networks, by name, as `weights` has them, and model.json; returns their digests by the files' names."""
    with files.replacing(folder) as temporary:
        for name, tensors in content.items():
            files.write(temporary / f"{name}.safetensors", tensors)
        digests = {f"{name}.safetensors": files.sha256(temporary / f"{name}.safetensors") for name in content}
        files.write(temporary / "model.json", (json.dumps(facts | {"sha256": digests}, indent=2) + "\n").encode())
    return digests


def weights(net: nn.Module) -> bytes:
    """The weights and buffers of `net` in the format of safetensors."""
    return to_safetensors({key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()})


def load_model(folder: Path, data: str = "") -> Model:
    """The model in `folder`; InputError when a file is missing, damaged or of another network.

    Or when it was trained on other data than those with the digest `data`, if that is given.
    """
    facts = records.read(folder / "model.json", ModelFacts, "run `dvc repro` to train it")
    if {*facts["sha256"]} == {"discriminator.safetensors"}:
        raise InputError(f"{folder}: has a discriminator only, which can be probed (`transfers` in params.yaml); "
                         "expected a generator too")
    network, nets = _described(folder, facts)
    nets |= {name: _described(folder, facts)[1]["generator"] for name in FURTHER
             if f"{name}.safetensors" in facts["sha256"]}
    _fill(folder, nets, facts)
    if data and facts.get("data") != data:
        raise InputError(f"{folder}: trained on data {str(facts.get('data'))[:12]}…, expected {data[:12]}…, those of "
                         "the study; run `dvc repro`")
    G, D = nets.pop("generator"), nets.pop("discriminator")
    return Model(G, D, network, facts, nets)


def load_discriminator(folder: Path) -> tuple[Stack, Network, dict[str, Any]]:
    """D in eval mode, its network, and what model.json says; D has fewer layers where that has `layers`.

    InputError as `load_model` raises it.
    """
    facts = records.read(folder / "model.json", ModelFacts, "run `dvc repro` to train it")
    network, nets = _described(folder, facts)
    D = nets["discriminator"]
    if "layers" in facts:
        D = first_layers(D, facts["layers"])
    _fill(folder, {"discriminator": D}, facts)
    return D, network, facts


def first_layers(D: Stack, count: int) -> Stack:
    """D up to the activation behind its convolution number `count`."""
    activations = [place for place, module in enumerate(D) if isinstance(module, nn.LeakyReLU | nn.ReLU)]
    return Stack(*list(D)[:activations[count - 1] + 1])


def _described(folder: Path, facts: dict[str, Any]) -> tuple[Network, dict[str, Stack]]:
    """The network, and its untrained generator and discriminator by the names of their files."""
    try:
        network = literature.network(**facts["network"])
        return network, dict(zip(("generator", "discriminator"), build(network, facts["leak"], torch.Generator())))
    except InputError as error:
        raise InputError(f"{folder / 'model.json'}: {error}") from None


def _fill(folder: Path, nets: dict[str, Stack], facts: dict[str, Any]) -> None:
    """Fills `nets`, by the names of their files, in eval mode; InputError when a file is missing or damaged."""
    try:
        for name, net in nets.items():
            content = (folder / f"{name}.safetensors").read_bytes()
            if files.sha256(folder / f"{name}.safetensors") != facts["sha256"][f"{name}.safetensors"]:
                raise InputError(f"{folder / name}.safetensors: {len(content):,} bytes that are not those model.json "
                                 "names; the file is damaged: delete it and run `dvc checkout` or `dvc repro`")
            net.load_state_dict(from_safetensors(content))
            net.eval()
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: not found; run `dvc repro` to train it") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a model of this project ({str(error).splitlines()[0]})") from None
