"""How tools/docs/build_site.py prepares the pages. `make docs` builds the site itself."""

import argparse
import json
import re
from pathlib import Path

import markdown
import pytest

from tools.docs import build_site, site_hooks, site_scripts

ROOT = Path(__file__).parents[2]


def pages_of(entries):
    """The pages of a part of the navigation, in their order."""
    if isinstance(entries, str):
        return [entries]
    return [
        page
        for entry in (entries.values() if isinstance(entries, dict) else entries)
        for page in pages_of(entry)
    ]


def test_navigation_has_every_page_of_the_index_once():
    sections = build_site.navigation()
    pages = pages_of(sections)
    assert len(pages) == len(set(pages)) > 35
    assert [page for page in pages if not (ROOT / page).exists()] == []
    assert {next(iter(section)) for section in sections} >= {
        "Tutorial",
        "How-to",
        "Runbook",
        "Reference",
        "Concepts",
        "Project",
    }
    how_tos = next(section["How-to"] for section in sections if "How-to" in section)
    assert [next(iter(group)) for group in how_tos] == [
        "Start",
        "People and approvals",
        "Change and end",
        "Network and accounts",
        "Build",
        "Companions",
    ]
    decisions = {str(page.relative_to(ROOT)) for page in (ROOT / "docs/project/decisions").glob("*.md")}
    assert set(pages_of(sections[-1]["Project"][-1])) == decisions
    folders = {
        name: {page.split("/")[1] for page in pages_of(section)}
        for section in sections[2:-1]
        for name in section
    }
    assert {name: {name.lower()} for name in folders} == folders
    in_folders = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*/**/*.md")}
    assert in_folders - set(pages) == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("*.md")), ids=lambda page: page.stem)
def test_how_to_has_the_title_of_its_link_in_the_index(page):
    title = page.read_text().splitlines()[0].removeprefix("# ")
    assert f"| [{title}](how-to/{page.name}) |" in (ROOT / "docs/README.md").read_text()


# A browser of 1280 px shows so many characters of a line beside the button that copies, also in a list.
CODE_COLUMNS = 94


def code_lines(page):
    """The code that readers copy, without recorded output, and without lines that contain one long word."""
    language, is_command, before = "", False, ""
    for line in page.read_text().splitlines():
        fence = re.match(r" *```(\w*)", line)
        if fence:
            language = "" if language else fence[1] or "none"
            continue
        is_command = line.lstrip().startswith("$ ") or (is_command and before.endswith("\\"))
        before = line
        is_read = language not in ("", "text", "mermaid") and (is_command or language != "console")
        if is_read and max(map(len, line.split()), default=0) <= 80:
            yield line


@pytest.mark.parametrize(
    "page",
    [
        page
        for folder in ("how-to", "runbook", "tutorial")
        for page in sorted((ROOT / "docs" / folder).glob("*.md"))
    ],
    ids=lambda page: page.stem,
)
def test_code_fits_the_site(page):
    assert [line for line in code_lines(page) if len(line) > CODE_COLUMNS] == []


def test_page_with_a_boost_or_a_tag_for_the_search_exists():
    assert [path for path in (*site_hooks._BOOSTS, *site_hooks._TAGS) if not (ROOT / path).exists()] == []


def test_site_has_the_files_that_pages_link_to():
    found = {str(path.relative_to(ROOT)) for path in build_site.files()}
    assert found >= {"README.md", "SECURITY.md", "docs/README.md", "docs/metrics.json", "examples/README.md"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1. a\n   b\n\n   ```sh\n   c\n   ```\n2. d\n",
            "1. a\n    b\n\n    ```sh\n    c\n    ```\n\n2. d\n",
        ),
        ("- a\n  b\n- c\n", "- a\n    b\n- c\n"),
        ("text\n- a\n", "text\n\n- a\n"),
        ("- a\n\n  b\n- c\n", "- a\n\n    b\n\n- c\n"),
        ("- a\n\ntext\n  b\n", "- a\n\ntext\n  b\n"),
        ("```yaml\n- a\n  b\n```\n", "```yaml\n- a\n  b\n```\n"),
        ("10. a\n    b\n", "10. a\n    b\n"),
    ],
)
def test_continuation_of_an_item_gets_four_spaces(text, expected):
    assert build_site.with_wide_indents(text) == expected


