"""Training states that can be resumed exactly, and trained models as files that hold no code."""
import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn

from pipeline import files
from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.gan.networks import Network
from pipeline.gan.updates import State
from pipeline.params.sections import Sampling


def save_state(path: Path, state: State, notes: Any) -> None:
    """Writes `state` and `notes` (numbers, strings, lists, dicts) to `path`, whole or not at all."""
    content = {
        "G": state.G.state_dict(), "D": state.D.state_dict(),
        "optimiser_G": state.optimiser_G.state_dict(), "optimiser_D": state.optimiser_D.state_dict(),
        "generator": state.generator.get_state(), "images_seen": state.images_seen, "notes": notes}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    files.write(path, buffer.getvalue())


def load_state(path: Path, state: State) -> Any:
    """Brings `state` to what was saved in `path`, and returns the notes."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    state.G.load_state_dict(content["G"])
    state.D.load_state_dict(content["D"])
    state.optimiser_G.load_state_dict(content["optimiser_G"])
    state.optimiser_D.load_state_dict(content["optimiser_D"])
    state.generator.set_state(content["generator"])
    state.images_seen = content["images_seen"]
    return content["notes"]


@dataclass(frozen=True)
class Model:
    """A trained pair in eval mode on the CPU, its architecture, and what model.json says about it."""
    G: Stack
    D: Stack
    network: Network
    facts: dict[str, Any]

    @property
    def sampling(self) -> Sampling:
        """The batch-norm statistics that its training was scored with."""
        train = self.facts.get("train", {})
        return Sampling(**{key.name: train[key.name] for key in fields(Sampling) if key.name in train})

    @property
    def digest(self) -> str:
        """SHA-256 of the generator's file, by which MLflow's run of its training is found."""
        return self.facts["sha256"]["generator.safetensors"]


def save_model(folder: Path, G: nn.Module, D: nn.Module, facts: dict[str, Any]) -> str:
    """Writes both networks and model.json, which holds `facts`; returns the generator's digest.

    Among the facts are `network`, the arguments of `literature.network`, and `leak`.
    """
    with files.replacing(folder) as temporary:
        for name, net in (("generator", G), ("discriminator", D)):
            tensors = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
            files.write(temporary / f"{name}.safetensors", to_safetensors(tensors))
        digests = {f"{name}.safetensors": files.sha256(temporary / f"{name}.safetensors")
                   for name in ("discriminator", "generator")}
        files.write(temporary / "model.json", (json.dumps(facts | {"sha256": digests}, indent=2) + "\n").encode())
    return digests["generator.safetensors"]


def _described(folder: Path, facts: dict[str, Any]) -> tuple[Network, tuple[Stack, Stack]]:
    try:
        network = literature.network(**facts["network"])
        return network, build(network, facts["leak"], torch.Generator())
    except InputError as error:
        raise InputError(f"{folder / 'model.json'}: {error}") from None


def load_model(folder: Path, data: str = "") -> Model:
    """The model in `folder`; InputError when a file is missing, damaged or of another network.

    Or when it was trained on other data than those with the digest `data`, if that is given.
    """
    try:
        facts = json.loads((folder / "model.json").read_text())
        network, (G, D) = _described(folder, facts)
        for name, net in (("generator", G), ("discriminator", D)):
            content = (folder / f"{name}.safetensors").read_bytes()
            if files.sha256(folder / f"{name}.safetensors") != facts["sha256"][f"{name}.safetensors"]:
                raise InputError(f"{folder / name}.safetensors: {len(content):,} bytes that are not those model.json "
                                 "names; the file is damaged: delete it and run `dvc checkout` or `dvc repro`")
            net.load_state_dict(from_safetensors(content))
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: not found; run `dvc repro` to train it") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a model of this project ({str(error).splitlines()[0]})") from None
    if data and facts["data"] != data:
        raise InputError(f"{folder}: trained on data {facts['data'][:12]}…, expected {data[:12]}…, those of the study; "
                         "run `dvc repro`")
    return Model(G.eval(), D.eval(), network, facts)
