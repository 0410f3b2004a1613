"""How tools/docs/build_site.py prepares the pages. `make docs` builds the site itself."""

from pathlib import Path

import pytest

from tools.docs import build_site

ROOT = Path(__file__).parents[2]


def test_navigation_has_every_page_of_the_index_once():
    sections = build_site.navigation()
    pages = build_site.pages_of(sections)
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
    folders = {
        name: {page.split("/")[1] for page in build_site.pages_of(section)}
        for section in sections[2:-1]
        for name in section
    }
    assert {name: {name.lower()} for name in folders} == folders
    in_folders = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*/**/*.md")}
    indexes = "".join(
        (ROOT / "docs" / page).read_text() for page in ("README.md", "project/decisions/README.md")
    )
    others = in_folders - set(pages)
    assert {Path(page).parts[1] for page in others} == {"project"}
    assert [page for page in others if f"{Path(page).name})" not in indexes] == []


def test_search_leaves_out_what_the_navigation_does(tmp_path):
    build_site.copy_to(tmp_path)
    pages = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.md")}
    left_out = {
        page for page, text in pages.items() if text.startswith("---\nsearch:\n  exclude: true\n---\n")
    }
    assert left_out >= {"CONTRIBUTING.md", "tests/README.md", "docs/project/assumptions.md"}
    assert pages.keys() - left_out == {*build_site.pages_of(build_site.navigation()), "examples/README.md"}


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("*.md")), ids=lambda page: page.stem)
def test_how_to_has_the_title_of_its_link_in_the_index(page):
    title = page.read_text().splitlines()[0].removeprefix("# ")
    assert f"| [{title}](how-to/{page.name}) |" in (ROOT / "docs/README.md").read_text()


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
