"""The report as one HTML page: whole in itself, the same in every browser, and safe from odd names."""
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.reporting import pages
from pipeline.reporting.blocks import Heading, Paragraph, Report
from tests.conftest import Params
from tests.reporting import made_up

MARKS = r"</?(?:details|summary)>|!\[.*|^#+|^- |\*\*|`|\[(?=[^]]+\]\(#)|\]\(#[a-z-]+\)|[|*]|-{3}:?"  # of Markdown
VOID = {"meta", "link", "img", "source", "br"}


class Reader(HTMLParser):
    """What a browser would load, show and link to; every element closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture
def reports(tmp_path: Path, params: Params) -> Path:
    reports = made_up.study(tmp_path, params)
    made_up.everything(reports)
    return reports


def test_the_page_is_whole_and_loads_nothing(reports: Path) -> None:
    _, text = made_up.reported(reports)
    read = Reader(text)
    assert not read.open and text.startswith("<!doctype html>") and len(text) < 10_000_000
    images = read.all("img")
    assert len(images) == 4 + 3 + 1 + 4 + 4 + 1 + 2 + 4 * 2
    for attrs in images:
        assert attrs["alt"] and str(attrs["src"]).startswith("data:image/") and int(attrs["width"] or 0) > 0
    for _, attrs in read.elements:
        for name in ("src", "srcset", "href", "action", "data", "poster"):
            assert re.match(r"data:|#", attrs.get(name) or "#"), attrs
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|//", re.sub(r"<body>.*</main>|// .*", "", text, flags=re.S))
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    links = [str(attrs["href"])[1:] for attrs in read.all("a")]
    assert len(ids) == len(set(ids)) == 8 and set(links) == set(ids)


def test_both_forms_say_the_same(reports: Path) -> None:
    """Every word of a paragraph, a list and a table of the Markdown is in the page, in the same order."""
    markdown, text = made_up.reported(reports)
    markdown = re.sub(r"## More.*?\(report\.md\)\n", "", markdown, flags=re.DOTALL).replace("](details.md#", "](#")
    shown = "".join(Reader(text).text.replace("\N{NO-BREAK SPACE}", " ").split())
    place = shown.index("Settingsandchiefscores")
    for line in markdown.split("## The runs")[1].splitlines():
        plain = re.sub(MARKS, "", line)
        plain = "".join(unescape(plain).split()) if "<summary>" in line else "".join(plain.split())
        assert plain in shown[place:], line
        place = shown.index(plain, place)


def test_odd_names_are_text(reports: Path) -> None:
    _, text = made_up.reported(reports)
    assert "a&amp;b" in text and "Walks &amp; &lt;more&gt;" in text and "there was &lt;nothing&gt; to add" in text
    assert 'alt="still.png &lt;of&gt; it"' in text and "<of>" not in text and "<here>" not in text
    assert pages.inline("<script>`a<b` **c** *d* [e](#f) [g](javascript:h)") == (
        "&lt;script&gt;<code>a&lt;b</code> <strong>c</strong> <em>d</em> <a href=\"#f\">e</a> [g](javascript:h)")


def test_what_is_not_there_is_said_not_to_be_there(tmp_path: Path, params: Params) -> None:
    _, text = made_up.reported(made_up.study(tmp_path, params))
    read = Reader(text)
    assert sum(attrs.get("class") == "absent" for attrs in read.all("p")) == 4
    assert len(read.all("img")) == 4 + 3 + 1 + 4 + 4 and "No search has been reported yet" in read.text


def test_dark_screens_and_those_who_want_no_motion_get_pictures_of_their_own(reports: Path) -> None:
    _, text = made_up.reported(reports)
    media = [attrs["media"] for attrs in Reader(text).all("source")]
    assert media.count("(prefers-color-scheme: dark)") == 3 and media.count("(prefers-reduced-motion: reduce)") == 5


def test_a_picture_there_is_no_room_for_is_left_out_and_later_smaller_ones_are_not(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 200, 200), np.uint8)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, size in zip(paths, (100, 200, 20)):
        Image.fromarray(noise[0, :size, :size]).save(path)
    album = pages.Album({}, room=20_000)
    assert [album.embed(path) is not None for path in paths] == [True, False, True]
    assert album.embed(paths[0]) is album.embed(paths[0]) and album.room > 4_000


def test_a_large_picture_is_coded_anew_and_a_small_one_is_kept(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.fromarray(noise[:50, :50]).save(tmp_path / "small.png")
    large, _ = pages.compact(tmp_path / "large.png")
    assert large[8:12] == b"WEBP" and len(large) < (tmp_path / "large.png").stat().st_size
    assert pages.compact(tmp_path / "small.png") == ((tmp_path / "small.png").read_bytes(), b"")


def test_the_corner_of_a_grid_are_its_first_images(tmp_path: Path) -> None:
    """Images of 3x5 pixels, a pixel apart: the corner of 4 ends before the gap."""
    grid = np.zeros((6 * 4 - 1, 6 * 6 - 1), np.uint8)
    grid[:4 * 4 - 1, :4 * 6 - 1] = 255
    Image.fromarray(grid).save(tmp_path / "grid.png")
    corner = pages.Album({}).corner(tmp_path / "grid.png", (3, 5))
    assert corner.width / corner.height == 23 / 15 and corner.width % 23 == 0


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium")
def test_tables_sort_in_a_browser(reports: Path, tmp_path: Path) -> None:
    """Two clicks on the distance's head: the largest first, and the controls still last; no message of an error."""
    _, text = made_up.reported(reports)
    click = "<script>for (const _ of [1, 2]) document.querySelectorAll('thead button')[5].click();</script></body>"
    (tmp_path / "page.html").write_text(text.replace("</body>", click))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/page.html"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    table = found.stdout.split("<table>")[1].split("</table>")[0]
    rows = re.findall(r'<th scope="row">(?:<i [^>]*></i>)?(?:<em>)?([^<]+)', table)
    assert rows == ["test1", "test2", "test3", "test4", "real test images", "raw pixels"]
    assert 'aria-sort="descending"' in table and "CONSOLE" not in found.stderr


def test_the_first_markdown_page_is_short_and_links_to_the_other(reports: Path) -> None:
    made_up.reported(reports)
    first, details = ((reports / name).read_text() for name in ("report.md", "details.md"))
    assert len(first.splitlines()) < 200
    headings = set(re.findall(r"^## (.+)$", details, re.M))
    assert headings == {"The nearest training images", "The search", "Other studies", "What the numbers mean",
                        "Inside the networks", "Where the numbers come from"}
    assert not headings & set(re.findall(r"^## (.+)$", first, re.M)) and "](report.md)" in details
    links = set(re.findall(r"\]\(details\.md#([a-z-]+)\)", first))
    assert links == {heading.lower().replace(" ", "-") for heading in headings} and "](#" not in first


def test_a_page_without_details_is_one_page() -> None:
    page = Report("t", [Heading(1, "t"), Paragraph("a")])
    found = pages.two_pages(page, Path("a.md"), Path("b.md"))
    assert b"More" not in found[Path("a.md")] and found[Path("b.md")].startswith(b"# t: details")
