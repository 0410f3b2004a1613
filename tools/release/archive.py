"""Creates and signs the files of a public release: `make release SIGNING_KEY=~/.ssh/id_ed25519`.

It packs dist/ into one archive and writes its provenance (SLSA v1) beside it. `ssh-keygen` signs both with
the key, which may be in an agent or on a security key. docs/project/release.md has the steps before and after
it. If the repository is not ready, it names each reason and does nothing.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from tools.release import dist

ROOT = Path(__file__).parents[2]
DESTINATION = ROOT / "release"
# No other signature of the key has this namespace, whose form ssh-keygen(1) recommends. `file` is for any
# file.
NAMESPACE = "release@cfn-gitops"


def repository(root: Path = ROOT) -> str:
    return str(tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["repository"])


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def problems(root: Path, version: str, key: str) -> list[str]:
    tag = f"v{version}"
    found = []
    if "OWNER" in repository(root):
        found.append("Cargo.toml has no public address. Set `repository` of [workspace.package].")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$",
        (root / "CHANGELOG.md").read_text(),
        re.MULTILINE,
    ):
        found.append(f"CHANGELOG.md has no section for {version}. Add `## [{version}] - <date>`.")
    if git(root, "status", "--porcelain"):
        found.append("The working tree has changes. Commit them.")
    if tag not in git(root, "tag", "--points-at", "HEAD").split():
        found.append(f"The last commit has no tag. Run `git tag --sign {tag}`.")
    elif not is_signed(root, tag, key):
        found.append(f"SIGNING_KEY has not signed the tag. Run `git tag --sign --force {tag}`.")
    if not Path(key).is_file():
        found.append("No key to sign with. Set SIGNING_KEY to the file of an SSH key.")
    return found


def is_signed(root: Path, tag: str, key: str) -> bool:
    """Whether this key has signed the tag. Its public half is beside it, or is the file itself if an agent
    has the other."""
    public = Path(key.removesuffix(".pub") + ".pub")
    if not public.is_file():
        return False
    with tempfile.NamedTemporaryFile("w", suffix="allowed_signers") as allowed:
        allowed.write(f"releases {public.read_text()}")
        allowed.flush()
        return (
            subprocess.run(
                ["git", "-c", f"gpg.ssh.allowedSignersFile={allowed.name}", "verify-tag", tag],
                cwd=root,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            == 0
        )


def archive(directory: Path, name: str) -> bytes:
    """The folder as `<name>/` in a tar.gz, without the time, place or user of the build."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in dist.files(directory):
            entry = tarfile.TarInfo(f"{name}/{path.relative_to(directory)}")
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def provenance(packed: str, digest: str, tag: str, commit: str, source: str) -> dict:
    """A statement by https://slsa.dev/spec/v1.0/provenance about a build on a maintainer's machine."""
    page = f"{source}#{tag}:docs/project/release.md"
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": packed, "digest": {"sha256": digest}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": page,
                "externalParameters": {"command": "make release", "ref": f"refs/tags/{tag}"},
                "resolvedDependencies": [
                    {"uri": f"git+{source}@refs/tags/{tag}", "digest": {"gitCommit": commit}}
                ],
            },
            "runDetails": {"builder": {"id": page}},
        },
    }


def sign(key: str, files: list[Path]) -> None:
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, *files], check=True)


def write(directory: Path, destination: Path, key: str, root: Path = ROOT) -> list[Path]:
    """The archive, its provenance and both signatures."""
    version = dist.version()
    name, tag = f"cfn-gitops-{version}", f"v{version}"
    packed, statement = destination / f"{name}.tar.gz", destination / f"{name}.intoto.json"
    destination.mkdir()
    content = archive(directory, name)
    packed.write_bytes(content)
    statement.write_text(
        json.dumps(
            provenance(
                packed.name,
                hashlib.sha256(content).hexdigest(),
                tag,
                git(root, "rev-parse", "HEAD"),
                repository(root),
            ),
            indent=2,
        )
        + "\n"
    )
    sign(key, [packed, statement])
    return dist.files(destination)


def main() -> int:
    key = os.environ.get("SIGNING_KEY", "")
    if found := problems(ROOT, dist.version(), key):
        print("The release is not ready:", *found, sep="\n  ", file=sys.stderr)
        return 1
    if status := dist.main():
        return status
    shutil.rmtree(DESTINATION, ignore_errors=True)
    print(
        f"\n{DESTINATION.name}/ holds:",
        *(path.name for path in write(dist.DIST, DESTINATION, key)),
        sep="\n  ",
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
