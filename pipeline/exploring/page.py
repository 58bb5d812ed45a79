"""The page as one HTML file that needs neither a server nor a network."""
import base64
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.exploring import portable
from pipeline.gan.build import Stack
from pipeline.gan.networks import Network

HERE = Path(__file__).parent


def html(name: str, facts: dict[str, Any], G: Stack, network: Network, samples: bytes, seed: int) -> bytes:
    """The page about G, in eval mode, which is called `name`; `facts` are those of its model.json.

    `samples`, a PNG, is shown where there is no JavaScript; `seed` is that of the first samples in the browser.
    """
    described, weights, others = portable.exported(G, network)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    text = environment.get_template("explore.html.j2").render(
        name=name, network=facts["network"]["name"], images_seen=facts.get("images_seen", 0), facts=described,
        json=Markup(json.dumps(described).replace("<", "\\u003c")), weights=_base64(weights), others=_base64(others),
        samples=f"data:image/png;base64,{_base64(samples)}", seed=seed,
        **{key: Markup((HERE / file).read_text()) for key, file in (
            ("css", "explore.css"), ("generator", "generator.js"), ("explore", "explore.js"))})
    return text.encode() + b"\n"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
