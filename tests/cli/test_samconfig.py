"""The table of samconfig.toml for an environment."""

import tomllib
from typing import Any

import pytest
from samcli.cli.types import CfnParameterOverridesType

from cli.environment import samconfig
from cli.shell.ending import WrongUse
from tests.deployment.pages import blocks
from tests.cli.conftest import ROOT

TABLES = {name: table for name, table in tomllib.loads((ROOT / "samconfig.toml").read_text()).items() if name != "version"}


def test_samconfig_has_a_table_for_each_environment_and_no_default() -> None:
    # Without --config-env, sam uses the table `default`. An update of another environment would replace all resources.
    assert sorted(TABLES) == ["dev", "prd"]
    for name, table in TABLES.items():
        assert table["global"]["parameters"]["stack_name"] == f"cfn-gitops-{name}"
    # A later release has the same file: a parameter in it would change every environment that has another value.
    assert samconfig.read("dev", file=ROOT / "samconfig.toml").parameters == {"EnvID": "dev"}
    assert str(TABLES["dev"]).replace("dev", "prd") == str(TABLES["prd"])
    # `sam deploy` otherwise skips an upload if the key exists. It compares no content.
    assert TABLES["dev"]["deploy"]["parameters"]["force_upload"] is True


@pytest.mark.parametrize(("given", "message"), [
    (("tst",), "samconfig.toml has no environment tst. Name one of its tables: dev, prd"),
    (("dve",), "samconfig.toml has no environment dve. Did you mean dev[?] Name one of its tables: dev, prd"),
    (("dev", ["VpcIpv6"]), "must be Name=value pairs, not VpcIpv6")])
def test_wrong_environment_or_parameter_is_rejected(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        samconfig.read(*given, file=ROOT / "samconfig.toml")


def shown_with_a_certificate() -> list[str]:
    """The lines of docs/how-to/connect-gitlab.md."""
    [block] = [block for block in blocks(ROOT / "docs/how-to/connect-gitlab.md", "toml") if "CERTIFICATE" in block]
    return list(tomllib.loads(f"lines = [\n{block}]")["lines"])


@pytest.mark.parametrize(("given", "parameters"), [
    (["EnvID=dev", 'ProjectID=""'], {"EnvID": "dev", "ProjectID": ""}),
    (["VpcSubnetIds=subnet-1,subnet-2", "BuildParameterNames=/build/dev/*", 'Text="a b"'],
     {"VpcSubnetIds": "subnet-1,subnet-2", "BuildParameterNames": "/build/dev/*", "Text": "a b"}),
    (shown_with_a_certificate(), {"GitLabProject": "platform/infra", "GitLabTokenSecretId": "gitlab/infra",
                                  "GitLabUrl": "https://gitlab.example.com", "GitLabCaCertificate":
                                  "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----"}),
    # As `sam deploy --guided` saves them.
    ('EnvID="dev" VpcIpv6="true"', {"EnvID": "dev", "VpcIpv6": "true"}),
    ([], {}),
])
def test_scripts_and_sam_read_the_same_parameters(given: list[str] | str, parameters: dict[str, str]) -> None:
    assert samconfig.parameter_overrides({"deploy": {"parameters": {"parameter_overrides": given}}}) == parameters
    assert CfnParameterOverridesType().convert(given, None, None) == parameters
