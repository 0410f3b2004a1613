"""The zip, the packaged template, the licences and the checksums."""

import difflib
import hashlib
import os
import re
import zipfile
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from tests.packages.conftest import BOOTSTRAP, ROOT, dist
from tools.release import third_party_notices


def test_zip_contains_only_an_executable_bootstrap(packages: Path) -> None:
    with zipfile.ZipFile(packages / dist.zip_name()) as archive:
        [entry] = archive.infolist()
        assert archive.read(entry) == BOOTSTRAP.read_bytes()
        assert archive.comment == b""
    assert (entry.filename, entry.external_attr >> 16, entry.extra) == ("bootstrap", 0o100755, b"")
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_zip_is_identical_for_other_place_time_and_mode(tmp_path: Path) -> None:
    one, other = tmp_path / "bootstrap", tmp_path / "elsewhere"
    one.write_bytes(b"\x7fELF" * 1000)
    other.write_bytes(one.read_bytes())
    one.chmod(0o600)
    os.utime(other, (1e9, 1e9))
    dist.write_zip(one, tmp_path / "one.zip")
    dist.write_zip(other, tmp_path / "other.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_packaged_template_differs_only_in_the_zip() -> None:
    template = (ROOT / "template.yaml").read_text()
    changed = [
        line
        for line in difflib.ndiff(template.splitlines(), dist.packaged(template).splitlines())
        if line[0] in "+-"
    ]
    removed = [line[1:].strip() for line in changed if line[0] == "-"]
    added = [line[1:].strip() for line in changed if line[0] == "+"]
    assert [line for line in removed if not line.startswith("#")] == [
        "CodeUri: target/lambda/cfn-gitops/"
    ] * 2
    assert added == ["LicenseUrl: LICENSE", "ReadmeUrl: README.md", *[f"CodeUri: {dist.zip_name()}"] * 2]


def test_template_rewritten_elsewhere_is_not_packaged() -> None:
    template = (
        (ROOT / "template.yaml").read_text().replace("CodeUri: target/lambda", "CodeUri: elsewhere/lambda")
    )
    with pytest.raises(SystemExit, match="CodeUri: target/lambda/cfn-gitops/"):
        dist.packaged(template)


def test_template_metadata_meets_application_repository_rules() -> None:
    # https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html
    about = yaml_parse((ROOT / "template.yaml").read_text())["Metadata"]["AWS::ServerlessRepo::Application"]
    assert about["SemanticVersion"] == dist.version()
    assert f'license = "{about["SpdxLicenseId"]}"' in (ROOT / "Cargo.toml").read_text()
    assert re.fullmatch(r"[a-zA-Z0-9\-]{1,140}", about["Name"])
    assert re.fullmatch(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", about["Author"])
    assert 1 <= len(about["Description"]) <= 256
    assert len(about["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label) for label in about["Labels"])


def test_the_sums_are_those_of_every_file_beside_them(packages: Path) -> None:
    beside = [path for path in packages.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    # Two spaces, as `sha256sum --check --strict` reads them.
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(packages)}" for path in beside
    ]
    assert sorted((packages / "SHA256SUMS").read_text().splitlines()) == sorted(lines)


def test_release_has_everything_that_its_readme_links_to(packages: Path) -> None:
    links = set(re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", (packages / "README.md").read_text()))
    # Its commands name this one.
    assert (packages / "templates/project.yaml").exists()
    assert links >= {"docs/README.md", "SECURITY.md", "examples/README.md"}
    assert [link for link in links if not (packages / link).exists()] == []


def test_notices_name_every_linked_package_and_no_build_package(packages: Path) -> None:
    notices = (packages / "THIRD-PARTY-NOTICES").read_text()
    linked = third_party_notices.linked()
    assert {"ring", "tokio", "aws-sdk-iam", "lambda_runtime"} <= {package.name for package in linked}
    # A macro, a package that only compiles C, and one that only tests use.
    assert not {"serde_derive", "cc", "proptest", "cfn-gitops"} & {package.name for package in linked}
    assert [package.words for package in linked if f"\n{package.words}\n" not in notices] == []


def test_notices_contain_each_text_once_and_no_machine_path(packages: Path) -> None:
    notices = (packages / "THIRD-PARTY-NOTICES").read_text()
    texts = [tuple(text.split()) for text in notices.split("=" * 100)[2::2]]
    assert len(texts) > 10
    assert len(texts) == len(set(texts))
    assert os.environ["CARGO_HOME"] not in notices
    assert str(ROOT) not in notices
    # The licence of code that another package contains.
    assert "the fiat-crypto authors" in notices


def test_site_is_built_with_a_fixed_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nmkdir site && echo $* $SOURCE_DATE_EPOCH > site/index.html\n")
    python.chmod(0o700)
    monkeypatch.setattr(dist, "ROOT", tmp_path)
    monkeypatch.setattr(dist, "_DOCS_PYTHON", python)
    dist.write_site(tmp_path / "dist")
    assert (tmp_path / "dist/site/index.html").read_text() == "-m tools.docs.build_site 315532800\n"


def test_package_without_licence_text_stops_the_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = third_party_notices.Package("strange", "1.0.0", "MPL-2.0", (), tmp_path)
    monkeypatch.setattr(third_party_notices, "linked", lambda: [strange])
    with pytest.raises(SystemExit, match=r"strange 1\.0\.0 \(MPL-2\.0\) holds no licence"):
        third_party_notices.of()
