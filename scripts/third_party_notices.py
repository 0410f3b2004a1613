"""The licences of everything that is linked into the binary, as they ask to be passed on with it.

    python scripts/third_party_notices.py x86_64-unknown-linux-gnu

Which packages those are, cargo says: no build scripts, no macros, no tests. The texts come from the packages
themselves, equal ones once. LLVM's libunwind, which zig links, needs no notice in a binary (LLVM-exception).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?", re.IGNORECASE)
_RULE = "=" * 100

# For those whose package holds no text. Of several licences that are offered, this one.
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
IN THE SOFTWARE."""


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
        """Its licences and notices, those of what it has taken in among them (ring holds BoringSSL's, for one)."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and _LICENCE_FILE.fullmatch(path.name)
                 and path.suffix.lower() not in {".rs", ".py", ".html"}]
        return [path.read_text("utf-8", errors="replace") for path in sorted(files)]


def linked(targets: list[str]) -> list[Package]:
    """What is linked for any of these targets, without this package itself."""
    names = set()
    for target in targets:
        listed = _cargo("tree", "--edges=normal,no-proc-macro", "--target", target, "--prefix=none", "--format={p}")
        names |= {tuple(line.split(" ")[:2]) for line in listed.splitlines()}
    about = json.loads(_cargo("metadata", "--format-version=1"))["packages"]
    return [Package(package["name"], package["version"], package["license"], tuple(package["authors"]),
                    Path(package["manifest_path"]).parent)
            for package in sorted(about, key=lambda package: (package["name"], package["version"]))
            if (package["name"], f"v{package['version']}") in names and package["source"]]


def of(targets: list[str]) -> str:
    """The whole file."""
    by_text: dict[str, list[str]] = defaultdict(list)
    # Those without a text come last, when the others have brought theirs.
    for package in sorted(linked(targets), key=lambda package: not package.texts()):
        for text in package.texts() or [_standard_text(package, by_text)]:
            heading = by_text[_same(text, by_text)]
            if package.words not in heading:
                heading.append(package.words)
    by_text[_MIT.format(holders="The Rust Project contributors")].append(f"Rust's standard library, {_rust()}")
    parts = ["cfn-gitops is under the licence in the file LICENSE. Its binary holds what follows.\n"]
    for text, packages in sorted(by_text.items(), key=lambda pair: (-len(pair[1]), pair[1])):
        parts.append("\n".join([_RULE, *packages, _RULE, "", text, ""]))
    return "\n".join(parts)


def _standard_text(package: Package, by_text: dict[str, list[str]]) -> str:
    """A licence's own text, where a package names the licence and leaves the text out."""
    offered = set(re.split(r" OR |/", package.licence))
    if "MIT" in offered:
        return _MIT.format(holders=", ".join(package.authors) or f"the authors of {package.name}")
    if offered == {"Apache-2.0"}:
        # It begins with its name; the one that most packages hold has nobody's in it.
        for text in by_text:
            if text.lstrip().startswith("Apache License") and "END OF TERMS AND CONDITIONS" in text:
                return text
    sys.exit(f"{package.words} holds no licence, and there is no standard text of it here")


def _same(text: str, by_text: dict[str, list[str]]) -> str:
    """The text as it is known already, if it differs in white space alone."""
    words = text.split()
    for known in by_text:
        if known.split() == words:
            return known
    return text.strip("\n")


def _rust() -> str:
    return subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.split()[1] + " (MIT OR Apache-2.0)"


def _cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments, "--locked"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          check=True).stdout


if __name__ == "__main__":
    print(of(sys.argv[1:]), end="")
