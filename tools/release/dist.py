"""Creates the release files in dist/: `make dist`.

A zip that contains only `bootstrap`, template.yaml with that zip as its CodeUri, for `sam deploy`, `sam
package` and `sam publish`, and an SBOM. In addition the other templates, those that retain, the schemas, the
operator's command with its completion, the licences and samconfig.toml. Also the documentation as Markdown
and as a site, the examples, and SHA256SUMS of all files. Templates are packed without comments. The same
source and toolchain give the same bytes.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tools.release import bundle, completion, retaining, sbom, strip_template, third_party_notices

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
_FILES = ("LICENSE", "README.md", "samconfig.toml", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
# They have the same paths as in the repository, so that the links of the README work.
_FOLDERS = ("docs", "examples")
# Has MkDocs, see tools/requirements/docs.txt.
_DOCS_PYTHON = Path(os.environ.get("DOCS_PYTHON", ROOT / ".venv-docs/bin/python"))
# The earliest time that a zip can contain, also in seconds since 1970.
_LONG_AGO, _LONG_AGO_SECONDS = (1980, 1, 1, 0, 0, 0), 315_532_800


def version() -> str:
    return str(tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"])


def zip_name() -> str:
    return f"cfn-gitops-{version()}.zip"


def sbom_name() -> str:
    return f"cfn-gitops-{version()}.cdx.json"


def write_zip(bootstrap: Path, destination: Path) -> None:
    """Only `bootstrap`, executable, without the time, place or user of the build."""
    entry = zipfile.ZipInfo("bootstrap", _LONG_AGO)
    # Otherwise it contains the operating system of the build.
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o755) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(destination, "w") as archive:
        archive.writestr(entry, bootstrap.read_bytes(), compresslevel=9)


def packaged(template: str) -> str:
    """template.yaml with the zip as its CodeUri. Edited as text, like the removal of its comments."""
    replaced = [
        # Of both functions.
        (2, "      CodeUri: target/lambda/cfn-gitops/\n", f"      CodeUri: {zip_name()}\n"),
        (
            1,
            f"    SemanticVersion: {version()}\n",
            f"    SemanticVersion: {version()}\n    LicenseUrl: LICENSE\n    ReadmeUrl: README.md\n",
        ),
    ]
    for times, before, after in replaced:
        if template.count(before) != times:
            sys.exit(
                f"template.yaml should have this {times} times, and has it {template.count(before)}"
                f" times:\n{before}"
            )
        template = template.replace(before, after)
    return template


def write_package(bootstrap: Path, directory: Path) -> None:
    """The zip, the environment's template and the SBOM."""
    write_zip(bootstrap, directory / zip_name())
    template = packaged((ROOT / "template.yaml").read_text())
    (directory / "template.yaml").write_text(strip_template.stripped(template, "template.yaml"))
    (directory / sbom_name()).write_text(sbom.of(bootstrap))


def write_templates(directory: Path) -> None:
    """The templates that need no code. Each is small enough for a request, so `aws` needs no bucket for
    it."""
    (directory / "templates").mkdir()
    for path in sorted((ROOT / "templates").glob("*.yaml")):
        name = f"templates/{path.name}"
        content = strip_template.stripped(path.read_text(), name)
        if len(content.encode()) > strip_template.INLINE_LIMIT:
            sys.exit(
                f"{name} has {len(content.encode())} bytes. CloudFormation accepts"
                f" {strip_template.INLINE_LIMIT} in a request"
            )
        (directory / name).write_text(content)
    retaining.write(directory)


def write_site(directory: Path) -> None:
    """The documentation as a static site. MkDocs writes this time into the site, instead of the time of the
    build."""
    subprocess.run(
        [_DOCS_PYTHON, "-m", "tools.docs.build_site"],
        cwd=ROOT,
        check=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(_LONG_AGO_SECONDS)},
    )
    shutil.copytree(ROOT / "site", directory / "site")


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def copy_files(directory: Path) -> None:
    """Copies the files that are packed unchanged."""
    for name in _FILES:
        shutil.copyfile(ROOT / name, directory / name)
    bundle.write(directory / "cfn-gitops")
    completion.write(directory / "completion")
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "*.rs"))


def write_what_goes_with_it(directory: Path) -> None:
    """The other files, and last the checksums."""
    copy_files(directory)
    write_templates(directory)
    (directory / "THIRD-PARTY-NOTICES").write_text(third_party_notices.of())
    write_checksums(directory)


def write_for_local_aws(directory: Path, bootstrap: Path) -> None:
    """A release folder with this function, without the files that need cargo and MkDocs."""
    with zipfile.ZipFile(directory / zip_name(), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(bootstrap, "bootstrap")
    (directory / "template.yaml").write_text(packaged((ROOT / "template.yaml").read_text()))
    copy_files(directory)
    write_templates(directory)
    write_checksums(directory)


def write_checksums(directory: Path) -> None:
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(directory)}\n"
        for path in files(directory)
    ]
    (directory / "SHA256SUMS").write_text("".join(sums))


def build() -> Path:
    subprocess.run([ROOT / "tools/release/build.sh"], cwd=ROOT, check=True)
    bootstrap = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "lambda/cfn-gitops/bootstrap")
    subprocess.run([sys.executable, "-m", "tools.release.check_bootstrap", bootstrap], cwd=ROOT, check=True)
    return bootstrap


def main() -> int:
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    write_package(build(), DIST)
    write_site(DIST)
    write_what_goes_with_it(DIST)
    print(f"\ndist/ holds version {version()}:")
    for path in sorted(DIST.iterdir()):
        size = sum(file.stat().st_size for file in (files(path) if path.is_dir() else [path]))
        print(f"  {size:>9} bytes  {path.name}{'/' if path.is_dir() else ''}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
