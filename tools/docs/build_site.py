"""Builds the documentation as a static site in site/: `make docs`.

The pages keep their places in the repository, so that the same links work on GitHub and in the site. Each
page of docs/, the pages beside the README, and every file that they link to are copied to a temporary folder,
which MkDocs builds. A broken link, a missing heading or any other warning fails the build.
"""

import logging
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
# A page in a table of docs/README.md, or in that of the decisions.
_ROW = re.compile(r"^\| \[([^\]]*)\]\(([^)#]+\.md)\)", re.MULTILINE)
_FENCE = re.compile(r" *(```|~~~)")
_ITEM = re.compile(r"(?:[-*]|\d+\.) +")
_INDENT = 4
_PAGES_BESIDE_THE_README = ["CHANGELOG.md", "SECURITY.md"]
# Neither the navigation nor the search has a page for people who change cfn-gitops. Links lead to it.
_NOT_FOUND = "---\nsearch:\n  exclude: true\n---\n\n"


def links(page: Path) -> Iterator[Path]:
    """The files of the repository to which a page links."""
    for target in _LINK.findall(page.read_text()):
        path = (page.parent / target).resolve()
        if not re.match(r"[a-z]+:", target) and path.is_relative_to(ROOT) and path.is_file():
            yield path


def files() -> set[Path]:
    """The pages, and everything that they link to, directly or through other pages."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "docs", ":!docs/schemas"],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.splitlines()
    found: set[Path] = set()
    unread = {
        ROOT / name for name in ("README.md", *listed, *_PAGES_BESIDE_THE_README) if (ROOT / name).exists()
    }
    while unread:
        found |= unread
        unread = {target for page in unread if page.suffix == ".md" for target in links(page)} - found
    return found


def with_wide_indents(text: str) -> str:
    """The same Markdown with four spaces before each part of an item of a list.

    GitHub takes the width of the item's mark instead, and needs no empty line before a list.
    """
    lines: list[str] = []
    fence = ""
    width = 0
    has_paragraphs = False
    for line in text.splitlines():
        mark = _FENCE.match(line)
        item = _ITEM.match(line) if not fence else None
        # Otherwise the item becomes a part of the paragraph before it.
        if item and lines and lines[-1] and (has_paragraphs or not width):
            lines.append("")
        if item:
            width, has_paragraphs = len(item[0]), False
        elif not line:
            has_paragraphs = bool(width)
        elif not line.startswith(" " * width):
            width, has_paragraphs = 0, False
        lines.append(" " * (_INDENT - width) + line if line and width and not item else line)
        if mark:
            fence = "" if fence == mark[1] else fence or mark[1]
    return "\n".join(lines) + "\n"


def copy_to(folder: Path) -> None:
    found = {ROOT / page for page in pages_of(navigation())}
    for file in files():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            text = with_wide_indents(file.read_text())
            target.write_text(
                text if file in found or file.is_relative_to(ROOT / "examples") else _NOT_FOUND + text
            )
        else:
            shutil.copyfile(file, target)


def navigation() -> list[dict[str, Any]]:
    """The sections of docs/README.md with their groups, and the pages that their tables list, each once."""
    seen: set[str] = set()

    def pages(text: str) -> list[Any]:
        rows = {f"docs/{target}": title for title, target in _ROW.findall(text)}
        found = [target for target in rows if target not in seen]
        seen.update(found)
        return [{rows[target]: folder(target)} if target.count("/") == 3 else target for target in found]

    # Under their own titles, both would be called cfn-gitops.
    sections: list[dict[str, Any]] = [{"Overview": "README.md"}, {"All pages": "docs/README.md"}]
    index = (ROOT / "docs/README.md").read_text().partition("\n## Development\n")[0]
    for section in index.split("\n## ")[1:]:
        own, *groups = section.split("\n### ")
        entries = [*pages(own), *({group.splitlines()[0]: pages(group)} for group in groups)]
        sections.append({section.splitlines()[0]: entries})
    project = sections[-1][next(iter(sections[-1]))]
    project += _PAGES_BESIDE_THE_README
    return sections


def pages_of(entries: Any) -> list[str]:
    """The pages of a part of the navigation, in their order."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [page for part in parts for page in pages_of(part)]


def folder(index: str) -> list[Any]:
    """The index of a folder, and the pages of its table with their names there, which need no word of the
    folder's."""
    rows = _ROW.findall((ROOT / index).read_text())
    return [index, *({title: f"{index.removesuffix('README.md')}{page}"} for title, page in rows)]


def header() -> dict[str, str]:
    """The name with version and status, which every page shows at its top, and the repository if the owner
    has set it."""
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    package = cargo["package"] | cargo["workspace"]["package"]
    status = re.findall(r"\*\*Status: (\w+)\.", (ROOT / "README.md").read_text())[0]
    name = {"site_name": f"cfn-gitops {package['version']} {status}"}
    return name if "OWNER" in package["repository"] else {**name, "repo_url": package["repository"]}


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    with tempfile.TemporaryDirectory() as folder:
        copy_to(Path(folder))
        from mkdocs.commands.build import build
        from mkdocs.config import load_config
        from mkdocs.exceptions import Abort

        try:
            build(
                load_config(
                    str(ROOT / "tools/docs/mkdocs.yml"),
                    docs_dir=folder,
                    site_dir=str(SITE),
                    nav=navigation(),
                    **header(),
                )
            )
        except Abort as error:
            print(error, file=sys.stderr)
            return 1
    print(f"site/ has {len(list(SITE.rglob('*.html')))} pages: open site/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
