"""Compares the crates that Cargo lists with the rules of `deny.toml`: `make lint-dependencies`.

cargo-deny itself takes minutes to compile. This script needs only Cargo, which downloads missing crates. It reads
the same file, as far as it is used here: licences, bans and sources. Unknown settings in it are errors, so that no
rule is silently skipped. Only cargo-deny checks published advisories: `make audit`.
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
# With other values here, cargo-deny would accept a crate that this script rejects.
STRICT = {
    ("bans", "multiple-versions"): "deny",
    ("bans", "multiple-versions-include-dev"): True,
    ("bans", "wildcards"): "deny",
    ("sources", "unknown-registry"): "deny",
    ("sources", "unknown-git"): "deny",
}


def metadata(target: str) -> dict:
    """All packages in Cargo's lock file for `target`."""
    return json.loads(_cargo("metadata", "--format-version=1", f"--filter-platform={target}"))


def tree(target: str) -> set[tuple[str, str]]:
    """Name and version of each package that Cargo compiles for `target`, including tests.

    `cargo metadata` also lists optional dependencies that only a weak feature names (`schemars_1?/std` of serde_with),
    which are never compiled: https://github.com/rust-lang/cargo/issues/10801
    """
    listed = _cargo("tree", "--edges=normal,build,dev", "--target", target, "--prefix=none", "--format={p}")
    words = (line.split(" ") for line in listed.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def _cargo(command: str, *arguments: str) -> str:
    return subprocess.run(["cargo", command, "--locked", *arguments],
                          cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def compiled(metadata: dict, named: set[tuple[str, str]]) -> dict[str, dict]:
    """The packages by their IDs: `packages` also lists those that no target uses."""
    return {package["id"]: package for package in metadata["packages"]
            if (package["name"], package["version"]) in named}


def faults_of(rules: dict) -> list[str]:
    """The settings in the rules that this script does not enforce."""
    faults = [f"deny.toml: [{table}] {key}: unknown to this check" for table, members in rules.items()
              for key in sorted(set(members) - KNOWN.get(table, set()))]
    return faults + [f"deny.toml: [{table}] {key}: must be {json.dumps(must_be)}"
                     for (table, key), must_be in STRICT.items() if rules.get(table, {}).get(key) != must_be]


def faults_in(rules: dict, packages: dict[str, dict]) -> list[str]:
    """Every violation of the rules, and every exception that is not needed."""
    ours = [package for package in packages.values() if package["source"] is None]
    others = [package for package in packages.values() if package["source"] is not None]
    return [*_licences(rules["licenses"], ours + others), *_sources(rules["sources"], others),
            *_bans(rules["bans"], others), *_wildcards(ours)]


def _licences(rules: dict, packages: list[dict]) -> list[str]:
    exceptions = {one["crate"]: set(one["allow"]) for one in rules["exceptions"]}
    faults = [f"deny.toml: the exception for {name} is not needed" for name in
              sorted(set(exceptions) - {package["name"] for package in packages})]
    for package in packages:
        allowed = set(rules["allow"]) | exceptions.get(package["name"], set())
        # The slash is the former spelling of `or`.
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
            faults.append(f"{name}: has the versions {' and '.join(sorted(found))}")
    needed = {f"{name}@{version}" for name, found in twice.items() for version in found}
    return faults + [f"deny.toml: {one} is skipped without need" for one in sorted(skipped - needed)]


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
