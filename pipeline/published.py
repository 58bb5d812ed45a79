"""The DCGAN authors' own trained networks (Newmu/dcgan_code, MIT licence), as models of this project.

They are NumPy arrays, one for each parameter, numbered in the order of the layers. Each is known by its digest.
"""
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import files, folders
from pipeline.data import sources
from pipeline.errors import InputError, suggestion
from pipeline.gan import checkpoint, literature, theano
from pipeline.gan.build import Stack, build

ADDRESS = "published:"
BASE = "https://raw.githubusercontent.com/Newmu/dcgan_code/ee12b2d15a3856794b8dae77d1eb263c67c36e47/"
LICENCE = {"LICENSE": "e89eb1f8c4719d0bbaf46e87a0718f33ba9a1016"}
HOLDER = "MIT, Copyright (c) 2015 Alec Radford"
LEAK = 0.2  # of all their networks: lib/activations.py


@dataclass(frozen=True)
class Published:
    """A pair of networks: the folder of its arrays, their digests, and what is known of its training.

    Files are called by the network's prefix and their numbers, from 01 on.
    """
    network: str
    folder: str
    facts: dict[str, Any]
    prefix_D: str
    D: list[str]
    prefix_G: str = ""
    G: list[str] = field(default_factory=list)

    def names(self, net: str) -> list[str]:
        """The names of the files of net G or D."""
        prefix, digests = (self.prefix_D, self.D) if net == "D" else (self.prefix_G, self.G)
        return [f"{prefix}{number:02}.npy" for number in range(1, len(digests) + 1)]

    @property
    def digests(self) -> dict[str, str]:
        """All files' digests, those of D first."""
        return dict(zip(self.names("D") + self.names("G"), self.D + self.G))


PUBLISHED = {
    "radford-svhn": Published(
        "paper-svhn", "models/svhn_unsup_all_conv_dcgan_100z_gaussian_lr_0.0005_64mb/",
        {"trained_on": "SVHN", "trained": "200 epochs", "run": {"batch": 64, "lr": 0.0005}}, "200_discrim_params.jl_",
        D=["fe9ef3d815b106df988ec6f384a79ae68df27a214c11ada52b94548f4666b15f",
           "f62c228d2e9ec48b7a07d191317a5c166129a8e94363c3c546f59509cc29e521",
           "b7ea7698a743162669e127a318b36aea2a870673fac7437790c8c1f31b61ba55",
           "2c7fce37952dd6d97bc2562dc6a1ae3f49ec7a542b3e857b903c011762b1a3a1",
           "fa49601f77caf68f96feaf5b00fbc6911dfaa519b8d977228250d94a85a38def",
           "8bd21e1b7680fbae4250857acbc20c55e8811a6376f54a3a7d7d11a7103ad87e",
           "54301f539d66a982c7ab3af63ba27c74d80d0754c54689a6999b771e80dc2458",
           "f7879fd5d2b11bd8357d49cf2d19e1af1186697b9b3fe22e18cba002de8e1cc8"],
        prefix_G="200_gen_params.jl_",
        G=["cacd8360e5136c0ceb8e3c017def718a7594981e6a3f34465fa6c2b2973742dd",
           "6500206f4111fa55268a5e085dfc488c5d2d6fe08e0e02d27f2da8a8df8c7258",
           "c60cb9debdd10d9342902e738ce24efcaf4e0fa7e2ae627a21ef3c14bd273d1c",
           "b85a72eb6a59ca992aaf307c6e0121d8a7e4c275ff4a2245bbdda4f4f2b0e73b",
           "e596406e94bffafc81b9e82f800e534946c649a797b7a3bcebd52a3162c51b66",
           "57d01373b2486dff0842f3b7d773b1669a5a37f747607489c33bdfbffca0dac9",
           "d7d990c947cab6d69d5fe58815a2745555d483904dbc3a6b2a4f9cf46e6cc036",
           "ae4305183f00587b90c93dd029286134fd0641c15dacf27c399b604785234e5a",
           "9dfe6f3d935db266740e80d0cd6d6a60f6295dbe26758bcebc3bdadf2ed42809",
           "589c30bc64267424d1eee606de0ca7a00a1435b4b0e590523dd8989399971fdf"]),
    # Its G has been published too, but no digests of it are known here.
    "radford-imagenet32": Published(
        "paper-imagenet32", "models/imagenet_gan_pretrain_128f_relu_lrelu_7l_3x3_256z/",
        {"trained_on": "ImageNet, 32x32", "trained": "30 epochs"}, "30_discrim_params.jl_",
        D=["f90d162c427747332e1f84e55179777971cd38faf04012b644040cd8c9dba9ac",
           "71a217a8d1456e914eca7a60a8bfe776d0e94a951ff1e903b085d06d7295c839",
           "42e586d7689afe6fa246e559007a79d17c74a71ccb00e82bbd1bef92452945df",
           "c96bfdaf557584a011522f1a3550ddecc37242254082003fd86e552c810cac02",
           "7cd50047eecc15f50c44965aa97774e90be428a33dc7b36277e80998340649f1",
           "017620285a9d6d025d2e28a91622e224b7c98213f83f742460d6157a078d0e6a",
           "3d738403270b7d27c88eff9a500b2327b63d8faae66a313e3060f2e27d6a9b02",
           "829d42e90ddf0884a743c587196ee059407300f78d018da78a12c9ae1fe91d80",
           "d59a1cfd4fc2291cd57a3dcd84ba7381050d422f01c5058f7819df3ff5db6d88",
           "f8017956ece953a192b1075fd8ebe710771bb071165797f34fc94322e3773d2d",
           "0642725aad9368c013e5a9e87c5bc4a2f79c053d",
           "ac245a0bfcb6eca75188335f38ce0225ea2110c80dcd67e87b42d1b9c46f9b68",
           "937b1e4fea0f4c9316dae1b0e0a8d1475ad67383bd9968252102de87e1c94afe",
           "5837e827793efc86e9db1ec515f56cc0bd12b0ed",
           "ede3817fc30e91ef2cecb506de021c7aa5331eb48a3b2163b0deb1c33534c40d",
           "309501dddf9391a1ac39479dfcb34034cfa59390153890d64a2f8baf5e2be2d9",
           "8051786943cc5d2a04bb8301a0ae8cf530076672f90a01b89b48fe6fb329cb37"]),
}


