"""Builds the file `cfn-gitops` of the release: the package `cli` with what it imports, for each Python from
3.9 on.

It is a zip behind a line for the shell. Its packages are installed into .venv/cli by `make`, from
tools/requirements/cli.txt. The same source gives the same bytes.
"""

import io
import stat
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / ".venv/cli"
# Those that the subcommands call, and those that credentials come from. botocore has data of 400 others.
SERVICES = (
    "cloudformation",
    "codebuild",
    "codecommit",
    "codepipeline",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "service-quotas",
    "signin",
    "sso",
    "sso-oidc",
    "sts",
)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def sources() -> Iterator[tuple[str, Path]]:
    """Each file with its name in the zip."""
    for path in sorted((ROOT / "cli").rglob("*")):
        if path.is_file() and path.suffix in {".py", ".json"}:
            yield str(path.relative_to(ROOT)), path
    for path in sorted(PACKAGES.rglob("*")):
        name = path.relative_to(PACKAGES)
        if path.is_file() and is_needed(name):
            yield str(name), path


def is_needed(name: Path) -> bool:
    """Whether the command reads this file of the packages. Machine code would be for one Python on one
    machine, and PyYAML works without it."""
    if (
        name.parts[0] == "bin"
        or name.parts[0].endswith(".dist-info")
        or name.suffix in {".so", ".pyc", ".rst"}
    ):
        return False
    if name.parts[:2] == ("botocore", "data") and len(name.parts) > 3:
        return name.parts[2] in SERVICES and not name.name.startswith(("examples-", "endpoint-tests-"))
    return (
        name.parts[:2] not in {("boto3", "examples"), ("boto3", "docs"), ("botocore", "docs")}
        or name.suffix == ".py"
    )


def write(destination: Path) -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    files = {name: path.read_bytes() for name, path in sources()}
    files["cli/VERSION"] = f"{version}\n".encode()
    files["__main__.py"] = (ROOT / "tools/release/bundle/start.py").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content_of:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            # Otherwise it contains the operating system of the build.
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            content_of.writestr(entry, content, compresslevel=9)
    destination.write_bytes(b"#!/usr/bin/env python3\n" + archive.getvalue())
    destination.chmod(0o755)
