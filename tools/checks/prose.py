"""Checks the prose of the repository: the words of tools/checks/prose.yaml, and the length of sentences.

It reads Markdown, comments and documentation of Rust, Python, YAML, shell and make, and the descriptions of
templates. Code, names, links' targets and generated pages are left out. `python -m tools.checks.prose` lists
the findings.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "tools/checks/prose.yaml"
# The source of each of these pages is checked.
_GENERATED = "<!-- Written by tools/docs/reference.py. Change the source"
_DESCRIPTIONS = {"Description", "ConstraintDescription", "AlarmDescription", "Text"}
_COMMENTS = {
    ".rs": r"\s*//[/!]?",
    ".yaml": r"\s*#",
    ".yml": r"\s*#",
    ".sh": r"\s*#",
    ".toml": r"\s*#",
    "": r"\s*#",
}
_BLOCK = re.compile(r"\s*(?:[-*+]|\d+[.)]|#+|>)\s+|\s*\|")
# An abbreviation's full stop, and the place between two sentences.
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|no)\.", re.IGNORECASE)
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?:])[)\"'*_”]*\s+")


class Prose(NamedTuple):
    """One paragraph, item or cell, with the line in which it begins."""

    line: int
    text: str


class Finding(NamedTuple):
    line: int
    problem: str


def markdown(text: str, first_line: int = 1) -> Iterator[Prose]:
    """The paragraphs, items and cells, with `code` for each piece of code. Lines in columns are code too."""
    without_code = re.sub(
        r"^( *)(```|~~~).*?^ *\2 *$|<!--.*?-->|\A---\n.*?^---$|^[^\n]*\S {3,}\S[^\n]*$",
        _blank,
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    block: list[str] = []
    start = first_line
    for number, line in enumerate([*without_code.splitlines(), ""], first_line):
        if block and (not line.strip() or _BLOCK.match(line)):
            yield from _cells(start, " ".join(block))
            block = []
        if line.strip():
            start = start if block else number
            block.append(line.strip())


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _cells(line: int, block: str) -> Iterator[Prose]:
    text = re.sub(r"(`+).+?\1", "code", block)
    text = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"<[^>\s][^>]*>|https?://\S+|\{[^}]*\}", "", text)
    if text.startswith("|"):
        for cell in re.split(r"(?<!\\)\|", text.strip("|")):
            yield Prose(line, cell.strip())
    else:
        yield Prose(line, _BLOCK.sub("", text, count=1).strip() if _BLOCK.match(text) else text)


def comments(text: str, mark: str) -> Iterator[Prose]:
    """Each run of lines that are comments, as Markdown."""
    block: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        found = re.match(f"{mark}(?!!/)(.*)", line)
        if found:
            block.append(found[1].removeprefix(" "))
        elif block:
            yield from markdown("\n".join(block), number - len(block))
            block = []


def python(text: str) -> Iterator[Prose]:
    yield from comments(text, r"\s*#")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.line.lstrip().startswith("#"):
            yield from markdown(token.string.lstrip("# "), token.start[0])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            documentation = ast.get_docstring(node)
            if documentation:
                yield from markdown(documentation, node.body[0].lineno)


def descriptions(text: str) -> Iterator[Prose]:
    """The descriptions in a template, at any depth."""
    nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                nodes.append(value)
                if key.value in _DESCRIPTIONS and isinstance(value, yaml.ScalarNode):
                    yield from markdown(" ".join(value.value.split()), value.start_mark.line + 1)


def prose(path: Path) -> list[Prose]:
    text = path.read_text()
    if path.suffix == ".md":
        return [] if _GENERATED in text else list(markdown(text))
    if path.suffix == ".py":
        return list(python(text))
    found = list(comments(text, _COMMENTS[path.suffix]))
    return found + (list(descriptions(text)) if path.suffix == ".yaml" else [])


def without_quotations(text: str) -> str:
    """The text with one word for each quotation: it is another author's."""
    return re.sub(r'"[^"]+"', "quotation", text)


def sentences(text: str) -> list[str]:
    return _BETWEEN_SENTENCES.split(_ABBREVIATION.sub(r"\1", without_quotations(text)))


def words(sentence: str) -> int:
    return len(re.findall(r"[\w'’/.+-]*\w[\w'’/.+-]*", sentence))


def findings(found: list[Prose], rules: dict[str, str], most_words: int) -> Iterator[Finding]:
    for line, text in found:
        for words_of_rule, better in rules.items():
            if match := re.search(rf"\b(?:{words_of_rule})\b", without_quotations(text), re.IGNORECASE):
                yield Finding(line, f"“{match[0]}”: {better}")
        for sentence in sentences(text):
            if words(sentence) > most_words:
                yield Finding(
                    line, f"{words(sentence)} words in one sentence, at most {most_words}: {sentence[:60]}…"
                )


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.splitlines()
    paths = [ROOT / name for name in listed]
    return sorted(
        path
        for path in paths
        if path.is_file() and (path.suffix in {*_COMMENTS, ".md", ".py"} - {""} or path.name == "Makefile")
    )


def long_pages(most_words: int) -> list[str]:
    """The pages of docs/ that are written by hand and have more words than a reader finishes, the longest
    first."""
    pages = {
        path: len(text.split())
        for path in files()
        if path.suffix == ".md"
        and path.is_relative_to(ROOT / "docs")
        and _GENERATED not in (text := path.read_text())
    }
    return [
        f"{path.relative_to(ROOT)}: {count:,} words"
        for path, count in sorted(pages.items(), key=lambda page: -page[1])
        if count > most_words
    ]


def main() -> int:
    content = yaml.safe_load(RULES.read_text())
    for page in long_pages(content["words_of_a_long_page"]):
        print(page)
    count = 0
    for path in files():
        for finding in findings(prose(path), content["words"], content["most_words_in_a_sentence"]):
            print(f"{path.relative_to(ROOT)}:{finding.line}: {finding.problem}")
            count += 1
    print(f"prose: {count} findings in {len(files())} files")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
