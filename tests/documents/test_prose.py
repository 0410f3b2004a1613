"""The texts that tools/checks/prose.py reads, and its findings. `make lint-prose` checks the repository
itself."""

from pathlib import Path

import pytest

from tools.checks import prose as check_prose

ROOT = Path(__file__).parents[2]


def read(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)
    return [(line, prose) for line, prose in check_prose.prose(file) if prose]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.md",
            "# Title\n\nOne\ntwo.\n- `a b` and [c d](e.md)\n- <b>f</b>\n",
            [(1, "Title"), (3, "One two."), (5, "code and c d"), (6, "f")],
        ),
        ("a.md", "| a | b\\|c |\n|---|---|\n", [(1, "a"), (1, "b\\|c"), (2, "---"), (2, "---")]),
        ("a.md", "```sh\ncode\n```\n<!-- hidden -->\nshown\n", [(5, "shown")]),
        ("a.md", "One.\na    b\nTwo.\n", [(1, "One."), (3, "Two.")]),
        ("a.md", "<!-- Written by tools/docs/reference.py. Change the source, and run it. -->\ntext\n", []),
        (
            "a.rs",
            "//! One\n//! two.\nlet a = 1; // not read\n/// Three.\nfn a() {}\n",
            [(1, "One two."), (4, "Three.")],
        ),
        (
            "a.py",
            '"""One\ntwo."""\na = 1  # three\n# four\n# five\n',
            [(1, "One two."), (3, "three"), (4, "four five")],
        ),
        ("a.sh", "#!/bin/sh\n# One.\ntrue\n", [(2, "One.")]),
        (
            "a.yaml",
            (
                "# One.\nParameters:\n  A:\n    Description: >-\n      Two\n      three.\n    Default: !Ref"
                " four\n"
            ),
            [(1, "One."), (4, "Two three.")],
        ),
    ],
)
def test_prose_of_each_kind_of_file_is_read(tmp_path, name, text, expected):
    assert sorted(read(tmp_path, name, text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two? Three: four", ["One.", "Two?", "Three:", "four"]),
        ("See e.g. one. Two", ["See e.g one.", "Two"]),
        ('AWS says "One. Two." here', ["AWS says quotation here"]),
        ("Version 1.2 of a.rs", ["Version 1.2 of a.rs"]),
    ],
)
def test_text_is_split_into_sentences(text, expected):
    assert check_prose.sentences(text) == expected


@pytest.mark.parametrize(("sentence", "count"), [("a b-c don't", 3), ("1.5 % of x/y = z", 4), ("a – b", 2)])
def test_words_with_marks_inside_count_once(sentence, count):
    assert check_prose.words(sentence) == count


def test_banned_word_and_long_sentence_are_found():
    prose = [check_prose.Prose(3, "Somebody. One two three four."), check_prose.Prose(9, 'Fine: "somebody".')]
    found = list(check_prose.findings(prose, {"somebody": "name the actor"}, 3))
    assert found == [
        (3, "“Somebody”: name the actor"),
        (3, "4 words in one sentence, at most 3: One two three four.…"),
    ]


def test_long_pages_of_the_documentation_are_listed(tmp_path, monkeypatch):
    texts = {"a": "a b c", "b": "a b c d", "short": "a b", "generated": f"{check_prose._GENERATED} a b c"}
    pages = [tmp_path / "docs" / f"{name}.md" for name in texts]
    (tmp_path / "docs").mkdir()
    for page in (*pages, tmp_path / "README.md"):
        page.write_text(texts.get(page.stem, "a b c"))
    monkeypatch.setattr(check_prose, "ROOT", tmp_path)
    monkeypatch.setattr(check_prose, "files", lambda: [*pages, tmp_path / "README.md"])
    assert [line.split("/")[1] for line in check_prose.long_pages(2)] == ["b.md: 4 words", "a.md: 3 words"]
