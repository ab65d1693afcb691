"""The documentation: it builds as a site, its links lead somewhere, its commands exist."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from calibration.__main__ import main as calibrate
from rtrecon.__main__ import main as live
from simulator.__main__ import main as simulate
from tests.screenshots.windows import WINDOWS

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
BESIDE = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("simulator/*/README.md"))]
PROGRAMS = {"rtrecon": live, "rtrecon-calibrate": calibrate, "rtrecon-simulate": simulate}

COMMAND = re.compile(r"(?<![\w./-])(rtrecon(?:-calibrate|-simulate)?) ([a-z]+)([^`\n]*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a link without an end, an anchor that is not there
    or a page that no one finds is an error. With --quiet it would be none.
    """
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


class Tags(HTMLParser):
    """What a page makes a browser fetch, and which classes its elements have."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.classes: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.classes |= set((given.get("class") or "").split())
        if (where := given.get(FETCHED.get(tag, ""))) is not None:
            self.fetched.append(where)


def test_the_site_asks_the_network_for_nothing(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(DOCS)  # each, and the one that says that a page is missing
    for page in pages:
        tags = Tags(page)
        assert tags.fetched
        assert not [where for where in tags.fetched if urlsplit(where).netloc], page
        assert "mermaid" not in tags.classes, page  # the theme would fetch its program
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text()), sheet


def test_search_works_from_the_disk(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "What crosses the wire" in index
    assert "iframe-worker.js" in (site / "wire.html").read_text(encoding="utf-8")


def test_links_of_pages_outside_the_site_lead_somewhere() -> None:
    for page in BESIDE:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if not urlsplit(target).scheme:
                assert (page.parent / target.partition("#")[0]).exists(), f"{page}: {target}"


def test_every_picture_is_on_a_page_and_every_window_has_one() -> None:
    told = "".join(page.read_text(encoding="utf-8") for page in [*DOCS, *BESIDE])
    pictures = sorted(file for file in (ROOT / "docs" / "images").rglob("*") if file.is_file())
    assert not [file for file in pictures if f"/{file.name})" not in told]
    screens = {file.stem for file in pictures if file.parent.name == "screens"}
    assert screens == set(WINDOWS)
    assert sum(file.stat().st_size for file in pictures if file.stem in screens) < 2_000_000


def test_links_to_the_web_have_the_form_of_one() -> None:
    for page in [*DOCS, *BESIDE]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if (parts := urlsplit(target)).scheme:
                assert parts.scheme == "https", f"{page}: {target}"
                assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), f"{page}: {target}"


def written_commands() -> Iterator[tuple[Path, str, str, set[str]]]:
    """Page, program, verb and options of each command in code on a page."""
    for page in [*DOCS, *BESIDE[:1], *BESIDE[2:]]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        code = re.findall(r"```.*?```|`[^`\n]+`|^ {4,}[^\n]+$", text, re.DOTALL | re.MULTILINE)
        for program, verb, rest in COMMAND.findall("\n".join(code)):
            own = rest.split(" -- ")[0]  # what follows is another command's
            yield page, program, verb, set(re.findall(r"(?<!\S)\[?(--[a-z0-9-]+)", own))


def test_every_command_written_exists(capsys: pytest.CaptureFixture[str]) -> None:
    known: dict[tuple[str, str], str] = {}
    for page, program, verb, options in written_commands():
        if (program, verb) not in known:
            with pytest.raises(SystemExit) as left:
                PROGRAMS[program]([verb, "--help"])
            assert left.value.code == 0, f"{page}: there is no {program} {verb}"
            known[program, verb] = capsys.readouterr().out
        unknown = options - set(re.findall(r"--[a-z0-9-]+", known[program, verb]))
        assert not unknown, f"{page}: {program} {verb} knows no {', '.join(sorted(unknown))}"
    assert len(known) > 8