def model(address: str) -> Path:
    """The folder of the model at `address`, which is published:NAME; it is brought if it is not there, or damaged."""
    name = known(address.removeprefix(ADDRESS))
    try:
        checkpoint.load_discriminator(folder(name))
    except InputError:
        bring(name)
    return folder(name)


def known(name: str) -> str:
    """`name`; InputError when no model is called so."""
    if name not in PUBLISHED:
        raise InputError(f"no published model {name!r}{suggestion(name, PUBLISHED)}; there are {', '.join(PUBLISHED)}")
    return name


def folder(name: str) -> Path:
    """Where the model called `name` is once it has been brought."""
    return folders.repository() / "published" / name


def bring(name: str, directory: Path | None = None) -> None:
    """The model called `name` is in its folder; its arrays come from `directory`, if given, or from GitHub.

    Where arrays of D's last layers cannot be had, and no G is known, D has the layers before them; lines say so.
    InputError when there is no such model, or when too few arrays can be had.
    """
    one, raw = PUBLISHED[known(name)], folders.work("published", name)
    raw.mkdir(parents=True, exist_ok=True)
    trouble = _fetch(name, one.digests, one.folder, raw, directory)
    G, D = build(literature.network(one.network), LEAK, torch.Generator())
    there = [sources.valid(raw / file, digest) for file, digest in zip(one.names("D"), one.D)]
    layers = theano.layers_before(D, there)
    facts = {"network": {"name": one.network}, "leak": LEAK, "source": BASE + one.folder, "licence": HOLDER} | one.facts
    if trouble and (one.G or not layers):
        raise InputError(f"{trouble}. A way out: --from DIRECTORY, with the files that {BASE}{one.folder} has")
    if trouble:
        D = checkpoint.first_layers(D, layers)
        facts["layers"] = layers
        print(f"{trouble}\n{name}: D has its first {layers} layers, which can be probed", file=sys.stderr)
    content = {"discriminator": _filled(D, raw, one.names("D"))} | (
        {"generator": _filled(G, raw, one.names("G"))} if one.G else {})
    checkpoint.save(folder(name), content, facts)
    _licence(name, folder(name), raw, directory)


def _places(inside: str, directory: Path | None) -> list[tuple[str, sources.Source]]:
    """Where files are looked for: the user's folder, if there is one, then GitHub's `inside`."""
    here = [] if directory is None else [(f"directory {directory}", sources.local(directory))]
    return [*here, (BASE + inside, sources.mirror(BASE + inside))]


def _fetch(title: str, digests: dict[str, str], inside: str, raw: Path, directory: Path | None) -> str:
    """`raw` has the files before the first that cannot be had; returns which cannot, and why, or ''."""
    try:
        sources.bring(title, digests, raw, _places(inside, directory))
    except InputError as error:
        here = [raw] if directory is None else [raw, directory]
        missing = [file for file, digest in digests.items()
                   if not any(sources.valid(place / file, digest) for place in here)]
        return f"{error}. Missing: {', '.join(missing)}"
    return ""


def _filled(net: Stack, raw: Path, names: list[str]) -> bytes:
    """The weights of `net` from the first of the files, as many as it has parameters."""
    count = len(list(net.parameters()))
    theano.fill(net, [np.load(raw / name, allow_pickle=False) for name in names[:count]])
    return checkpoint.weights(net)


def _licence(name: str, model: Path, raw: Path, directory: Path | None) -> None:
    """The model's folder has the licence, if it can be had; a line says if not."""
    if _fetch(f"{name}'s licence", LICENCE, "", raw, directory):
        print(f"{name}: no source has its LICENSE; it is {HOLDER}", file=sys.stderr)
    for file in LICENCE:
        if (raw / file).exists():
            files.write(model / file, (raw / file).read_bytes())
