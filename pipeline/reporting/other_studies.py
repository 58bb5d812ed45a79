"""The other studies of the repository that have been scored: one row for each of their runs."""
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.params import reading
from pipeline.reporting import headlines, rounding, tables
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Items, Paragraph, Picture, Table
from pipeline.reporting.inside import Topic
from pipeline.reporting.inside import read as topics_of
from pipeline.reporting.results import Names, Result, probes_of
from pipeline.reporting.results import read as result_of


@dataclass(frozen=True)
class Scored:
    """A run of another study, by STUDY or STUDY/RUN; its data set, and the scores of real images, if they are known."""
    name: str
    data: str
    result: Result
    controls: dict[str, Any]
    topics: list[Topic]

    @property
    def names(self) -> Names:
        """The names of its scores."""
        return Names.of(self.result.scores)

    def share(self, name: str) -> str:
        """One of its shares, or '' where there is none."""
        value = self.result.scores.get(name, self.controls.get(name))
        return "" if value is None else rounding.share(value)


def probes(scores: dict[str, Any]) -> list[str]:
    """What the probe of D is called among `scores`, the same of an untrained D, a supervised CNN, and raw pixels.

    Studies scored before the names had the count of labels have `test` in its place.
    """
    old = "probe_accuracy_test"
    probe = old if old in scores else ["", *probes_of(scores)][-1]
    return [probe, f"{probe}_of_untrained_D", f"{probe.removeprefix('probe_')}_of_supervised_CNN",
            re.sub(r"_of_\d+_layers", "", f"{probe}_of_pixels")]


def read(folder: Path) -> tuple[list[Scored], list[str]]:
    """All runs of the studies in `folder` whose seeds have all been scored, and a line for each unreadable study."""
    found, problems = [], []
    for path in sorted(folder.glob(f"*/{reading.PARAMS}")):
        reports, name = path.parent / "reports", path.parent.name
        if not any((reports / "evaluate").glob("*/*/scores.json")):
            continue
        try:
            study = reading.load(path)
            known = [file for stage in ("controls", "reference") if (  # the older name of the stage
                file := reports / stage / "scores.json").exists()]
            controls = json.loads(known[0].read_text()) if known else {}
            for run in study.runs:
                seeds = [seed for seed in study.seeds
                         if (reports / "evaluate" / run / f"seed{seed}" / "scores.json").exists()]
                if seeds:
                    result = result_of(run, study.runs[run], seeds, reports)
                    called = name if len(study.runs) == 1 else f"{name}/{run}"
                    found.append(Scored(called, described(study.data), result, controls,
                                        topics_of(reports / "internals", [run])[0]))
        except (InputError, OSError, ValueError) as error:
            problems.append(f"{name}: {error}")
    return found, problems


def described(data: Any) -> str:
    """The name of a data set; of pictures, that of their archive."""
    return Path(data.directory).stem if data.name == "images" else str(data.name)


def blocks(folder: Path) -> list[Block]:
    """The section on other studies."""
    scored, problems = read(folder)
    found: list[Block] = [Heading(2, "Other studies", "other-studies", apart=True)]
    found += [Paragraph(f"Not readable: {problem}", "absent") for problem in problems]
    if not scored:
        return [*found, Paragraph("No other study has been scored yet: `cd studies/udacity-svhn && dvc repro report` "
                                  "runs one, `dvc repro -f -s report` here then shows it.", "absent")]
    found += [
        Paragraph("Systems of the literature, most of them far shorter or smaller than in their source, as their "
                  "params.yaml says. A distance is measured in the classifier of its own data set: compare within a "
                  "data set only."),
        table(scored),
        Paragraph("Each row with one training is one draw. The relative distance is in percent of the distance of a "
                  "generator that always makes the mean image; older studies have none. A probe is worth what it has "
                  "beyond its controls: the same D untrained, a CNN of its layers trained on the labels, and raw "
                  "pixels.", "note"),
        Items(conditional(scored)), Figures([picture(one) for one in scored], "grid")]
    if elsewhere := transfers(folder):
        found += [Heading(3, "Discriminators on other data"), elsewhere, Paragraph(
            "The features of a study's D on a data set it was not trained on, as the paper does with ImageNet and "
            "CIFAR-10.", "note")]
    return found + inside(scored)


def table(scored: list[Scored]) -> Table:
    """Distance, precision and recall, and the probe with its controls, of every run."""
    rows = []
    for one in scored:
        names, scores = one.names, one.result.scores
        relative = one.result.stated(names.relative, True) if names.relative in scores else ""
        rows.append([one.name, one.data, str(len(one.result.trainings)), relative, one.result.stated(names.fid),
                     tables.of_real(one.controls, names),
                     *(one.share(name) for name in (names.precision, names.recall, *probes(scores)))])
    return Table(["study", "data", "trainings", "relative distance ↓", "distance ↓", "of real test images",
                  "precision ↑", "recall ↑", "probe ↑", "untrained D", "supervised CNN", "raw pixels"], rows, left=2,
                 label="Scores of other studies")


def picture(one: Scored) -> Picture:
    """The samples of a run."""
    scores = one.result.scores
    text = f"{one.data}, {scores['images_seen']:,.0f} images seen. {headlines.near(scores, one.names)}"
    return Picture(one.result.first.folder / "samples.png", f"{one.name}: samples", text.strip(), one.name)


def conditional(scored: list[Scored]) -> list[str]:
    """A sentence on every conditional generator: what its labelled samples teach a nearest-neighbour classifier."""
    said = []
    for one in scored:
        scores = one.result.scores
        names = [key for key in scores if key.startswith("nearest_neighbour_error_")
                 and not key.endswith(("_std", "_of_real_images"))]
        if names and f"{names[-1]}_of_real_images" in scores:
            errors = [rounding.share(scores[f"{names[-1]}{of}"]) for of in ("", "_of_real_images")]
            said.append(f"**{one.name}** is conditional: a nearest-neighbour classifier fitted on "
                        f"{names[-1].split('_')[-1]} of its labelled samples misreads {errors[0]} of real images, one "
                        f"fitted on as many real images {errors[1]}.")
    return said


def transfers(folder: Path) -> Table | None:
    """The accuracies of discriminators on data that they were not trained on, with the controls."""
    rows = []
    for file in sorted(folder.glob("*/reports/transfer/*/scores.json")):
        scores = json.loads(file.read_text())
        layers = re.search(r"probe_of_(\d+)_layers", " ".join(scores))
        name = file.parent.name + (f", its first {layers[1]} layers" if layers else "")
        length = f"{scores['images_seen']:,} images" if "images_seen" in scores else scores.get("trained", "")
        rows.append([f"{file.parents[3].name}: {name}", length, *(
            rounding.share(scores[name]) if name in scores else "" for name in probes(scores))])
    return Table(["transfer", "trained for", "probe ↑", "untrained D", "supervised CNN", "raw pixels"], rows,
                 label="Probes of discriminators on data that they were not trained on") if rows else None


def inside(scored: list[Scored]) -> list[Block]:
    """What was seen inside other studies' networks, folded away."""
    found: list[Block] = []
    for one in scored:
        if one.topics:
            folded: list[Block] = []
            for topic in one.topics:
                view = topic.views[0]
                folded += [Heading(4, f"{topic.title} (sec. {topic.section})"),
                           *([Paragraph(view.to_see)] if view.to_see else []), *view.blocks(), *topic.numbers()]
            found.append(Details(f"Inside the networks of {one.name}", folded))
    return found
