"""Checks whether two builds of the same commit give the same bytes: `make dist-check`.

The last commit is built twice, in folders of different depth and with target directories of different names.
The files of `make dist` have to be equal, and must not contain the name of either folder or of the user's
home.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(checkout: Path, target: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    subprocess.run(
        [sys.executable, "-m", "tools.release.dist"],
        cwd=checkout,
        check=True,
        env=os.environ
        | {"CARGO_TARGET_DIR": str(target), "DOCS_PYTHON": str(ROOT / ".venv-docs/bin/python")},
    )
    return checkout / "dist"


def places_named(dist: Path, places: list[Path]) -> list[str]:
    """The ones of these names that the binaries contain."""
    binaries = [zipfile.ZipFile(path).read("bootstrap") for path in dist.glob("*.zip")]
    return [str(place) for place in places if any(f"{place}/".encode() in binary for binary in binaries)]


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        first, second = Path(directory, "a"), Path(directory, "another/folder/b")
        one = build(first, first / "target")
        other = build(second, Path(directory, "target-of-b"))
        sums = [(dist / "SHA256SUMS").read_text().splitlines() for dist in (one, other)]
        differing = sorted(line.split("  ")[1] for line in set(sums[0]) ^ set(sums[1]))
        named = places_named(one, [Path(directory), Path.home()]) + places_named(other, [Path(directory)])
        for name in dict.fromkeys(differing):
            print(f"{name} differs", file=sys.stderr)
        for place in dict.fromkeys(named):
            print(f"a binary names {place}, where it was built", file=sys.stderr)
        if not differing and not named:
            print("\nBuilt twice, the same:", *sums[0], sep="\n  ")
    return 1 if differing or named else 0


if __name__ == "__main__":
    sys.exit(main())
