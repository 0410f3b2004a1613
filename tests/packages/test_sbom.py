"""The software bill of materials of a package."""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
import shtab
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL

from tests.packages.conftest import BOOTSTRAP, ROOT, dist
from tools.release import sbom, third_party_notices


@pytest.fixture
def text(packages: Path) -> str:
    return (packages / dist.sbom_name()).read_text()


def test_sbom_meets_the_schema_of_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    # Licences and package URLs are plain strings in the schema.
    for component in json.loads(text)["components"]:
        [licence] = component["licenses"]
        if "expression" in licence:
            assert get_spdx_licensing().validate(licence["expression"]).errors == [], component["name"]
        url = PackageURL.from_string(component["purl"])
        assert (url.name, url.version) == (component["name"], component["version"])


def test_sbom_lists_the_packages_of_binary_and_command(text: str) -> None:
    components = json.loads(text)["components"]
    linked = third_party_notices.linked()
    pinned = re.findall("^([a-z0-9-]+)==([^ ]+)", (ROOT / "tools/requirements/cli.txt").read_text(), re.M)
    assert [one["purl"] for one in components] == [
        *(f"pkg:cargo/{package.name}@{package.version}" for package in linked),
        *sorted(f"pkg:pypi/{name}@{version}" for name, version in pinned),
        # Of the text for completion.
        f"pkg:pypi/shtab@{shtab.__version__}",
        f"pkg:generic/rust-std@{third_party_notices.rust_version()}",
    ]
    assert all(one["hashes"][0]["alg"] == "SHA-256" for one in components[: len(linked)])


def test_sbom_names_the_binary_of_the_zip(text: str, packages: Path) -> None:
    product = json.loads(text)["metadata"]["component"]
    with zipfile.ZipFile(packages / dist.zip_name()) as archive:
        digest = hashlib.sha256(archive.read("bootstrap")).hexdigest()
    assert (product["name"], product["version"]) == ("cfn-gitops", dist.version())
    assert product["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_sbom_is_identical_at_another_time(text: str) -> None:
    assert sbom.of(BOOTSTRAP) == text
    assert "timestamp" not in text
    assert "serialNumber" not in text


def test_invalid_sbom_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(third_party_notices, "linked", list)
    monkeypatch.setattr(sbom, "_rust_library", lambda: {"type": "library"})
    with pytest.raises(SystemExit, match="not valid CycloneDX"):
        sbom.of(BOOTSTRAP)
