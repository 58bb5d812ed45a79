"""Which pictures of a source are for training and which for testing, of which classes, and in which order.

    {train,test}/<class>/**   or   <class>/**   or   {train,test}/*   or   *      all of it in another folder or not

Without a folder test, one called val, valid or validation is the test split; without either, a share of every class is
held out. The same pictures give the same answer whatever holds them. Every split is shuffled once and for all: later
stages take its first images for a sample of it.
"""
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.data.images import label_type
from pipeline.data.pictures.containers import Member
from pipeline.data.pictures.contents import Contents, Folder
from pipeline.errors import InputError

MOST_CLASSES = 1 << 16
UNLABELLED = "unlabelled"
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test",
          "val": "val", "valid": "val", "validation": "val"}
SEED = 0


class Split(NamedTuple):
    """Pictures in the order in which they are stored, and their labels (n,), uint8 or uint16."""
    members: list[Member]
    labels: np.ndarray


class Layout(NamedTuple):
    """Classes in the order of their labels, and the splits train and test."""
    classes: list[str]
    splits: dict[str, Split]


def arrange(source: Path, found: Contents, share: float) -> Layout:
    """Splits, labels and shuffles what was `found` in `source`; `share` of every class is held out if need be.

    InputError when classes or splits are not clear.
    """
    homes = {_folder(member) for member in found.pictures}
    bases = _bases(source, homes, found.folders)
    classes = {split: _classes(source, below, homes, found.folders) for split, below in bases.items()}
    if unknown := sorted(classes.get("test", set()) - classes["train"]):
        raise InputError(f"data.directory: {source}: its test pictures are of {_some(unknown)}, its training pictures "
                         f"of {_some(sorted(classes['train']))}; expected the same class folders")
    if len(classes["train"]) > MOST_CLASSES:
        raise InputError(f"data.directory: {source} has {len(classes['train']):,} class folders; expected at most "
                         f"{MOST_CLASSES:,}")
    names = sorted(classes["train"])
    splits = _labelled(found.pictures, bases, homes, {name: label for label, name in enumerate(names)})
    if "test" not in splits:
        splits = _hold_out(source, splits["train"], share)
    rngs = {split: np.random.default_rng(SEED) for split in ("train", "test")}
    return Layout(names, {split: _take(splits[split], rng.permutation(len(splits[split].labels)))
                          for split, rng in rngs.items()})


def _folder(member: Member) -> Folder:
    return tuple(member.name.split("/")[:-1])


def _below(base: Folder, folders: set[Folder]) -> set[str]:
    """The names of the folders directly in `base`."""
    return {folder[len(base)] for folder in folders if len(folder) > len(base) and folder[:len(base)] == base}


def _bases(source: Path, homes: set[Folder], folders: set[Folder]) -> dict[str, list[Folder]]:
    """The folders in which the classes of every split are: train, and test if there is one."""
    root: Folder = ()
    while root not in homes:  # a sole folder tells nothing apart, unless it is the only class
        sole, *others = _below(root, folders)
        if others or sole.casefold() in SPLITS or root and (*root, sole) in homes:
            break
        root = (*root, sole)
    filled = sorted(_below(root, homes))
    named = {top: SPLITS[top.casefold()] for top in _below(root, folders) if top.casefold() in SPLITS}
    if not named:
        return {"train": [root]}
    others = sorted(set(filled) - set(named)) + ["pictures in no folder"] * (root in homes)
    if others or "train" not in named.values():
        raise InputError(f"data.directory: {source} has {_some(sorted(named) + others)} side by side; expected "
                         "train with test or val and nothing else, or class folders with other names")
    kinds = set(named.values())
    if {"test", "val"} <= kinds:
        print(f"{source}: {_some([top for top in sorted(named) if named[top] == 'val'])} is not used: there is a "
              "folder test", file=sys.stderr)
    roles = {"train": "train"} | ({"test": "test" if "test" in kinds else "val"} if len(kinds) > 1 else {})
    return {split: [(*root, top) for top in sorted(named) if named[top] == kind] for split, kind in roles.items()}


def _classes(source: Path, bases: list[Folder], homes: set[Folder], folders: set[Folder]) -> set[str]:
    """The classes in the folders `bases` of one split."""
    classes = set()
    for base in bases:
        place = "/".join((str(source), *base))
        names, filled = _below(base, folders), _below(base, homes)
        if base in homes and filled:
            raise InputError(f"data.directory: {place} has pictures beside the folder {sorted(filled)[0]!r}; expected "
                             "pictures in class folders, all or none")
        if base not in homes and (empty := sorted(names - filled) or [""] * (not names)):
            raise InputError(f"data.directory: {'/'.join((place, empty[0])).rstrip('/')} holds no pictures; expected "
                             "some in every class folder")
        classes |= {UNLABELLED} if base in homes else names
    return classes


def _labelled(pictures: list[Member], bases: dict[str, list[Folder]], homes: set[Folder],
              label: dict[str, int]) -> dict[str, Split]:
    """The pictures of every split, in the order of their names; those in none are left aside."""
    split_of = {base: split for split, below in bases.items() for base in below}
    depth = len(next(iter(split_of)))
    members: dict[str, list[Member]] = {split: [] for split in bases}
    labels: dict[str, list[int]] = {split: [] for split in bases}
    for member in pictures:
        folder = _folder(member)
        if split := split_of.get(base := folder[:depth]):
            members[split].append(member)
            labels[split].append(label[UNLABELLED if base in homes else folder[depth]])
    return {split: Split(members[split], np.array(labels[split], label_type(len(label)))) for split in bases}


def _hold_out(source: Path, split: Split, share: float) -> dict[str, Split]:
    """Two of one: as test, the nearest number to `share` of every class, but at least one picture of two."""
    rng = np.random.default_rng(SEED)
    held = np.zeros(len(split.labels), bool)
    by_class = np.split(np.argsort(split.labels, kind="stable"), np.cumsum(np.bincount(split.labels))[:-1])
    for indices in by_class:
        count = max(round(len(indices) * share), int(len(indices) > 1))
        held[rng.permutation(indices)[:count]] = True
    if not held.any():
        raise InputError(f"data.directory: {source} has one picture of every class, of which none can be held out as "
                         "test (data.pictures.test); expected more, or a folder test")
    return {"train": _take(split, np.flatnonzero(~held)), "test": _take(split, np.flatnonzero(held))}


def _take(split: Split, indices: np.ndarray) -> Split:
    return Split([split.members[i] for i in indices], split.labels[indices])


def _some(names: list[str]) -> str:
    """The first names of a list."""
    return ", ".join(map(repr, names[:5])) + ", …" * (len(names) > 5)
