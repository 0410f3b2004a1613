"""The commands of docs/how-to/quick-create.md, and the link that they print."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from samcli.yamlhelper import yaml_parse

from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.packages.conftest import dist
from tests.play.steps import ROOT, Stack

_PAGE = ROOT / "docs/how-to/quick-create.md"
_BUCKET = "my-templates"


def test_commands_of_the_page_print_a_link_that_deploys(
    aws: LocalAws, packages: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in (
        "samconfig.toml",
        "LICENSE",
        "README.md",
        "quick-create.txt",
        dist.zip_name(),
        "template.yaml",
    ):
        shutil.copyfile(packages / name, folder / name)
    aws.client("s3").create_bucket(
        Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region}
    )
    [commands] = blocks(_PAGE)
    link = urlsplit(Folder(aws, folder, tmp_path).run(commands).splitlines()[-1])
    assert (link.netloc, link.path, link.query) == (
        f"{aws.region}.console.aws.amazon.com",
        "/cloudformation/home",
        f"region={aws.region}",
    )
    page, _, query = link.fragment.partition("?")
    assert page == "/stacks/create/review"
    given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    template = urlsplit(given.pop("templateURL"))
    assert template.netloc == f"{_BUCKET}.s3.{aws.region}.amazonaws.com"
    stack = Stack(aws, given.pop("stackName"))
    parameters = {name.removeprefix("param_"): value for name, value in given.items()}
    # The console shows the others with the template's defaults.
    stack.id = aws.client("cloudformation").create_stack(
        StackName=stack.name,
        TemplateURL=f"{aws.endpoint_url}/{_BUCKET}{template.path}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        # The capabilities that the form requires.
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )["StackId"]
    assert stack.wait() == "CREATE_COMPLETE", stack.failures()


def test_link_names_parameters_with_valid_defaults(packages: Path) -> None:
    declared = yaml_parse((packages / "template.yaml").read_text())["Parameters"]
    query = (packages / "quick-create.txt").read_text().strip().partition("/review?")[2]
    given = {
        name.removeprefix("param_"): value
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name.startswith("param_")
    }
    assert given.keys() >= {
        "EnvID",
        "ProjectID",
        "BranchName",
        "GitLabProject",
        "GitLabTokenSecretId",
        "GitLabUrl",
    }
    for name, value in given.items():
        about = declared[name]
        # The console ignores unknown parameters and these.
        assert "NoEcho" not in about, name
        assert value == str(about["Default"]), name
        assert re.fullmatch(about.get("AllowedPattern", ".*"), value, re.DOTALL), name
        assert value in about.get("AllowedValues", [value]), name
