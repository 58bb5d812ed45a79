"""dcgan explore: a page on which one moves through the latent space of a generator, which runs in the browser."""
import argparse
from pathlib import Path

from pipeline import files, folders
from pipeline.commands import models
from pipeline.errors import InputError

EXAMPLE = "example: dcgan explore models/test4 reports/explore.html"
OUT = Path("reports/explore.html")
SAMPLES, COLUMNS = 60, 10  # of the picture for browsers without JavaScript


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan explore` takes."""
    parser.add_argument("model", nargs="?", help="a run's folder, like models/test4, or published:radford-svhn; "
                        "default: the study's best run, by the distance that the report compares")
    parser.add_argument("out", nargs="?", type=Path, default=OUT,
                        help=f"the .html, which is overwritten; default {OUT}")
    parser.add_argument("--seed", type=models.seed, default=0, help="of the first samples; default 0")
    parser.add_argument("--generator", choices=models.GENERATORS, default="last", help=models.GENERATOR)


def run(given: argparse.Namespace) -> None:
    """Writes the page."""
    if given.out.suffix != ".html":
        raise InputError(f"{given.out}: expected a file that ends in .html")
    import torch

    from pipeline.data import pixels
    from pipeline.exploring import page
    from pipeline.gan import sampling
    folder = models.folder_of(given.model) if given.model else best()
    with models.trained(folder, given.generator) as (model, G, device):
        z = sampling.prior(model.network, SAMPLES, torch.Generator().manual_seed(given.seed))
        samples = pixels.png(pixels.grid(sampling.sample(G, model.network, z, device), COLUMNS))
        content = page.html(str(folder).rpartition("models/")[2], model.facts, G, model.network, samples, given.seed)
    files.write(given.out, content)
    print(f"{folder}: {given.out} ({len(content) / 1e6:.1f} MB): open it in a browser, which runs the generator itself")


def best() -> Path:
    """The folder of the study's best run, by the distance that the report compares; InputError before runs are scored.
    """
    from pipeline.params import reading
    from pipeline.reporting import results
    from pipeline.reporting.results import Names
    study = reading.load()
    try:
        found = [results.read(name, run, study.seeds, Path("reports")) for name, run in study.runs.items()]
        distance = Names.of(found[0].scores).fid
        nearest = min(found, key=lambda result: result.scores[distance])
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"the runs' scores cannot be compared ({error}); `dvc repro report` scores them, or name a "
                         "model") from None
    return folders.model(nearest.name, study.seeds[0])
