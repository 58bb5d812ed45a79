"""Stage claims: verdicts on a study's claims from its finished trainings, however many there are. It never trains."""
import json
import math
from typing import Any

import pandas as pd

from pipeline import figures, files, folders, stage
from pipeline.evidence import forest, trainings, verdicts, wording
from pipeline.evidence.verdicts import Ruling
from pipeline.params import reading


def claims() -> None:
    """Rules on every claim of params.yaml; reports/claims gets claims.json, table.csv and, with ratios, forest.png."""
    study = reading.load()
    found = {run: trainings.read(run, study.seeds) for run in study.runs}
    probed = {name: trainings.scores(folders.report("transfer", name)) for name in study.transfers}
    rulings = verdicts.rule(study.claims, found, study.seeds, probed)
    rows = [row(one) for one in rulings]
    with files.replacing(folders.report("claims")) as folder:
        files.write(folder / "claims.json", (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode())
        table = pd.DataFrame(rows).drop(columns=["values", "seeds", "machines"], errors="ignore")
        files.write(folder / "table.csv", table.to_csv(index=False).encode())
        if (figure := forest.drawn(rulings)) is not None:
            figures.save(figure, folder / "forest.png")
    for one in rulings:
        print(f"claims: {one.name}: {one.verdict}. {wording.sentence(one)}")
    if not rulings:
        print("claims: params.yaml has none: two lines like `claims: {mine: {better: [new, old]}}` make one")


def row(ruling: Ruling) -> dict[str, Any]:
    """A ruling as claims.json has it. `effect` is a ratio or a number; what is infinite is null."""
    claim, (effect, low, high) = ruling.claim, ruling.stated or (None, None, None)
    return {"name": ruling.name, "says": wording.says(ruling.name, claim), "source": claim.source,
            "rule": wording.rule(claim), "family": claim.family, "verdict": ruling.verdict,
            "stated": wording.number(ruling), "effect": effect, "low": _finite(low), "high": _finite(high),
            "p": ruling.p, "trainings": len(ruling.values), "planned": ruling.planned, "collapsed": ruling.collapsed,
            "more": ruling.more, "reason": ruling.reason, "sentence": wording.sentence(ruling),
            "values": ruling.values, "seeds": ruling.seeds, "machines": ruling.machines}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


if __name__ == "__main__":
    stage.main(claims)
