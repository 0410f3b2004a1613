"""Links between the documents: every target exists. test_site.py has the pages of the index."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# Its paths are those of an imagined repository.
SAMPLE_PATHS = ROOT / "src/gitops_pipeline/paths_tests.rs"
RESOURCES = ("mirror_credential", "gitops_pipeline")
# A page that a comment, a message or a test names. The path of a website has a slash before it.
MENTION = re.compile(r"(?<![\w/.-])docs/[a-z][\w/-]*\.(?:md|json|svg)\b")


def files(*patterns):
    """The tracked and unignored files, without built or installed ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.splitlines()
    return sorted(ROOT / path for path in listed if (ROOT / path).exists())


def documents():
    return files("*.md")


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


@cache
def anchors(page):
    """The fragments by which GitHub and GitLab reach the headings of a page, and its rows with a name."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = set(re.findall(r'<a name="([^"]+)"></a>', text))
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(anchor)
    return found


def links(page):
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(page.read_text()).replace("\n", " "))


def faults(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{link}: there is no such file"
        elif fragment and fragment not in anchors(target):
            yield f"{link}: there is no such heading"


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_target_exists(page):
    assert list(faults(page)) == []


def test_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading, `in code`\n\n## Twice\n\n## Twice\n\n[a](#a-heading-in-code) [b](#twice-1) [c](no.md)\n"
        "[two\nlines](#no)\n`[d](code.md)`\n```\n[e](code.md)\n```\n[f](https://example.com/#no)\n"
        '| <a name="row"></a>[g](#row) |\n'
    )
    assert list(faults(page)) == ["no.md: there is no such file", "#no: there is no such heading"]


def test_every_page_that_a_file_names_exists():
    named = [
        (str(file.relative_to(ROOT)), path)
        for file in files("*.rs", "*.py", "*.yaml", "*.toml", "*.sh", "*.md", "Makefile")
        if file != SAMPLE_PATHS
        for path in MENTION.findall(file.read_text())
    ]
    assert len(named) > 50
    assert [(file, path) for file, path in named if not (ROOT / path).exists()] == []


def modules(glossary):
    """The paths in the introduction and in the last cell of each row."""
    introduction, *tables = glossary.split("\n## ")
    cells = re.findall(r"^\|.*\|(.*)\|$", "\n".join(tables), re.MULTILINE)
    named = {path for text in (introduction, *cells) for path in re.findall(r"`([^`]+)`", text)}
    return {path.replace("*", resource, 1) for path in named for resource in RESOURCES}


def test_every_module_of_the_glossary_exists():
    paths = modules((ROOT / "docs/reference/glossary.md").read_text())
    assert {"mirror_credential/plan", "gitops_pipeline/plan", "common/ownership", "tests/faults"} <= paths
    assert {
        path
        for path in paths
        if not any((ROOT / place).exists() for place in (path, f"src/{path}", f"src/{path}.rs"))
    } == set()


def answers(page):
    """The functions in the last cell of each row, as a path and a name."""
    cells = re.findall(r"^\|.*\|(.*)\|$", page, re.MULTILINE)
    return {tuple(each.split("::")) for cell in cells for each in re.findall(r"`([^`]+::[^`]+)`", cell)}


def defines(path, name):
    files = [ROOT / place for place in (f"src/{path}.rs", f"src/{path}/mod.rs", f"{path}.py")]
    return any(re.search(rf"\b(?:fn|def) {name}\b", file.read_text()) for file in files if file.exists())


def test_every_function_that_answers_exists():
    found = answers((ROOT / "docs/project/identity.md").read_text())
    assert len(found) > 50
    assert [each for each in sorted(found) if not defines(*each)] == []
    assert not defines("clients/gitlab/mirrors/mirror", "no_such_function")
