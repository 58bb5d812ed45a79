"""Stage code: a fingerprint of every stage's code, on which the stage depends in place of its modules.

code/<stage> has a line for each module that the stage imports, directly or not, at its top or inside a function: the
digest of its syntax, without comments, docstrings and layout. So a changed docstring reruns nothing, and a changed
loss retrains what uses it. There is a line for each template, by its bytes, and for each installed package that decides
about results. The digest of a module is the same on Python 3.11 to 3.14.

Left out are modules that cannot change an output: `pipeline.tracking` reports to MLflow; `params.checks` can only
refuse; `params.study` puts sections together, and a stage imports those that it uses.
"""
import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipeline import files
from pipeline.errors import InputError

FOLDER = Path("code")
ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("pipeline.tracking", "pipeline.params.checks", "pipeline.params.study")
PACKAGES = {"PIL": "pillow", "jinja2": "Jinja2", "matplotlib": "matplotlib", "numpy": "numpy", "optuna": "optuna",
            "pandas": "pandas", "safetensors": "safetensors", "scipy": "scipy", "sklearn": "scikit-learn",
            "torch": "torch", "torchvision": "torchvision"}


def code() -> None:
    """Writes the fingerprint of every stage into the folder code, and says whose have changed."""
    for stage in stages():
        path, text = FOLDER / stage, fingerprint(stage)
        before = path.read_text() if path.exists() else ""
        files.write(path, text.encode())
        if text != before:
            print(f"code: {stage}: {_difference(before, text)}")


def stages() -> list[str]:
    """The names of all stages but this one: of the modules beside it that call `stage.main`."""
    return [path.stem for path in sorted((ROOT / "pipeline").glob("*.py"))
            if f"stage.main({path.stem})" in path.read_text()]


def check(stage: str) -> None:
    """InputError when code/<stage> is not the fingerprint of the code that is here, with what differs."""
    path = FOLDER / stage
    try:
        recorded = path.read_text()
    except FileNotFoundError:
        if not Path("params.yaml").exists():
            raise InputError(f"params.yaml: not found in {Path.cwd()}; expected a study's folder, which is the "
                             "repository's or one of studies/") from None
        raise InputError(f"{path}: not found; run `dvc repro code` in this folder first") from None
    if (now := fingerprint(stage)) != recorded:
        again = "dvc repro code" if _modules(now) != _modules(recorded) else "dvc repro -f code"
        raise InputError(f"{path} was recorded for other code ({_difference(recorded, now)}); run `{again}`, then this "
                         "stage again")


def digest(module: str) -> str:
    """16 hexadecimal digits for all that decides about what `module`, like tuning.trials, computes."""
    return _short(fingerprint(module))


def check_made(stage: str, digest: str | None, result: Path) -> None:
    """InputError when the `digest` that a `result` of `stage` carries is not that of code/<stage>.

    So nothing is built on a result that `dvc commit` recorded for code that never ran.
    """
    path = FOLDER / stage
    if digest is None or not path.exists() or digest != _short(path.read_text()):
        raise InputError(f"{result}: made by code {digest}, which is not what {path} records; run `dvc repro` to make "
                         "it anew, and never `dvc commit` over it")


def packages(stage: str) -> dict[str, str]:
    """The installed versions of the packages that decide about what a stage computes."""
    return dict(line.split() for line in fingerprint(stage).splitlines() if "  " not in line)


def fingerprint(module: str) -> str:
    """The lines of code/<stage> for `module`, the part of its name behind `pipeline.`."""
    modules, used, folders = closure(f"pipeline.{module}")
    lines = [f"{of_syntax(_tree_of(path))}  {path.relative_to(ROOT).as_posix()}" for path in modules
             if path.name != "__init__.py"]  # which hold docstrings only; a test watches
    lines += [f"{files.sha256(path)[:16]}  {path.relative_to(ROOT).as_posix()}" for folder in folders
              for path in sorted((folder / "templates").glob("*")) if path.is_file()]
    lines += [f"{PACKAGES[name]} {version(PACKAGES[name]).partition('+')[0]}" for name in sorted(used)]
    return "\n".join(lines) + "\n"


def closure(module: str) -> tuple[list[Path], set[str], list[Path]]:
    """The files that `module` imports, itself among them; the packages of PACKAGES that these import; their folders."""
    found: set[Path] = set()
    used: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        path = _path(name)
        if path is None or path in found or any(f"{name}.".startswith(f"{one}.") for one in LEFT_OUT):
            continue
        found.add(path)
        ours, others = _imports(path)
        pending += [*ours, name.rpartition(".")[0]]
        used |= others & PACKAGES.keys()
    return sorted(found), used, sorted({path.parent for path in found})


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if module and path.is_file()), None)


def _imports(path: Path) -> tuple[list[str], set[str]]:
    """What a file imports: names that may be modules of this package, and the packages of others."""
    names = []
    for node in ast.walk(_tree_of(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    ours = [name for name in names if name.split(".")[0] == "pipeline"]
    return ours, {name.split(".")[0] for name in names} - {"pipeline"}


def _tree_of(path: Path) -> ast.Module:
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    return ast.parse(path.read_bytes())


def of_syntax(tree: ast.Module) -> str:
    """16 hexadecimal digits for a module's syntax, the same on all Pythons that this project supports."""
    return hashlib.sha256("\n".join(_written(tree)).encode()).hexdigest()[:16]


def _written(node: object) -> Iterator[str]:
    """A node as lines. Absent fields are left out: later Pythons have more of them."""
    if isinstance(node, ast.JoinedStr):
        yield "JoinedStr"
        yield from _written(_merged(node.values))
    elif isinstance(node, ast.AST):
        yield type(node).__name__
        for name in sorted(node._fields):
            value = getattr(node, name, None)
            if name not in ("ctx", "kind", "type_comment", "type_ignores") and value is not None and value != []:
                yield f".{name}"
                yield from _written(value)
    elif isinstance(node, list):
        yield "["
        for item in node:
            if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):  # a docstring, or ...
                yield from _written(item)
        yield "]"
    else:
        yield f"{type(node).__name__} {ascii(node)}"  # repr depends on which characters a Python takes for printable


def _merged(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, neighbouring constants joined: Pythons split them differently."""
    merged: list[ast.expr] = []
    for value in values:
        before = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(before, ast.Constant):
            merged[-1] = ast.Constant(str(before.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _modules(text: str) -> list[str]:
    return [line for line in text.splitlines() if "  " in line]


def _difference(before: str, after: str) -> str:
    """Which modules, templates or packages differ between two fingerprints, three by name."""
    old, new = (set(text.splitlines()) for text in (before, after))
    names = sorted({line.split()[-1] if "  " in line else line.split()[0] for line in old ^ new})
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}" if before else "new"


if __name__ == "__main__":
    code()
