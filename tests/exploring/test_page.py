"""The page in a browser: PyTorch's pixels, controls that do what they say by mouse and by keys, and no error."""
import base64
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import pixels
from pipeline.exploring import page
from pipeline.gan import sampling
from pipeline.latent import rows
from pipeline.params.sections import Sampling
from tests.conftest import PLAIN
from tests.exploring.test_portable import made

# Waits until all images are there, does what is asked, waits again, and leaves what it saw in the title.
SCRIPT = """<script>
const idle = () => new Promise(done => {
  const look = () => document.documentElement.dataset.busy === "false" ? done() : setTimeout(look, 20);
  setTimeout(look, 50);
});
const seen = id => get(id).toDataURL();
const press = (key, times) => {
  for (let i = 0; i < times; i++) point.dispatchEvent(new KeyboardEvent("keydown", { key }));
};
(async () => {
  const found = {};
  await idle();
  found.pixels = ASKED.z.map((z, i) => [...generator.pixels(z, ASKED.labels[i])]);
  found.mixed = seen("mixed");
  press("ArrowLeft", 20); press("ArrowUp", 20);
  await idle();
  found.corner = seen("mixed") === corners[0].toDataURL();
  found.place = get("place").textContent;
  const box = get("pad").getBoundingClientRect();
  get("pad").setPointerCapture = () => {};
  get("pad").dispatchEvent(new PointerEvent("pointerdown", { clientX: box.right, clientY: box.bottom, bubbles: true }));
  await idle();
  found.dragged = seen("mixed") === corners[3].toDataURL();
  const before = samples[0].toDataURL(), again = get("seed").value;
  get("new-samples").click();
  await idle();
  found.renewed = samples[0].toDataURL() !== before;
  get("seed").value = again;
  get("seed").dispatchEvent(new Event("input"));
  await idle();
  found.repeated = samples[0].toDataURL() === before;
  const start = seen("walk");
  get("play").click();
  await new Promise(done => setTimeout(done, 1500));
  get("play").click();
  await idle();
  found.walked = Number(get("position").value) > 0 && seen("walk") !== start;
  const sumBefore = seen("result");
  cells[0].click();  // takes it back from A
  await idle();
  found.sums = seen("result") !== sumBefore && cells[0].getAttribute("aria-pressed") === "false";
  get("clear").click();
  found.missing = get("missing").textContent;
  for (const letter of "ABC") {
    document.querySelector(`[name=letter][value=${letter}]`).click();
    cells["ABC".indexOf(letter) + 4].click();
  }
  await idle();
  found.one = seen("mean-A") === cells[4].firstChild.toDataURL();
  if (get("class")) {
    get("class").value = "3";
    get("class").dispatchEvent(new Event("change"));
    await idle();
    found.classed = samples[0].toDataURL() !== before;
  }
  found.fits = document.documentElement.scrollWidth <= innerWidth;
  document.title = JSON.stringify(found);
})();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium")
@pytest.mark.parametrize(("name", "width", "violate"), [
    ("slides", 0.125, ()), ("guidelines-28", 0.25, ("nearest",)), ("paper-mnist", 0.125, ()),
    ("udacity-svhn", 0.125, ())])
def test_the_page_works_in_a_browser(tmp_path: Path, name: str, width: float, violate: tuple[str, ...]) -> None:
    G, network = made(name, width, violate)
    z, labels = sampling.prior(network, 3, torch.Generator().manual_seed(1)), [0, 3, 9]
    y = torch.eye(network.classes)[labels] if network.classes else None
    with sampling.evaluating(G, network, Sampling(statistics_images=50), PLAIN), torch.no_grad():
        expected = rows.images(G, network, rows.joined(z, y), PLAIN)
        text = page.html("one", {"network": {"name": name}}, G, network, b"", 0).decode()
    found, errors = in_browser(text, json.dumps({"z": z.tolist(), "labels": labels}), tmp_path)
    channels, height, across = network.image
    drawn = np.array(found.pop("pixels"), int).reshape(3, height, across, channels).transpose(0, 3, 1, 2)
    assert abs(drawn - expected).max() <= 2 and expected.std() > 2
    assert found.pop("place") == "0 % to the right, 0 % down"
    assert found.pop("missing") == "Choose at least one image for A and B and C."
    assert found.pop("mixed").startswith("data:image/png")
    assert len(found) >= 7 + bool(network.classes) and all(value is True for value in found.values()), found
    assert "CONSOLE" not in errors


def in_browser(text: str, asked: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What SCRIPT saw on a page 500 pixels wide, the least that Chromium has, and its messages."""
    (folder / "page.html").write_text(text.replace("</body>", SCRIPT.replace("ASKED", f"({asked})")))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
               "--window-size=500,900", "--enable-logging=stderr", "--virtual-time-budget=60000", "--dump-dom",
               f"file://{folder}/page.html"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    title = re.search(r"<title>(.*?)</title>", result.stdout)
    assert title and title[1].startswith("{"), result.stderr[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(title[1]))
    return found, result.stderr


def test_without_javascript_there_are_samples_and_nothing_is_fetched() -> None:
    G, network = made("paper-mnist", 0.125, ())
    samples = pixels.png(pixels.grid(np.arange(784, dtype=np.uint16).astype(np.uint8).reshape(1, 1, 28, 28), 1))
    text = page.html("<b>", {"network": {"name": "paper-mnist"}, "images_seen": 12345}, G.eval(), network, samples,
                     7).decode()
    still = re.search(r'<noscript>.*<img class="still" src="data:image/png;base64,([^"]+)"', text, re.S)
    assert still and base64.b64decode(still[1]) == samples
    assert Image.open(io.BytesIO(samples)).size == (28, 28)
    assert "&lt;b&gt;" in text and "<b>" not in text and "12,345 images" in text and 'value="7"' in text
    assert not re.search(r"https?://|fetch\(|import\(|<link[^>]+href=\"(?!data:)", text)


def test_the_page_of_a_generator_of_full_width_is_small_enough() -> None:
    G, network = made("slides", 1.0, ())
    assert len(page.html("one", {"network": {"name": "slides"}}, G.eval(), network, b"", 0)) < 8e6
