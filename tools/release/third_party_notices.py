"""The licences of everything that is linked into the binary or is in the file `cfn-gitops` or beside it for
completion, which have to be passed on.

cargo lists the packages of the binary, without build scripts, macros and tests. The texts come from the
packages. Equal texts appear once. LLVM's libunwind, which zig links, needs no notice in a binary
(LLVM-exception).
"""

import email.parser
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import shtab

from tools.release import bundle

ROOT = Path(__file__).parents[2]
# tools/release/build.sh builds for it.
TARGET = "x86_64-unknown-linux-gnu"
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?", re.IGNORECASE)
_RULE = "=" * 100

# For packages without a text. If a package offers several licences, this one.
_MIT = """Copyright (c) {holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation
the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and
to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO
THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF
CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS
IN THE SOFTWARE."""  # noqa: E501


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    authors: tuple[str, ...]
    directory: Path

    @property
    def words(self) -> str:
        return f"{self.name} {self.version} ({self.licence})"

    def texts(self) -> list[str]:
        """Its licences and notices, including those of other software in it (ring contains BoringSSL's)."""
        files = [
            path
            for path in self.directory.rglob("*")
            if path.is_file()
            and _LICENCE_FILE.fullmatch(path.name)
            and path.suffix.lower() not in {".rs", ".py", ".html"}
        ]
        return [path.read_text("utf-8", errors="replace") for path in sorted(files)]


def linked() -> list[Package]:
    """The packages that are linked, without this package itself."""
    listed = _cargo(
        "tree", "--edges=normal,no-proc-macro", "--target", TARGET, "--prefix=none", "--format={p}"
    )
    names = {tuple(line.split(" ")[:2]) for line in listed.splitlines()}
    about = json.loads(_cargo("metadata", "--format-version=1"))["packages"]
    return [
        Package(
            package["name"],
            package["version"],
            package["license"],
            tuple(package["authors"]),
            Path(package["manifest_path"]).parent,
        )
        for package in sorted(about, key=lambda package: (package["name"], package["version"]))
        if (package["name"], f"v{package['version']}") in names and package["source"]
    ]


def bundled() -> list[Package]:
    """The packages in the file `cfn-gitops`, and that of the text in the files for completion."""
    found = []
    for directory in (
        *sorted(bundle.PACKAGES.glob("*.dist-info")),
        *Path(shtab.__file__).parents[1].glob("shtab-*.dist-info"),
    ):
        about = email.parser.HeaderParser().parsestr((directory / "METADATA").read_text())
        licence = about["License-Expression"] or about["License"].splitlines()[0]
        found.append(
            Package(about["Name"], about["Version"], licence, (about["Author"] or about["Name"],), directory)
        )
    return found


def of() -> str:
    """The whole file."""
    notices = _Notices()
    packages = [(package, package.texts()) for package in (*linked(), *bundled())]
    for package, texts in packages:
        for text in texts:
            notices.add(text, package.words)
    for package in [package for package, texts in packages if not texts]:
        notices.add(_standard_text(package, notices), package.words)
    notices.add(
        _MIT.format(holders="The Rust Project contributors"),
        f"Rust's standard library, {rust_version()} (MIT OR Apache-2.0)",
    )
    parts = [
        "cfn-gitops is under the licence in the file LICENSE. Its binary, the file cfn-gitops and those for"
        " completion contain what follows.\n"
    ]
    for text, whose in sorted(
        notices.by_words.values(), key=lambda notice: (-len(notice[1]), notice[1], notice[0])
    ):
        parts.append("\n".join([_RULE, *whose, _RULE, "", text, ""]))
    return "\n".join(parts)


class _Notices:
    """Each text and its packages. Texts that differ only in white space are equal."""

    def __init__(self) -> None:
        self.by_words: dict[str, tuple[str, list[str]]] = {}

    def add(self, text: str, whose: str) -> None:
        packages = self.by_words.setdefault(" ".join(text.split()), (text.strip("\n"), []))[1]
        if whose not in packages:
            packages.append(whose)

    def apache(self) -> str | None:
        """The licence's own text without a holder, from a package that contains it."""
        return next(
            (
                text
                for words, (text, _) in self.by_words.items()
                if words.startswith("Apache License Version 2.0") and "END OF TERMS AND CONDITIONS" in words
            ),
            None,
        )


def _standard_text(package: Package, notices: _Notices) -> str:
    """A licence's own text, for a package that names the licence and lacks the text."""
    offered = set(re.split(r" OR |/", package.licence))
    if "MIT" in offered:
        return _MIT.format(holders=", ".join(package.authors) or f"the authors of {package.name}")
    text = notices.apache() if offered == {"Apache-2.0"} else None
    return text or sys.exit(f"{package.words} holds no licence, and there is no standard text of it here")


def rust_version() -> str:
    return subprocess.run(
        ["rustc", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()[1]


def _cargo(*arguments: str) -> str:
    return subprocess.run(
        ["cargo", *arguments, "--locked"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
