"""A report in its two forms: Markdown that names pictures, and one HTML page that holds everything.

Templates lay out blocks (`blocks.py`), whose words are finished.
"""
import base64
import io
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from PIL import Image, ImageSequence

from pipeline.reporting.blocks import Block, Heading, Items, Paragraph, Report

TEMPLATES = Path(__file__).parent / "templates"
LIMIT = 9_500_000  # bytes of pictures in the page, as base64
LARGE_STILL, LARGE_FILM = 100_000, 150_000  # bytes of a file above which it is coded anew
GLUE = re.compile(r" (?=[%±↑↓])|(?<=±) ")
MARKED = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\*(\S[^*]*)\*|\[([^]]+)\]\((#[a-z-]+)\)")


@dataclass(frozen=True)
class Embedded:
    """A picture as data URIs, with its size in pixels: for white paper, for dark screens, and without motion."""
    src: str
    width: int
    height: int
    dark: str = ""
    still: str = ""


@dataclass
class Album:
    """Embeds pictures, each once read, as long as there is room on the page; `dark` has twins of some by path."""
    dark: dict[Path, bytes]
    room: int = LIMIT
    kept: dict[Path, Embedded | None] = field(default_factory=dict)

    def embed(self, path: Path) -> Embedded | None:
        """The picture of this file; None where the page would grow too large."""
        if path not in self.kept:
            content, still = compact(path)
            with Image.open(path) as picture:
                width, height = picture.size
            found = Embedded(uri(content), width, height, uri(self.dark.get(path, b"")), uri(still))
            size = len(found.src) + len(found.dark) + len(found.still)
            self.kept[path] = found if size <= self.room else None
            self.room -= size if size <= self.room else 0
        return self.kept[path]

    def corner(self, path: Path, cell: tuple[int, int], side: int = 4) -> Embedded:
        """The first rows and columns of a grid of images of `cell` pixels, one pixel apart, three times as large."""
        with Image.open(path) as picture:
            height, width = (min(side * (size + 1) - 1, whole) for size, whole in zip(cell, picture.size[::-1]))
            times = max(1, 360 // width)
            part = picture.crop((0, 0, width, height)).resize((times * width, times * height), Image.Resampling.NEAREST)
        content = io.BytesIO()
        part.save(content, "WEBP", lossless=True)
        return Embedded(uri(content.getvalue()), part.width, part.height)


def compact(path: Path) -> tuple[bytes, bytes]:
    """The file's content, coded anew as WebP where it is large; and of a film its last frame, else nothing."""
    content = path.read_bytes()
    with Image.open(path) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            frames, waits = [], []
            for frame in ImageSequence.Iterator(picture):
                frames.append(frame.convert("RGB"))
                waits.append(frame.info["duration"])
            last = _webp(frames[-1:], quality=80)
            if len(content) > LARGE_FILM:
                content = min(content, _webp(frames, quality=55, duration=waits, loop=0), key=len)
            return content, last
        if len(content) > LARGE_STILL:
            content = min(content, _webp([picture.convert("RGB")], quality=80), key=len)
    return content, b""


def _webp(frames: list[Image.Image], **options: Any) -> bytes:
    content = io.BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
    frames[0].save(content, "WEBP", method=4, **more, **options)
    return content.getvalue()


def uri(content: bytes) -> str:
    """A picture's content as a data URI; '' of nothing."""
    kind = "png" if content.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}" if content else ""


def inline(text: Any) -> Markup:
    """Markdown's `code`, **bold**, *emphasis* and [links](#within-the-page) as HTML; everything else is text."""
    def marked(found: re.Match[str]) -> str:
        code, strong, em, link, target = found.groups()
        if link:
            return f'<a href="{target}">{link}</a>'
        tag = "code" if code else "strong" if strong else "em"
        return f"<{tag}>{code or strong or em}</{tag}>"
    return Markup(MARKED.sub(marked, GLUE.sub("\N{NO-BREAK SPACE}", str(escape(text)))))


def markdown(report: Report, page: Path) -> bytes:
    """The report as Markdown, which names pictures by their path from the folder of `page`."""
    environment = _environment(autoescape=False)
    environment.filters["relative"] = lambda path: os.path.relpath(path, page.parent)
    text = environment.get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", text).strip().encode() + b"\n"


def two_pages(report: Report, page: Path, details: Path) -> dict[Path, bytes]:
    """The report as two Markdown pages in one folder: the sections that stand apart are in `details`, linked to."""
    near: list[Block] = []
    apart: list[Block] = []
    place = near
    for block in report.blocks:
        if isinstance(block, Heading) and block.level <= 2:
            place = apart if block.apart else near
        place.append(block)
    links = {block.anchor: f"{details.name}#{re.sub('[^a-z0-9-]', '', block.text.lower().replace(' ', '-'))}"
             for block in apart if isinstance(block, Heading) and block.apart}
    if apart:
        near += [Heading(2, "More"), Items([f"[{block.text}](#{block.anchor})" for block in apart
                                            if isinstance(block, Heading) and block.apart])]
    title = [Heading(1, f"{report.title}: details"), Paragraph(f"[The report]({page.name})")]
    first = markdown(replace(report, blocks=near), page).decode()
    for anchor, link in links.items():
        first = first.replace(f"](#{anchor})", f"]({link})")
    return {page: first.encode(), details: markdown(replace(report, blocks=[*title, *apart]), details)}


def html(report: Report, page: Path, album: Album) -> bytes:
    """The report as one HTML page that needs no other file; pictures there is no room for are linked to."""
    environment = _environment(autoescape=True)
    environment.filters |= {"inline": inline, "embed": album.embed,
                            "corner": lambda path: album.corner(path, report.cell),
                            "relative": lambda path: os.path.relpath(path, page.parent)}
    own = {name: Markup((TEMPLATES / f"report.{name}").read_text().strip()) for name in ("css", "js")}
    return environment.get_template("report.html.j2").render(report=report, **own).encode()


def _environment(autoescape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=autoescape)
