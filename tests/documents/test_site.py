"""How scripts/build_site.py prepares the pages. `make docs` builds the site itself."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import build_site  # noqa: E402
import site_scripts  # noqa: E402


def test_navigation_has_every_page_of_the_index_once():
    sections = build_site.navigation()
    pages = [page for section in sections for group in section.values() for page in group]
    assert len(pages) == len(set(pages)) > 35
    assert [page for page in pages if not (ROOT / page).exists()] == []
    assert {next(iter(section)) for section in sections} >= {"Tutorial", "How-to", "Runbook", "Reference", "Concepts", "Project"}
    in_folders = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*/*.md")}
    assert in_folders - set(pages) == set()


def test_site_has_the_files_that_pages_link_to():
    found = {str(path.relative_to(ROOT)) for path in build_site.files()}
    assert found >= {"README.md", "SECURITY.md", "docs/README.md", "docs/metrics.json", "examples/project/README.md"}


@pytest.mark.parametrize(("text", "expected"), [
    ("1. a\n   b\n\n   ```sh\n   c\n   ```\n2. d\n", "1. a\n    b\n\n    ```sh\n    c\n    ```\n\n2. d\n"),
    ("- a\n  b\n- c\n", "- a\n    b\n- c\n"),
    ("text\n- a\n", "text\n\n- a\n"),
    ("- a\n\n  b\n- c\n", "- a\n\n    b\n\n- c\n"),
    ("- a\n\ntext\n  b\n", "- a\n\ntext\n  b\n"),
    ("```yaml\n- a\n  b\n```\n", "```yaml\n- a\n  b\n```\n"),
    ("10. a\n    b\n", "10. a\n    b\n"),
])
def test_continuation_of_an_item_gets_four_spaces(text, expected):
    assert build_site.with_wide_indents(text) == expected


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
    assert (site / "assets/scripts/mermaid.js").read_text() == "mermaid"
