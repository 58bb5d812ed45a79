"""Tells MLflow what it could not be told at the time."""
from dataclasses import dataclass, field

from pipeline.errors import InputError
from pipeline.tracking import background, connection, kept
from pipeline.tracking.descriptions import Opening
from pipeline.tracking.kept import Entry, Kept
from pipeline.tracking.store import Store


@dataclass
class Outcome:
    """How many entries MLflow took, of which runs; what it refused, by folder; and why it stopped answering, or ''."""
    entries: int = 0
    runs: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    away: str = ""


def replay() -> Outcome:
    """Tells everything that is kept and belongs to no living process; what is told is kept no longer."""
    outcome = Outcome()
    for one in kept.everything():
        if not (one.folder / kept.REPORTS).exists():
            one.clear()  # its process was killed before anything had to be kept, or after all was told
            continue
        try:
            _tell(one, outcome)
        except InputError:
            raise
        except Exception as error:  # whatever MLflow, its store and the network raise
            if not connection.about_the_run(error):
                outcome.away = connection.reason(error)
                break
            outcome.refused[str(one.folder)] = [connection.reason(error)]
    return outcome


def _tell(one: Kept, outcome: Outcome) -> None:
    """Tells what one folder has, in its order; raises when MLflow is away, and what is left is kept.

    InputError when the folder cannot be written.
    """
    try:
        opening, entries = one.read()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        outcome.refused[str(one.folder)] = [f"cannot be read ({type(error).__name__}: {error})"]
        return
    model = next((entry.arguments["tags"].get("model", "") for entry in entries if entry.method == "tags"), "")
    store, left, reasons = Store(opening, True, model), list(entries), []
    try:
        if entries:
            store.open()
            outcome.runs.append(opening.description.name)
        for entry in entries:
            if reason := background.attempt(store, entry):
                reasons.append(f"{entry.method}: {reason}")
            else:
                left.remove(entry)
                outcome.entries += 1
                if left:
                    _keep(one, opening, left)  # at once: a killed process would have pictures and models told twice
        if entries and entries[-1].method != "close":  # MLflow knew how it ended, or it was killed
            store.close(*store.before)
    finally:
        if not left:
            one.clear()
    if reasons:
        outcome.refused[str(one.folder)] = reasons


def _keep(one: Kept, opening: Opening, left: list[Entry]) -> None:
    """The folder keeps what is left; its errors are not MLflow's."""
    try:
        one.write(opening, left)
    except OSError as error:
        raise InputError(str(error)) from None
