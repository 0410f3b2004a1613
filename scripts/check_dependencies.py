"""What `deny.toml` says of crates, held against what Cargo knows: `make lint-dependencies`.

cargo-deny itself takes minutes to compile. This asks nobody but Cargo, which fetches what it has not yet, and reads
the same file, as far as it is used here: licences, bans and sources. What it does not know in it is an error, so that
nothing is believed to be checked that is not. Published advisories are cargo-deny's alone: `make audit`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import license_expression
from boolean.boolean import AND, OR, Expression

ROOT = Path(__file__).parents[1]
KNOWN = {
    "graph": {"targets"},
    "advisories": {"unmaintained", "yanked", "ignore"},
    "licenses": {"allow", "exceptions"},
    "bans": {"multiple-versions", "multiple-versions-include-dev", "wildcards", "skip", "deny"},
    "sources": {"unknown-registry", "unknown-git", "allow-registry"},
}
# What else these are, cargo-deny would let something through that is refused here.
STRICT = {
    ("bans", "multiple-versions"): "deny",
    ("bans", "multiple-versions-include-dev"): True,
    ("bans", "wildcards"): "deny",
    ("sources", "unknown-registry"): "deny",
    ("sources", "unknown-git"): "deny",
}


def metadata(target: str) -> dict:
    """Everything that Cargo's lock file knows for `target`."""
    return json.loads(_cargo("metadata", "--format-version=1", f"--filter-platform={target}"))


def tree(target: str) -> set[tuple[str, str]]:
    """Name and version of everything that Cargo compiles for `target`, tests included.

    `cargo metadata` also lists optional dependencies that only a weak feature names (`schemars_1?/std` of serde_with),
    which are never compiled: https://github.com/rust-lang/cargo/issues/10801
    """
    listed = _cargo("tree", "--edges=normal,build,dev", "--target", target, "--prefix=none", "--format={p}")
    words = (line.split(" ") for line in listed.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def _cargo(command: str, *arguments: str) -> str:
    return subprocess.run(["cargo", command, "--locked", *arguments],
                          cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def compiled(told: dict, named: set[tuple[str, str]]) -> dict[str, dict]:
    """The packages by their ids: `packages` lists what no target uses, too."""
    return {package["id"]: package for package in told["packages"] if (package["name"], package["version"]) in named}


def faults_of(rules: dict) -> list[str]:
    """What in the rules is not enforced here."""
    faults = [f"deny.toml: [{table}] {key}: unknown to this check" for table, members in rules.items()
              for key in sorted(set(members) - KNOWN.get(table, set()))]
    return faults + [f"deny.toml: [{table}] {key}: must be {json.dumps(must_be)}"
                     for (table, key), must_be in STRICT.items() if rules.get(table, {}).get(key) != must_be]


def faults_in(rules: dict, packages: dict[str, dict]) -> list[str]:
    """Everything about the packages that the rules forbid, and every exception that nobody needs."""
    ours = [package for package in packages.values() if package["source"] is None]
    others = [package for package in packages.values() if package["source"] is not None]
    return [*_licences(rules["licenses"], ours + others), *_sources(rules["sources"], others),
            *_bans(rules["bans"], others), *_wildcards(ours)]


def _licences(rules: dict, packages: list[dict]) -> list[str]:
    exceptions = {one["crate"]: set(one["allow"]) for one in rules["exceptions"]}
    faults = [f"deny.toml: the exception for {name} is for nothing" for name in
              sorted(set(exceptions) - {package["name"] for package in packages})]
    for package in packages:
        allowed = set(rules["allow"]) | exceptions.get(package["name"], set())
        # The slash is how `or` was once written.
        licence = (package["license"] or "").replace("/", " OR ")
        if not licence or not _is_allowed(_parsed(licence), allowed):
            faults.append(f"{_named(package)}: licence {licence or 'unknown'} is not allowed")
    return faults


def _parsed(licence: str) -> Expression:
    return license_expression.get_spdx_licensing().parse(licence, validate=True)


def _is_allowed(expression: Expression, allowed: set[str]) -> bool:
    if isinstance(expression, (AND, OR)):
        parts = [_is_allowed(part, allowed) for part in expression.args]
        return all(parts) if isinstance(expression, AND) else any(parts)
    return str(expression) in allowed


def _sources(rules: dict, packages: list[dict]) -> list[str]:
    allowed = {f"registry+{address}" for address in rules["allow-registry"]}
    return [f"{_named(package)}: comes from {package['source']}" for package in packages
            if package["source"] not in allowed]


def _bans(rules: dict, packages: list[dict]) -> list[str]:
    banned = {one["crate"]: one["reason"] for one in rules["deny"]}
    faults = [f"{_named(package)}: {banned[package['name']]}" for package in packages if package["name"] in banned]
    skipped = {one["crate"] for one in rules["skip"]}
    versions: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        versions[package["name"]].add(package["version"])
    twice = {name: found for name, found in versions.items() if len(found) > 1}
    for name, found in sorted(twice.items()):
        left = {version for version in found if f"{name}@{version}" not in skipped}
        if len(left) > 1:
            faults.append(f"{name}: is there as {' and as '.join(sorted(found))}")
    needed = {f"{name}@{version}" for name, found in twice.items() for version in found}
    return faults + [f"deny.toml: {one} is skipped for nothing" for one in sorted(skipped - needed)]


def _wildcards(packages: list[dict]) -> list[str]:
    return [f"{_named(package)}: takes any version of {needed['name']}" for package in packages
            for needed in package["dependencies"] if needed["req"] == "*"]


def _named(package: dict) -> str:
    return f"{package['name']} {package['version']}"


def main() -> int:
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    packages: dict[str, dict] = {}
    for target in rules["graph"]["targets"]:
        packages |= compiled(metadata(target), tree(target))
    faults = faults_of(rules) or faults_in(rules, packages)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{len(packages)} packages: licences, versions and sources are as deny.toml says. "
              "Published advisories: make audit.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
