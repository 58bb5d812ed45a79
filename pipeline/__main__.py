"""The command dcgan: `python -m pipeline` is the same."""
import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from keyword import iskeyword
from types import ModuleType

from pipeline.errors import DivergedError, InputError, ScoreError, printable, suggestion

COMMANDS = ("demo", "new", "check", "repro", "sample", "walk", "combine", "explore", "compare", "promote",
            "dashboard", "sync", "publish", "import")
STAGES = {
    "code": "record whose behaviour has changed", "fetch": "bring the data set",
    "reference": "fit the classifiers that distances are measured with",
    "controls": "score real images, pixels, and a network taught the labels", "train": "train one run with one seed",
    "evaluate": "score one training", "internals": "look inside the networks of a run",
    "claims": "rule on the study's claims, from the trainings that are there",
    "transfer": "probe another study's discriminator", "report": "write the report",
    "search": "work on the search for better runs; several may"}
WORDS = {"train": ("run", "seed"), "evaluate": ("run", "seed"), "internals": ("run",), "transfer": ("name",)}
EPILOG = """\
Stages run in a study's folder: the repository's, or one of studies/. `dvc repro` runs what is missing in order;
`dcgan STAGE` runs one stage as DVC would, without recording it. A stage of one training is called like
train@test4-0, which is run test4 with seed 0."""


def main() -> None:
    """Runs the command line and exits with its status."""
    words = sys.argv[1:]
    try:
        if words and not words[0].startswith("-"):
            words[0:1] = command_of(words[0])
        given = parser().parse_args(words)
        if given.command in STAGES:
            start(given.command, given.words)
        module_of(given.command).run(given)
    except (InputError, DivergedError, ScoreError, OSError, MemoryError) as error:
        sys.exit(printable(f"dcgan: {str(error) or 'out of memory'}"))
    except KeyboardInterrupt as stop:
        sys.exit(getattr(stop, "status", 130))


def parser() -> argparse.ArgumentParser:
    """The parser of all commands. Their modules import nothing heavy before they run."""
    made = argparse.ArgumentParser(prog="dcgan", description="The DCGAN laboratory's commands.", epilog=EPILOG,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--version", action="version", version=f"dcgan-laboratory {version('dcgan-laboratory')}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = module_of(name)
        summary = str(module.__doc__).split(": ", 1)[1].split("\n\n")[0].replace("\n", " ")
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__, epilog=module.EXAMPLE,
                                                 formatter_class=argparse.RawDescriptionHelpFormatter))
    for name, summary in STAGES.items():
        stage = commands.add_parser(name, help=f"stage: {summary}", description=f"Stage {name}: {summary}.")
        stage.set_defaults(words=[])
        if name in WORDS:
            stage.add_argument("words", nargs="*", metavar=" ".join(WORDS[name]).upper())
    return made


def module_of(command: str) -> ModuleType:
    """The module of a command; a keyword's has an underscore behind it."""
    return importlib.import_module(f"pipeline.commands.{command}{'_' if iskeyword(command) else ''}")


def command_of(word: str) -> list[str]:
    """The words that stand for the first one: train@test4-0 is train test4 0. InputError names the nearest command."""
    name, _, key = word.partition("@")
    if name not in (*COMMANDS, *STAGES):
        raise InputError(f"no command {name!r}{suggestion(name, (*COMMANDS, *STAGES))}; `dcgan --help` lists them")
    if not key:
        return [name]
    wanted = WORDS.get(name, ())
    return [name, *(key.rsplit("-", 1) if len(wanted) == 2 else [key])]


def start(stage: str, words: Sequence[str]) -> None:
    """Becomes the process of a stage, so that Ctrl-C and signals reach the stage itself.

    InputError lists what there is when `words` do not say of what.
    """
    if len(words) != len(WORDS.get(stage, ())):
        raise InputError(f"{stage}: expected one of {', '.join(known(stage)) or 'none, as params.yaml lists none'}")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", f"pipeline.{stage}", *words])


def known(stage: str) -> list[str]:
    """The stages of this kind that the study has, as DVC calls them."""
    from pipeline.params import reading
    study = reading.load()
    keys = {"internals": study.internals.runs, "transfer": list(study.transfers)}.get(
        stage, [f"{run}-{seed}" for run in study.runs for seed in study.seeds])
    return [f"{stage}@{key}" for key in keys]


if __name__ == "__main__":
    main()
