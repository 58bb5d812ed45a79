"""What a graph of torch.export may hold to be read: weights and operations on them, neither pickles nor Python.

torch.export.load trusts what it reads: it unpickles inputs and constants, evaluates the names of dimensions, and runs
Python that it makes of the names in the graph. The graphs that this project writes need none of that, so one that has
any of it is refused before it is read.
"""
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGEST = 1 << 32  # bytes
FILES = re.compile(r"[\w.-]+/(data/(weights/(weight_\d+|model_weights_config\.json)|constants/(tensor_\d+|"
                   r"model_constants_config\.json)|sample_inputs/model\.pt)|models/model\.json|archive_format|"
                   r"archive_version|byteorder|\.data/(version|serialization_id))")
# What strings under these keys may be, and under all others. The first three are notes that nothing reads.
STRINGS = {key: re.compile(pattern, re.ASCII | re.DOTALL) for key, pattern in {
    "stack_trace": ".*", "nn_module_stack": r"[\w.,;@]*", "torch_fn": r"[\w.;]*",
    "expr_str": r"Symbol\('s\d+', positive=True, integer=True\)",
    "target": r"torch\.ops\.aten\.(?!from_file\b)\w+\.\w+",
    "in_spec": r"[\w\s.:,\"\[\]{}]*", "out_spec": r"[\w\s.:,\"\[\]{}]*", "torch_version": r"[\w.+]*",
    "guards_code": "(?!)"}.items()}
OTHERS = re.compile(r"[\w.]*", re.ASCII)


def check(path: Path) -> None:
    """ValueError, with what was found, unless the graph in `path` is harmless to read."""
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        if len({info.filename for info in found}) < len(found) or sum(info.file_size for info in found) > LARGEST:
            raise ValueError(f"{path.name}: a file is there twice, or there are more than {LARGEST:,} bytes")
        for info in found:
            if not FILES.fullmatch(info.filename) or info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{path.name}: holds {info.filename!r}, which no generator of this project does")
            if info.filename.endswith("model.pt") and info.file_size:
                raise ValueError(f"{path.name}: holds a pickle of inputs")
            if info.filename.endswith(".json"):
                _check_json(path.name, json.loads(archive.read(info)))


def _check_json(name: str, content: Any) -> None:
    for key, value in _values(content):
        if key == "use_pickle" and value is not False:
            raise ValueError(f"{name}: holds a pickle")
        if isinstance(value, str) and not STRINGS.get(key, OTHERS).fullmatch(value):
            raise ValueError(f"{name}: {key} is {value[:60]!r}, which no generator of this project has")


def _values(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its key; of a list, with that of the list; and the keys themselves, as values of no key."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield "", name
            yield from _values(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _values(value, key)
    else:
        yield key, content
