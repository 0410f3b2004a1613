"""The brake: an excess above a figure fails, and neither a comment nor a formatter changes a figure."""

import re
import sys

import pytest

from tests.tools.conftest import ROOT
from tools.checks import brake

# An entry of each list that is counted in code.
IN_CODE = {
    "cli/main.py": '    "check",\n',
    "src/common/reason_codes.rs": '    IncompleteRequest 101 "The request is incomplete"\n',
    "src/clients/gitlab/api/endpoints.rs": '    endpoint("GET", "", 200, "Project: Read", NONE),\n',
    "tests/support/src/worlds.rs": "    setting(\n",
}
# Files that do not exist here.
PAGE, ANSWER = (f"docs/{name}" for name in ("page.md", "schemas/answer-more.json"))
SCHEMAS = [file.name for file in (ROOT / "docs/schemas").glob("*.json")]
RUST = """//! Words of a comment.

/// More words.
fn answer() -> &'static str {
    "two words // and three more" // and a comment
}
"""
JOINED = """fn answer() -> &'static str { "two words // and three more" }
"""
TESTS = """
#[cfg(test)]
mod tests {
    fn check() {}
}
"""
PYTHON = '''"""Words of a module."""


def answer() -> str:
    """Words of a function."""
    # Words of a comment.
    return "a # text"  # a comment
'''


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with this one's lists and a few files, whose figures are those of its files."""
    copied = [*IN_CODE, "docs/metrics.json", *(f"docs/schemas/{name}" for name in SCHEMAS)]
    texts = {path: (ROOT / path).read_text() for path in copied}
    texts |= {"src/lib.rs": RUST + TESTS, "template.yaml": "Parameters:\n  A: {Type: String}\n"}
    figures = re.sub(r"= \d+$", "= 1000000", (ROOT / brake.FIGURES).read_text(), flags=re.MULTILINE)
    texts[brake.FIGURES] = re.sub(r"(?s)generated = \[.*?\]", 'generated = ["docs/metrics.json"]', figures)
    for path, text in texts.items():
        add(tmp_path, path, text)
    monkeypatch.setattr(brake, "tracked", files_of)
    run(tmp_path, monkeypatch, "--write")
    return tmp_path


def files_of(root):
    return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())


def run(root, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["brake", *arguments])
    return brake.main(root)


def add(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + text)


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("src/lib.rs", "fn another() {}\n", "product"),
        ("src/lib.rs", TESTS.replace("check", "another_check_of"), "unit tests"),
        ("crates/one/src/plan_tests.rs", "fn check() {}\n", "unit tests"),
        ("tests/faults/mirrors/main.rs", "fn check() {}\n", "fault suites"),
        ("tests/local/aws/rule.py", "VALUE = 1\n", "emulators"),
        ("tests/policies/rows.yaml", "a: b\n", "other tests"),
        ("cli/more.py", "VALUE = 1\n", "cli"),
        ("Makefile", "all: one\n", "tools"),
        ("events/one.json", '{"a": "b"}\n', "templates"),
        (PAGE, "# A page\n", "docs"),
        (PAGE, "", "pages"),
        (ANSWER, "{}\n", "questions"),
        ("templates/more.yaml", "Parameters:\n  A: {Type: String}\n", "parameters"),
    ],
)
def test_excess_fails_and_is_named(path, text, named, repository, monkeypatch, capsys):
    assert run(repository, monkeypatch) == 0
    add(repository, path, text)
    assert run(repository, monkeypatch) == 1
    assert f"{named}: " in capsys.readouterr().err


@pytest.mark.parametrize("path", IN_CODE)
def test_entry_of_a_list_in_code_is_counted(path, repository):
    former = {name: count(repository) for name, count in brake.LISTS.items()}
    entry = IN_CODE[path]
    text = (repository / path).read_text()
    assert entry in text
    (repository / path).write_text(text.replace(entry, entry * 2, 1))
    added = [count(repository) - former[name] for name, count in brake.LISTS.items()]
    assert sorted(added) == [0] * (len(added) - 1) + [1]


def test_neither_a_comment_nor_a_formatter_changes_a_figure():
    assert brake.words_of("a.rs", RUST).counted == brake.words_of("a.rs", JOINED).counted == 9
    assert brake.words_of("a.py", PYTHON) == brake.Words(6, 14)
    assert brake.words_of("cli/a.py", PYTHON) == brake.Words(14, 6)
    assert brake.words_of("a.yaml", "# a comment\nA: b # another\n") == brake.Words(2, 3)
    assert brake.words_of("a.md", "# A title\n") == brake.Words(2, 0)


def test_unit_tests_of_a_file_are_not_product():
    found = dict(brake.parts("src/lib.rs", RUST + TESTS))
    assert found["unit tests"].strip() == TESTS.strip() and found["product"].strip() == RUST.strip()


def test_write_lowers_figures_and_raises_none(repository, monkeypatch):
    (repository / "src/lib.rs").write_text(JOINED)
    add(repository, PAGE, "Words of a page\n")
    former = brake.read_figures(repository)
    assert run(repository, monkeypatch, "--write") == 1
    figures = brake.read_figures(repository)
    assert figures["words"]["unit tests"] < former["words"]["unit tests"]
    assert figures["words"]["docs"] == former["words"]["docs"]
    assert figures["lists"] == former["lists"]


def test_generated_file_that_is_gone_is_named(repository, monkeypatch, capsys):
    figures = repository / brake.FIGURES
    figures.write_text(figures.read_text().replace('"docs/metrics.json"', '"docs/metrics.json", "gone.lock"'))
    assert run(repository, monkeypatch) == 1
    assert "names gone.lock, which does not exist" in capsys.readouterr().err
