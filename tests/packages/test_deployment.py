"""sam prepares the publication of the packages. test_first_deployment.py deploys them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
import yaml

from tests.local.aws import LocalAws
from tests.deployment.steps import sam_settings
from tests.packages.conftest import dist


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


def sam(aws: LocalAws, packages: Path, scratch: Path, *arguments: str) -> str:
    """Runs sam in the folder of the packages, with the samconfig.toml there."""
    ran = subprocess.run([Path(sys.executable).with_name("sam"), *arguments], cwd=packages, text=True,
                         env=aws.environment() | sam_settings(scratch),
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_sam_package_uploads_zip_licence_and_readme_for_publish(aws: LocalAws, packages: Path, tmp_path: Path) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="published", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    written = tmp_path / "packaged.yaml"
    sam(aws, packages, tmp_path, "package", "--template", "template.yaml", "--s3-bucket", "published",
        "--output-template-file", str(written), "--no-progressbar")
    template = yaml.load(written.read_text(), _AnyTag)
    about = template["Metadata"]["AWS::ServerlessRepo::Application"]

    def uploaded(address: str) -> bytes:
        # s3://bucket/key, or https://s3.region.amazonaws.com/bucket/key
        parsed = urlparse(address)
        key = parsed.path.removeprefix("/published").lstrip("/")
        return s3.get_object(Bucket="published", Key=key)["Body"].read()

    assert uploaded(template["Resources"]["Function"]["Properties"]["CodeUri"]) == (
        packages / dist.zip_name()).read_bytes()
    assert uploaded(about["LicenseUrl"]) == (packages / "LICENSE").read_bytes()
    assert uploaded(about["ReadmeUrl"]) == (packages / "README.md").read_bytes()


class _AnyTag(yaml.SafeLoader):
    """Loads CloudFormation's short forms as their bare values."""


_AnyTag.add_multi_constructor("!", lambda loader, tag, node: tag)
