"""`make release`: what stops it, its archive, its provenance, and the commands by which a reader checks
them."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.tools.conftest import ROOT
from tools.release import archive as release
from tools.release import dist

PAGE = ROOT / "docs/project/release.md"
VERSION = dist.version()
NAME = f"cfn-gitops-{VERSION}"
SOURCE = "https://gitlab.com/example/cfn-gitops"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], check=True)
    return file


@pytest.fixture
def repository(tmp_path: Path, key: Path) -> Path:
    """A repository that is ready: an owner, a section of the changelog, and a signed tag on the last
    commit."""
    root = tmp_path / "repository"
    root.mkdir()
    changes = (ROOT / "CHANGELOG.md").read_text()
    (root / "CHANGELOG.md").write_text(changes.replace("[Unreleased]", f"[{VERSION}] - 2026-12-01"))
    (root / "Cargo.toml").write_text((ROOT / "Cargo.toml").read_text().replace(release.repository(), SOURCE))
    for command in ("init --quiet", "add .", "commit --quiet --message all"):
        git(root, command)
    sign_tag(root, key)
    return root


def git(root: Path, command: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *command.split()], cwd=root, check=True
    )


def sign_tag(root: Path, key: Path) -> None:
    git(root, f"-c gpg.format=ssh -c user.signingkey={key} tag --force --sign --message release v{VERSION}")


def test_ready_repository_has_no_problem(repository: Path, key: Path) -> None:
    assert release.problems(repository, VERSION, str(key)) == []


def test_each_problem_is_named_before_the_build(repository: Path, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Cargo.toml", repository / "Cargo.toml")
    (repository / "CHANGELOG.md").write_text("## [Unreleased]\n")
    git(repository, f"tag --delete v{VERSION}")
    found = release.problems(repository, VERSION, str(tmp_path / "missing"))
    expected = [
        "`repository`",
        f"`## [{VERSION}] - <date>`",
        "Commit them",
        f"`git tag --sign v{VERSION}`",
        "SIGNING_KEY",
    ]
    assert len(found) == len(expected)
    assert all(part in problem for part, problem in zip(expected, found, strict=True))


def test_tag_that_the_key_has_not_signed_is_a_problem(repository: Path, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    for tag in (lambda: sign_tag(repository, other), lambda: git(repository, f"tag --force v{VERSION}")):
        tag()
        [problem] = release.problems(repository, VERSION, str(key))
        assert f"`git tag --sign --force v{VERSION}`" in problem


def test_page_verifies_a_release_and_rejects_another(
    repository: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, published = tmp_path / "dist", tmp_path / "published"
    (folder / "templates").mkdir(parents=True)
    (folder / "template.yaml").write_text("Resources: {}\n")
    (folder / "templates/project.yaml").write_text("Resources: {}\n")
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in dist.files(folder)
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))
    written = release.write(folder, published, str(key), repository)
    assert [path.name.removeprefix(NAME) for path in written] == [
        ".intoto.json",
        ".intoto.json.sig",
        ".tar.gz",
        ".tar.gz.sig",
    ]
    # The file in which the owner publishes the key, as on the page.
    (published / "allowed_signers").write_text(f"releases {key.with_suffix('.pub').read_text()}")
    [verify] = [
        block for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "-Y verify" in block
    ]

    def verified() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", verify], cwd=published, capture_output=True, text=True, check=False
        )

    assert (passed := verified()).returncode == 0, passed.stderr
    assert f'"{hashlib.sha256((published / f"{NAME}.tar.gz").read_bytes()).hexdigest()}"' in passed.stdout
    statement = json.loads((published / f"{NAME}.intoto.json").read_text())
    [dependency] = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    commit = release.git(repository, "rev-parse", "HEAD")
    assert dependency == {"uri": f"git+{SOURCE}@refs/tags/v{VERSION}", "digest": {"gitCommit": commit}}

    packed = published / f"{NAME}.tar.gz"
    packed.write_bytes(packed.read_bytes() + b"\0")
    assert verified().returncode != 0

    # An older release under the newer names, beside the folder of the newer one.
    monkeypatch.setattr(dist, "version", lambda: "0.0.9")
    for old in release.write(folder, tmp_path / "older", str(key), repository):
        old.rename(published / old.name.replace("0.0.9", VERSION))
    assert verified().returncode != 0


def test_archive_is_identical_at_another_time(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    (tmp_path / "other/file").chmod(0o600)
    assert release.archive(tmp_path / "one", NAME) == release.archive(tmp_path / "other", NAME)
    (tmp_path / "packed").write_bytes(release.archive(tmp_path / "one", NAME))
    with tarfile.open(tmp_path / "packed") as tar:
        assert [(entry.name, entry.uid, entry.mtime) for entry in tar] == [(f"{NAME}/file", 0, 0)]


def test_both_ci_files_run_the_checks_with_the_pinned_rust() -> None:
    github = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())["jobs"]["checks"]
    of_gitlab = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    gitlab, folder, advisories = of_gitlab["checks"], of_gitlab["dist"], of_gitlab["advisories"]
    scheduled = {"if": '$CI_PIPELINE_SOURCE == "schedule"'}
    assert (advisories["rules"], advisories["script"]) == ([scheduled], ["make audit"])
    assert gitlab["rules"][0] == {**scheduled, "when": "never"}
    [checkout, checks] = github["steps"]
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", checkout["uses"])
    assert [checks["run"]] == gitlab["script"] == ["make test SCHEDULES=ci"]
    assert shlex.split((ROOT / ".ci/run").read_text().splitlines()[-1])[1:] == checks["run"].split()
    pinned = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert re.fullmatch(rf"rust:{re.escape(pinned)}-bookworm@sha256:[0-9a-f]{{64}}", gitlab["image"])
    # The README's way to the release folder without Rust.
    assert (folder["extends"], folder["script"], folder["artifacts"]) == (
        "checks",
        ["make dist"],
        {"paths": ["dist/"]},
    )
    assert folder["rules"] == [
        {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual", "allow_failure": True}
    ]
