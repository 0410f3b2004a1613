"""The check of the dependencies finds everything that `deny.toml` forbids, and supports all its rules."""

import copy
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from check_dependencies import compiled, faults_in, faults_of, tree  # noqa: E402

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
RULES = {
    "licenses": {"allow": ["MIT", "Apache-2.0"], "exceptions": [{"crate": "ring", "allow": ["ISC"]}]},
    "bans": {"skip": [{"crate": "syn@2.0.0", "reason": "x"}], "deny": [{"crate": "openssl-sys", "reason": "rustls"}]},
    "sources": {"allow-registry": [CRATES_IO.removeprefix("registry+")]},
}
FINE = [("ours", "1.0.0", "MIT", None), ("ring", "1.0.0", "Apache-2.0 AND ISC", CRATES_IO),
        ("syn", "2.0.0", "MIT OR Apache-2.0", CRATES_IO), ("syn", "3.0.0", "MIT/Apache-2.0", CRATES_IO)]


def packages(*rows, needs=()):
    dependencies = [{"name": name, "req": req} for name, req in needs]
    return {f"{name}@{version}": {"name": name, "version": version, "license": licence, "source": source,
                                  "dependencies": [] if source else dependencies}
            for name, version, licence, source in rows}


def test_allowed_package_passes():
    assert faults_in(RULES, packages(*FINE, needs=[("ring", "^1")])) == []


# claim: forbidden-package-is-named
@pytest.mark.parametrize(("row", "fault"), [
    (("gpl", "1.0.0", "GPL-3.0-only", CRATES_IO), "gpl 1.0.0: licence GPL-3.0-only is not allowed"),
    (("both", "1.0.0", "MIT AND GPL-3.0-only", CRATES_IO), "both 1.0.0: licence MIT AND GPL-3.0-only is not allowed"),
    (("none", "1.0.0", None, CRATES_IO), "none 1.0.0: licence unknown is not allowed"),
    # An exception is for one crate.
    (("other", "1.0.0", "ISC", CRATES_IO), "other 1.0.0: licence ISC is not allowed"),
    (("forked", "1.0.0", "MIT", "git+https://example.com/x#1"), "forked 1.0.0: comes from git+https://example.com/x#1"),
    (("mirrored", "1.0.0", "MIT", "registry+https://example.com"), "mirrored 1.0.0: comes from registry+https://example.com"),
    (("openssl-sys", "1.0.0", "MIT", CRATES_IO), "openssl-sys 1.0.0: rustls"),
    (("ring", "2.0.0", "ISC", CRATES_IO), "ring: has the versions 1.0.0 and 2.0.0"),
])
def test_forbidden_package_is_named(row, fault):
    assert faults_in(RULES, packages(*FINE, row)) == [fault]


def test_unneeded_exception_is_named():
    assert faults_in(RULES, packages(FINE[0])) == [
        "deny.toml: the exception for ring is not needed", "deny.toml: syn@2.0.0 is skipped without need"]


def test_unbounded_version_is_rejected():
    found = faults_in(RULES, packages(*FINE, needs=[("ring", "*")]))
    assert found == ["ours 1.0.0: takes any version of ring"]


def test_uncompiled_package_is_ignored():
    used, unused = [{"id": name, "name": name, "version": "1.0.0"} for name in "ab"]
    assert compiled({"packages": [used, unused]}, {("a", "1.0.0"), ("b", "2.0.0")}) == {"a": used}


def test_weak_optional_dependency_is_not_compiled():
    names = {name for name, _ in tree("x86_64-unknown-linux-gnu")}
    assert {"cfn-gitops", "serde_with", "proptest"} <= names
    # A feature of serde_with names it, and no enabled feature needs it.
    assert "schemars" not in names


def test_every_deny_toml_setting_is_enforced_by_both():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    assert faults_of(rules) == []
    looser = copy.deepcopy(rules)
    looser["bans"]["multiple-versions"] = "warn"
    looser["licenses"]["confidence-threshold"] = 0.5
    assert faults_of(looser) == ["deny.toml: [licenses] confidence-threshold: unknown to this check",
                                 'deny.toml: [bans] multiple-versions: must be "deny"']


REQUIREMENTS = ("requirements.txt", "requirements-run.txt", "requirements-build.txt", "requirements-docs.txt",
                "bench/functions/crhelper/requirements.txt")
PINNED = re.compile(r"[A-Za-z0-9._-]+==[^ ]+( --hash=sha256:[0-9a-f]{64})+")


def faults_of_requirements(text):
    """Every line that is neither an option, nor another file that is checked, nor a version with hashes."""
    lines = [line for line in text.replace("\\\n", "").splitlines() if line and not line.startswith("#")]
    options = ("--", "-r requirements-run.txt")
    return [line for line in lines if not line.startswith(options) and not PINNED.fullmatch(re.sub(" +", " ", line))]


# claim: every-python-package-has-hashes
@pytest.mark.parametrize("path", REQUIREMENTS)
def test_every_python_package_has_hashes(path):
    text = (ROOT / path).read_text()
    assert faults_of_requirements(text) == []
    # A wheel does not run code of its own when it is installed: all but one package have wheels.
    options = {line for line in text.splitlines() if line.startswith("--")}
    assert options <= {"--only-binary :all:", "--no-binary git-remote-codecommit"}
    assert "--only-binary :all:" in options


def test_requirement_without_a_hash_is_named():
    of_a_hash = "--hash=sha256:" + 64 * "0"
    assert faults_of_requirements(f"a==1 \\\n    {of_a_hash} \\\n    {of_a_hash}\nb==2\nc>=3 {of_a_hash}\n") == [
        "b==2", f"c>=3 {of_a_hash}"]


# claim: every-python-package-has-hashes
def test_every_installation_requires_hashes():
    files = [ROOT / "Makefile", ROOT / "bench/contenders.py"]
    calls = [call for path in files for call in re.findall(r"pip[\", ]+install.*?(?:\n\t|\]|$)", path.read_text(), re.DOTALL)]
    assert len(calls) == 5
    assert [call for call in calls if "--require-hashes" not in call or "--no-deps" not in call] == []


# claim: rust-toolchain-is-one-version
def test_rust_toolchain_is_one_version():
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    needed = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", channel)
    assert channel.startswith(f"{needed}.")
