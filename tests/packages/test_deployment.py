"""sam prepares the publication of the packages. test_first_deployment.py deploys them."""

from pathlib import Path
from urllib.parse import urlparse

from samcli.yamlhelper import yaml_parse

from tests.deployment.pages import Folder
from tests.local.aws import LocalAws
from tests.packages.conftest import dist


def test_sam_package_uploads_zip_licence_and_readme_for_publish(
    aws: LocalAws, packages: Path, tmp_path: Path
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket="published", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name}
    )
    written = tmp_path / "packaged.yaml"
    Folder(aws, packages, tmp_path).run(
        f"sam package --template template.yaml --s3-bucket published --output-template-file {written}"
        " --no-progressbar"
    )
    template = yaml_parse(written.read_text())
    about = template["Metadata"]["AWS::ServerlessRepo::Application"]

    def uploaded(address: str) -> bytes:
        # s3://bucket/key, or https://s3.region.amazonaws.com/bucket/key
        parsed = urlparse(address)
        key = parsed.path.removeprefix("/published").lstrip("/")
        return s3.get_object(Bucket="published", Key=key)["Body"].read()

    # One upload for both functions.
    (code,) = {template["Resources"][name]["Properties"]["CodeUri"] for name in ("Function", "ReadFunction")}
    assert uploaded(code) == (packages / dist.zip_name()).read_bytes()
    assert uploaded(about["LicenseUrl"]) == (packages / "LICENSE").read_bytes()
    assert uploaded(about["ReadmeUrl"]) == (packages / "README.md").read_bytes()