def test_cell_of_a_table_has_the_heading_of_its_column():
    """docs/site.css shows it on a phone, where each row is a block."""
    page = "| | `Type` of it |\n|---|---|\n| a | *b* |\n"
    html = markdown.markdown(page, extensions=["tables", site_hooks.TableLabels()])
    assert '<td data-label="">a</td>' in html and '<td data-label="Type of it"><em>b</em></td>' in html
    assert "content: attr(data-label)" in (ROOT / "docs/site.css").read_text()


def test_each_picture_on_white_paper_is_dark_in_dark_mode():
    names = re.findall(r'img\[src.="(.*?)"\]', (ROOT / "docs/site.css").read_text())
    pictures = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "docs").rglob("*.svg")}
    terminals = {path for path, picture in pictures.items() if 'fill="#1b222a"' in picture}
    assert {path for path in pictures if not any(name in path for name in names)} == {
        *terminals,
        "docs/logo.svg",
    }


def test_header_has_version_status_and_a_known_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("> **Status: beta. Version 1.2.3.**")
    cargo, package = tmp_path / "Cargo.toml", '[package]\nversion = "1.2.3"\n'
    cargo.write_text(
        f'{package}repository.workspace = true\n[workspace.package]\nrepository = "https://gitlab.com/OWNER/r"\n'
    )
    assert build_site.header() == {"site_name": "cfn-gitops 1.2.3 beta"}
    cargo.write_text(cargo.read_text().replace("OWNER", "example"))
    assert build_site.header()["repo_url"] == "https://gitlab.com/example/r"


def test_search_must_find_pages_that_exist_before_decisions(monkeypatch, tmp_path):
    found = {query: [page] for query, page in build_site.searches().items()}
    pages = [page.replace("index.html", "README.html") for [page] in found.values()]
    assert [page for page in pages if not (ROOT / page).with_suffix(".md").exists()] == []
    assert found["Add a project"] == ["docs/how-to/add-a-project.html"]
    monkeypatch.setattr(
        build_site.subprocess, "run", lambda *_, **__: argparse.Namespace(stdout=json.dumps(found))
    )
    found["promote"] += ["docs/project/decisions/a.html"]
    assert build_site.search_failures(tmp_path) == []
    found["promote"] += ["docs/how-to/a.html"]
    found["uninstall"] = []
    assert len(build_site.search_failures(tmp_path)) == 2


def test_states_of_the_search_are_separated(tmp_path):
    worker = tmp_path / "assets/javascripts/workers/search.1.min.js"
    worker.parent.mkdir(parents=True)
    worker.write_text("a;e=e+s+o.id}")
    build_site.correct_search(tmp_path)
    assert worker.read_text() == 'a;e=e+s+o.id+";"}'
    worker.write_text("of another version")
    with pytest.raises(SystemExit, match="expected once"):
        build_site.correct_search(tmp_path)


SHIM = '<script src="https://unpkg.com/iframe-worker/shim"></script>'


@pytest.mark.parametrize(("to_site", "picture"), [("", ""), ("../../", '<pre class="mermaid">')])
def test_page_loads_its_scripts_from_the_site(tmp_path, to_site, picture):
    bundle = f'<script src="{to_site}assets/javascripts/bundle.1.min.js"></script>'
    scripts, site = tmp_path / "scripts", tmp_path / "site"
    for folder in (scripts, site):
        folder.mkdir()
    (site / "page.html").write_text(f"{SHIM}{picture}{bundle}")
    assert not site_scripts.add_to(site, scripts)
    for name in site_scripts.SCRIPTS:
        (scripts / f"{name}.js").write_text(name)
    assert site_scripts.add_to(site, scripts)
    page = (site / "page.html").read_text()
    assert "unpkg.com" not in page and f'<script src="{to_site}assets/scripts/iframe-worker.js">' in page
    assert (f'<script src="{to_site}assets/scripts/mermaid.js"></script>' in page) is bool(picture)
    # A flow from left to right would be cut on a phone.
    assert ('"$1 TB"' in page) is bool(picture)
    assert (site / "assets/scripts/mermaid.js").read_text() == "mermaid"
