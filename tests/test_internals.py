"""Stage internals: a conditional generator, images in colour without classes, what is absent, and planted facts."""
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from pipeline import code, folders, internals
from pipeline.data import digits, images
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, training
from pipeline.gan.networks import SGD, Network, Tanh
from pipeline.latent.shown import ablation, arithmetic, concepts, film, guided, sheets
from pipeline.latent.shown.part import Investigation, Subject, entry
from pipeline.params.scoring import Internals
from pipeline.params.sections import Run
from pipeline.scores import classifier, frechet, reference_model
from tests.conftest import FP32, Params

NAMES = ["walk", "arithmetic", "guided", "ablation", "neighbours"]
NOISE = {"internals.confidence": 0.01, "data": {
    "name": "images", "directory": "x", "pictures": {"size": 32, "channels": 3, "smallest": 32}}}
COLOUR = {"name": "colours", "classes": ["all"], "source": "noise", "url": "none", "licence": "none"}


def history(folder: Path, channels: int, size: int) -> None:
    """What a training reports: three distances, and grids of 3 x 3 images, one grey level each."""
    (folder / "samples").mkdir(parents=True)
    rows = pd.DataFrame({"images_seen": [100, 200, 300], "fid_classifier_150": [9.0, 7, 8]})
    rows.to_csv(folder / "fid.csv", index=False)
    for seen in (100, 200, 300):
        grid = np.full((3 * size + 2, 3 * size + 2, channels), seen // 2, np.uint8)
        Image.fromarray(grid.squeeze(-1) if channels == 1 else grid).save(folder / f"samples/{seen:09d}.png")


def fitted(data: Path) -> None:
    """The study's reference, which has seen the training images once."""
    dataset = images.load(data)
    labelled = dataset.classes > 1
    classes = dataset.classes if labelled else classifier.ROTATIONS
    labels = dataset.train_labels if labelled else None
    net = classifier.fit(dataset.train_images, labels, classes, 1, 50, 1e-3, 0, FP32)
    reference_model.save(folders.REFERENCE, net, frechet.moments(classifier.features(net, dataset.train_images)), {
        "data": dataset.digest, "shape": dataset.shape, "classes": classes, "code": code.digest("reference"),
        "extractor": "classifier" if labelled else "rotation"})


def untrained(name: str, data: Path) -> None:
    """The study's run test4, untrained."""
    state = training.start(literature.network(name, 0.125), Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    checkpoint.save_model(folders.model("test4", 0), state.G, state.D, {
        "network": {"name": name, "width": 0.125}, "leak": 0.2, "seed": 0, "images": 1000, "run": {}, "images_seen": 0,
        "train": {"batch_norm": "recomputed", "statistics_images": 200}, "data": images.load(data).digest,
        "code": code.digest("train")})


@pytest.fixture
def conditional(params: Params, tmp_path: Path) -> Path:
    """A study of digits with an untrained conditional model; the folder where its internals are reported."""
    params({"internals.confidence": 0.01})
    images.save(tmp_path / "data/arrays/digits", digits.arrays(), digits.FACTS)
    fitted(tmp_path / "data/arrays/digits")
    untrained("paper-mnist", tmp_path / "data/arrays/digits")
    return tmp_path / "reports/internals/test4"


@pytest.fixture
def colour(params: Params, tmp_path: Path) -> Path:
    """The same for noise in colour, of one class."""
    params(NOISE)
    rng = np.random.default_rng(0)
    arrays = {f"{split}_images": rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
              for split, n in (("train", 200), ("test", 150))}
    images.save(tmp_path / "data/arrays/images", arrays | {
        "train_labels": np.zeros(200, int), "test_labels": np.zeros(150, int)}, COLOUR)
    fitted(tmp_path / "data/arrays/images")
    untrained("udacity-svhn", tmp_path / "data/arrays/images")
    return tmp_path / "reports/internals/test4"


def contents(report: Path) -> dict[str, bytes]:
    return {str(file.relative_to(report)): file.read_bytes() for file in sorted(report.rglob("*")) if file.is_file()}


def parts_of(report: Path) -> dict[str, dict[str, Any]]:
    """parts.json by name; the files that it names, and no others, are pictures of their kind."""
    parts = json.loads((report / "parts.json").read_text())
    assert [part["name"] for part in parts] == NAMES
    assert [part["section"] for part in parts] == ["6.1", "6.3.2", "6.2", "6.3.1", "6"]
    named = [picture for part in parts for picture in part.get("pictures", [])]
    assert sorted(picture["file"] for picture in named) == sorted(file.name for file in (report / "pictures").iterdir())
    for picture in named:
        assert picture["alt"] and picture["caption"].endswith((".", "!"))
        with Image.open(report / "pictures" / picture["file"]) as opened:
            assert opened.format == Path(picture["file"]).suffix[1:].upper()
            assert (getattr(opened, "n_frames", 1) > 1) == (opened.format == "WEBP")
    return {part["name"]: part for part in parts}


def test_a_conditional_generator_has_all_parts_and_the_same_bytes_twice(conditional: Path) -> None:
    internals.internals("test4")
    first = contents(conditional)
    parts = parts_of(conditional)
    assert all("absent" not in parts[name] for name in ("walk", "guided", "neighbours"))
    scores = json.loads(first["scores.json"])
    assert scores["path_length_classifier_4"] > 0 and scores["path_length_pixels_4"] > 0
    assert 1 <= scores["largest_step_pixels_3"] <= 9 and 1 <= scores["largest_step_pixels_12"] <= 36
    numbers = {key: value for part in parts.values() for key, value in part.get("numbers", {}).items()}
    blind = 0.72 / 3 + 0.27 * 2 / 3 + 0.01  # three images of ten classes: all differ, two are alike, all are alike
    assert scores["class_purity_of_random_images"] == pytest.approx(blind, abs=0.04)
    assert {"class_purity", "class_purity_of_untrained_D", "class_purity_p"} <= scores.keys()  # an untrained one twice
    assert scores["class_purity"] == scores["class_purity_of_untrained_D"] and scores["class_purity_p"] == 1
    assert scores == numbers | {"batch_norm": "recomputed", "seed": 2, "images_seen": 0}
    with Image.open(conditional / "pictures/walk.webp") as walk:
        assert walk.n_frames <= 9  # equal frames are one, longer
        assert walk.size[0] == 2 * (5 * 29 - 1)  # five classes walk
    assert sum(map(len, first.values())) < 3e6

    internals.internals("test4")
    assert contents(conditional) == first


def test_noise_in_colour_without_classes_has_no_patches_of_a_colour_and_two_sides(colour: Path) -> None:
    internals.internals("test4")
    parts = parts_of(colour)
    assert [name for name in NAMES if "absent" in parts[name]] == ["ablation"]
    assert "a patch of a colour" in parts["ablation"]["absent"]
    assert any(pair in parts["arithmetic"]["measured"] for pair in ("cold and warm", "warm and cold"))
    assert "path_length_rotation_4" in parts["walk"]["numbers"]
    assert "rotations" in parts["neighbours"]["pictures"][0]["caption"]


def test_seeds_and_boxes_that_somebody_chose_serve_images_in_colour(colour: Path, params: Params) -> None:
    boxes = [[sample, 8, 8, 24, 24] for sample in range(10)]
    params(NOISE | {
            "internals.arithmetic": {"a": [1, 2], "b": [3, 4], "c": [5]}, "internals.object": "boxes",
            "internals.boxes": boxes, "internals.layer": 3})
    internals.internals("test4")
    parts = parts_of(colour)
    assert parts["arithmetic"]["numbers"] == {} and "by eye" in parts["arithmetic"]["unmeasured"]
    assert [picture["file"] for picture in parts["ablation"]["pictures"]] == ["ablation.png", "boxes.png"]
    assert "by eye" in parts["ablation"]["unmeasured"] and "object_share" not in parts["ablation"]["numbers"]
    numbers = parts["ablation"]["numbers"]
    distances = [value for key, value in numbers.items() if key.startswith("fid_rotation_140_with")]
    assert len(distances) == 3 and min(distances) > 0

    params(NOISE | {"internals.arithmetic": {"a": [1], "b": [2]}, "internals.object": "boxes"})
    internals.internals("test4")
    parts = parts_of(colour)
    assert "lists no c" in parts["arithmetic"]["absent"] and "boxes lists none" in parts["ablation"]["absent"]


def test_what_cannot_be_made_is_absent_with_its_reason(conditional: Path, params: Params) -> None:
    params({"internals.confidence": 0.999999, "internals.features": 10**4, "internals.layer": 9,
            "internals.neighbours": 10**4})
    internals.internals("test4")
    parts = parts_of(conditional)
    reasons = {name: part["absent"] for name, part in parts.items() if "absent" in part}
    assert set(reasons) == set(NAMES) - {"walk", "arithmetic"} and not any("\n" in why for why in reasons.values())
    assert not any(parts["arithmetic"]["numbers"].values()) and not parts["arithmetic"]["pictures"]
    assert "10000 features: expected 1 to" in reasons["guided"]
    assert "convolution 9 from the image" in reasons["ablation"]
    assert "10000 nearest neighbours" in reasons["neighbours"]


def test_other_data_and_damaged_models_are_errors_and_the_old_report_stays(conditional: Path) -> None:
    conditional.mkdir(parents=True)
    (conditional / "scores.json").write_text("old")
    path = folders.model("test4", 0) / "model.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"data": "0" * 64}))
    with pytest.raises(InputError, match="trained on data 0000"):
        internals.internals("test4")
    path.write_text(json.dumps(facts))
    weights = path.with_name("discriminator.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged"):
        internals.internals("test4")
    assert (conditional / "scores.json").read_text() == "old"


class Bars(nn.Module):
    """z (n, 3) -> a bar that leans by 0.6 z0, wider where z1 is positive: class 1."""

    def forward(self, z: Tensor, y: None = None) -> Tensor:
        at = torch.arange(28.0) - 13.5
        lean, wide = 0.6 * z[:, 0, None, None], 2 + 2 * torch.sigmoid(8 * z[:, 1, None, None])
        away = (at + at[:, None] * lean).abs()  # rows count downwards
        return (2 * torch.sigmoid(4 * (wide - away)) * (at[:, None].abs() < 10) - 1)[:, None]


class Widths:
    """Class 1 is 6 pixels of ink in a row or more."""
    extractor = "classifier"

    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        more = torch.from_numpy(images[:, 0, 13].sum(1) / 255 - 6).float()[:, None]
        return torch.zeros(len(images), 2), 20 * torch.cat([-more, more], 1)


@pytest.fixture
def planted(dataset: images.Dataset) -> Subject:
    """Bars of two classes that lean, as a trained generator and its classifier."""
    asked = Internals(runs=["test4"], candidates=400, exemplars=3, trials=40)
    z = torch.cartesian_prod(torch.linspace(-1, 1, 20), torch.tensor([-1.0, 1]), torch.zeros(1))
    real = ((Bars()(z) + 1) * 127.5).to(torch.uint8).numpy()
    network = Network((1, 28, 28), 3, "normal", (Tanh(),), (), "normal", SGD(), "alternating")
    trained: Any = SimpleNamespace(G=Bars(), network=network)
    reference: Any = Widths()
    two = replace(dataset, train_images=real, train_labels=(z[:, 1] > 0).numpy().astype(np.uint8),
                  meta=dataset.meta | {"classes": ["thin", "wide"]})
    return Subject(trained, two, reference, asked, FP32, Path("none"))


def test_purity_is_the_share_of_each_rows_commonest_label() -> None:
    assert guided.purities(np.array([[7, 7, 7, 7], [0, 1, 2, 3], [5, 5, 4, 4]])).tolist() == [1, 0.25, 0.5]


def test_features_are_purer_where_most_gained_and_not_where_nothing_or_both_ways_changed() -> None:
    before = np.linspace(0.2, 0.6, 12)
    assert guided.purer(before + np.linspace(0.01, 0.1, 12), before) == pytest.approx(2.0 ** -12)  # all signs alike
    assert guided.purer(before, before) == 1
    assert guided.purer(before[::-1], before) == pytest.approx(0.5, abs=0.1)


def test_arithmetic_finds_what_was_planted(planted: Subject) -> None:
    """z0 is the slant and z1 the class, linearly: right X - left X + left Y is right Y; without A it never is."""
    described, pictures = entry(arithmetic.PART, planted)
    numbers = described["numbers"]
    assert numbers["arithmetic_share_3"] > 0.9 and numbers["arithmetic_chance_3"] == 0
    assert numbers["arithmetic_share_1"] <= numbers["arithmetic_share_3"]
    assert numbers["slant_turned_left"] < -0.5 < abs(numbers["slant"]) < 0.5 < numbers["slant_turned_right"]
    assert [picture.file for picture in pictures] == ["arithmetic.png", "turn.png"]
    found = arithmetic.candidates(planted, concepts.of(planted))
    assert (found.labels == (found.z[:, 1] > 0).numpy())[found.sure].all()
    lean = found.extreme(1, False, 3)
    assert (lean[:, 0] < -1).all() and (lean[:, 1] > 0).all() and (lean[:, 0].diff() >= 0).all()


def test_a_run_with_too_few_exemplars_fails_in_all_trials_and_is_not_absent(planted: Subject) -> None:
    """Of ten samples one class has at most five: right and left ones would be the same."""
    described, _ = entry(arithmetic.PART, replace(planted, params=replace(planted.params, candidates=10)))
    numbers = described["numbers"]
    assert numbers["arithmetic_share_3"] == numbers["arithmetic_chance_3"] == numbers["arithmetic_gain"] == 0


def test_bars_that_are_conditioned_on_a_class_have_exemplars_of_that_class_alone(planted: Subject) -> None:
    """A generator that ignores its condition: what is of another class is nobody's exemplar."""
    trained: Any = SimpleNamespace(G=Bars(), network=replace(planted.trained.network, classes=2))
    found = arithmetic.candidates(replace(planted, trained=trained), concepts.of(planted))
    wrong = found.labels != np.arange(len(found.labels)) % 2
    assert 0.3 < wrong.mean() < 0.7 and not found.sure[wrong].any()


class Skies(nn.Module):
    """z (n, 3) -> 12 x 12 pixels in colour: as bright as z0 says, as warm as z1, and where z2 > 0 with a blue sky."""

    def forward(self, z: Tensor, y: None = None) -> Tensor:
        bright, warm = 0.15 * z[:, 0].clamp(-2, 2), 0.1 * z[:, 1].clamp(-2, 2)
        image = torch.stack([bright + warm, bright, bright - warm], 1)[..., None, None].repeat(1, 1, 12, 12)
        image[z[:, 2] > 0, :, :4] = torch.tensor([-0.6, -0.6, 0.4])[:, None, None]
        return image


@pytest.fixture
def skies(planted: Subject) -> Subject:
    """Pictures in colour of one class, as a trained generator's and as real ones."""
    z = torch.randn(400, 3, generator=torch.Generator().manual_seed(1))
    real = ((Skies()(z) + 1) * 127.5).to(torch.uint8).numpy()
    trained: Any = SimpleNamespace(G=Skies(), network=replace(planted.trained.network, image=(3, 12, 12)))
    one = replace(planted.dataset, train_images=real, train_labels=np.zeros(400, int),
                  meta=planted.dataset.meta | {"classes": ["all"]})
    return replace(planted, trained=trained, dataset=one, params=replace(planted.params, candidates=2000))


def test_arithmetic_in_colour_adds_light_to_one_side_of_warmth(skies: Subject) -> None:
    """Bright warm - dark warm + dark cold is bright cold, or the other way round."""
    described, pictures = entry(arithmetic.PART, skies)
    numbers = described["numbers"]
    assert numbers["arithmetic_share_3"] > 0.6 and numbers["arithmetic_chance_3"] < 0.1
    assert numbers["brightness_turned_dark"] + 0.1 < numbers["brightness"] < numbers["brightness_turned_bright"] - 0.1
    assert "a larger brightness than 75%" in described["measured"] and "most cold or most warm" in described["measured"]
    assert "bright" in pictures[0].alt and "cold" in pictures[0].alt and "warm" in pictures[0].alt


def test_ink_without_classes_is_thin_or_bold_and_blank_images_are_neither(planted: Subject) -> None:
    real = planted.dataset.train_images.copy()
    one = replace(planted.dataset, train_images=real, meta=planted.dataset.meta | {"classes": ["all"]})
    known = concepts.of(replace(planted, dataset=one))
    assert known.names == ["thin", "bold"] and known.attribute.name == "slant" and len(known.pairs) == 1
    labels, confidences = known.judge(np.concatenate([real[:40], np.zeros_like(real[:1])]))
    sure = confidences > 0
    assert not sure[40] and 10 < sure.sum() < 40
    assert (labels[sure] == one.train_labels[:40][sure[:40]]).all()
    real[:] = 0
    with pytest.raises(InputError, match="0 of 40 training images are clearly thin and 0 clearly bold"):
        concepts.of(replace(planted, dataset=one))


def test_in_colour_the_object_is_what_real_images_have_beside_other_colours(skies: Subject) -> None:
    images = skies.dataset.train_images
    sought = ablation.sought(skies)
    assert sought.name == "blue patches" and sought.rest(images).all() and sought.rest(images).shape == (400, 12, 12)
    has = (images[:, 2, 0, 0] > 170) & (images[:, 0, 0, 0] < 60)
    masks = sought.find(images)
    assert masks[has, :4].all() and 0.3 < has.mean() < 0.7


@pytest.mark.parametrize("times", [1, 2])
def test_a_seven_has_a_stroke_and_a_nought_a_loop_at_any_size(planted: Subject, times: int) -> None:
    drawn = np.zeros((3, 1, 28, 28), np.uint8)
    drawn[0, 0, 5:8, 8:20] = drawn[0, 0, 8:24, 17:20] = 255  # a seven
    drawn[1, 0, 4:24, 12:15] = 255  # a one
    drawn[2, 0, 6:22, 9:17] = 255
    drawn[2, 0, 8:20, 11:15] = 0  # a narrow nought
    drawn = drawn.repeat(times, 2).repeat(times, 3)
    found = {}
    for name in ("strokes", "loops"):
        asked, data = replace(planted.params, object=name), replace(planted.dataset, train_images=drawn)
        sought = ablation.sought(replace(planted, params=asked, dataset=data))
        masks, found[name] = sought.find(drawn), sought.find(drawn).any((1, 2)).tolist()
        assert (sought.rest(drawn) == (drawn[:, 0] > 0)).all() and not sought.boxes
        assert masks[0, 5 * times, 10 * times] == (name == "strokes")
        assert masks[2, 9 * times, 12 * times] == (name == "loops")
    assert found == {"strokes": [True, False, False], "loops": [False, False, True]}


def test_sheets_put_images_where_headings_and_labels_leave_room() -> None:
    white, grey = np.full((3, 1, 28, 28), 250, np.uint8), np.full((1, 1, 5, 5), 100, np.uint8)
    picture = np.asarray(sheets.sheet([sheets.Row("label", [grey, white]), sheets.Row("", [grey[:0], white[:1]], True)],
                                      ["a", "b"]))
    assert (picture == 250).sum() == 4 * 56 ** 2 and (picture == 100).sum() == 55 ** 2  # by whole pixels
    rows, columns = (np.unique(axis) for axis in np.nonzero(picture == 250))
    assert np.diff(rows).tolist().count(sheets.GAP + sheets.APART + 1) == 1
    assert np.diff(columns).tolist().count(sheets.GAP + 1) == 2
    assert (picture[:, :columns[0]] < 90).any() and picture[-1].min() == 255 == picture[:, -1].min()


def test_pictures_have_a_palette_only_where_they_would_be_large() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (500, 500, 3), dtype=np.uint8)
    for side, mode in ((50, "RGB"), (500, "P")):
        noise[:side // 2] = rng.integers(250, 256, (side // 2, 500, 3))  # near white, and white
        noise[:side // 2, :side // 2] = 255
        content = sheets.png(Image.fromarray(noise[:side, :side]))
        written = Image.open(io.BytesIO(content))
        assert written.mode == mode and (np.asarray(written.convert("RGB"))[:side // 2, :side // 2] == 255).all()
        assert content == sheets.png(Image.fromarray(noise[:side, :side]))


def test_a_film_has_whole_images_and_evenly_chosen_moments(tmp_path: Path) -> None:
    history(tmp_path, 1, 28)
    seen, distances, name, grids = film._history(tmp_path, (28, 28))
    assert (seen, distances, name) == ([100, 200, 300], [9, 7, 8], "fid_classifier_150")
    assert [grid.shape for grid in grids] == [(86, 86)] * 3 and [grid[0, 0] for grid in grids] == [50, 100, 150]
    assert film._cropped(np.zeros((519, 519)), (64, 64)).shape == (259, 259)
    assert film._cropped(np.zeros((519, 519)), (300, 300)).shape == (300, 300)
    with Image.open(io.BytesIO(film.training_film(tmp_path, (28, 28), True, 80, 12))) as made:
        assert made.format == "WEBP" and made.n_frames == 3
    (tmp_path / "samples/000000200.png").unlink()
    with pytest.raises(InputError, match="2 grids of samples, and fid.csv has 3 rows"):
        film.training_film(tmp_path, (28, 28), True, 80, 12)
    (tmp_path / "fid.csv").unlink()
    with pytest.raises(InputError, match="no fid.csv"):
        film.training_film(tmp_path, (28, 28), True, 80, 12)


def test_only_errors_that_a_user_can_mend_make_a_part_absent(planted: Subject) -> None:
    def broken(subject: Subject) -> Any:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        entry(Investigation("x", "x", "6", broken), planted)
