"""The software bill of materials of the binary and of the file `cfn-gitops`, in CycloneDX JSON.

Its components are the packages that cargo links and those in the file, as in THIRD-PARTY-NOTICES. It has no
time stamp and no random serial number, both optional in CycloneDX, because two builds of a commit have to
give the same bytes.
"""

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.release import third_party_notices
from tools.release.third_party_notices import Package

ROOT = Path(__file__).parents[2]
# The newest version that the installed validator supports.
_SPECIFICATION = SchemaVersion.V1_6


def of(bootstrap: Path) -> str:
    """The document. A document that breaks CycloneDX's schema stops the build."""
    checksums = {
        (package["name"], package["version"]): package.get("checksum")
        for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    }
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    name, version = cargo["package"]["name"], cargo["package"]["version"]
    # Without a package URL: it is not on crates.io.
    product = {
        "type": "application",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        **_hashes(hashlib.sha256(bootstrap.read_bytes()).hexdigest()),
        "licenses": [{"license": {"id": cargo["workspace"]["package"]["license"]}}],
        "properties": [{"name": "rust:target", "value": third_party_notices.TARGET}],
    }
    packages = [
        # https://github.com/package-url/purl-spec/blob/main/types-doc/cargo-definition.md
        # The checksum is that of the crate on crates.io. Older packages write `/` for SPDX's OR.
        _component("cargo", package.name, package, {"expression": re.sub(" */ *", " OR ", package.licence)})
        | _hashes(checksums[package.name, package.version])
        for package in third_party_notices.linked()
    ]
    # https://github.com/package-url/purl-spec/blob/main/types-doc/pypi-definition.md
    # No checksum: of each one PyPI has several files. Some of their licences are not SPDX expressions.
    in_the_file = [
        _component("pypi", package.name.lower(), package, {"license": {"name": package.licence}})
        for package in third_party_notices.bundled()
    ]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPECIFICATION.to_version(),
        "version": 1,
        "metadata": {"component": product},
        "components": [*packages, *in_the_file, _rust_library()],
    }
    text = json.dumps(document, indent=2) + "\n"
    invalid = JsonStrictValidator(_SPECIFICATION).validate_str(text)
    return text if invalid is None else sys.exit(f"the SBOM is not valid CycloneDX: {str(invalid)[:1000]}")


def _component(kind: str, name: str, package: Package, licence: dict[str, Any]) -> dict[str, Any]:
    url = f"pkg:{kind}/{name}@{package.version}"
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": package.version,
        "licenses": [licence],
        "purl": url,
    }


def _hashes(sha256: str) -> dict[str, Any]:
    return {"hashes": [{"alg": "SHA-256", "content": sha256}]}


def _rust_library() -> dict[str, Any]:
    """Rust's standard library, which is linked too and has no package."""
    version = third_party_notices.rust_version()
    url = f"pkg:generic/rust-std@{version}"
    return {
        "type": "library",
        "bom-ref": url,
        "name": "rust-std",
        "version": version,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "purl": url,
    }
