"""The table of samconfig.toml for an environment."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.scripts.conftest import ROOT, sam_settings

TABLES = tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.mark.parametrize(("config_env", "stack"), [
    ("dev", "cfn-gitops-dev"), ("default", "cfn-gitops-dev"), ("prd", "cfn-gitops-prd"),
])
def test_config_env_names_a_table(config_env: str, stack: str) -> None:
    settings = sam_settings.read(config_env)
    assert (settings.table, settings.stack_name) == (config_env, stack)


def test_unknown_config_env_names_the_valid_ones() -> None:
    with pytest.raises(SystemExit, match="no environment tst. Set CONFIG_ENV to one of: default, dev, prd"):
        sam_settings.read("tst")


def test_config_env_without_a_table_is_found_by_env_id(repository: Path) -> None:
    # A samconfig.toml without a table dev, as in former versions.
    text = (repository / "samconfig.toml").read_text()
    (repository / "samconfig.toml").write_text("version = 0.1\n[default" + text.partition("[default")[2])
    assert sam_settings.read("dev").table == "default"
    with pytest.raises(SystemExit, match="one of: default"):
        sam_settings.read("prd")


def test_default_table_equals_dev() -> None:
    assert TABLES["default"] == TABLES["dev"]
    assert sam_settings.differing_default(TABLES) is None


def test_default_table_that_differs_is_found() -> None:
    dev = {"global": TABLES["dev"]["global"], "deploy": {"parameters": {"parameter_overrides": "EnvID=dev LogLevel=warn"}}}
    assert sam_settings.differing_default({**TABLES, "dev": dev}) == "dev"
    assert sam_settings.differing_default({"dev": dev}) is None


def test_every_table_deploys_the_environment_of_its_name() -> None:
    for name, table in TABLES.items():
        if isinstance(table, dict) and name != "default":
            assert sam_settings.parameter_overrides(table)["EnvID"] == name
            assert table["deploy"]["parameters"]["s3_prefix"] == table["global"]["parameters"]["stack_name"]


def test_parameter_without_a_value_is_rejected() -> None:
    with pytest.raises(SystemExit, match="must be Name=value pairs, not LogLevel"):
        sam_settings.read("dev", ["LogLevel"])


@pytest.mark.parametrize("table", [name for name, table in TABLES.items() if isinstance(table, dict)])
def test_deployment_never_reuses_an_uploaded_object(table):
    """`sam deploy` otherwise skips an upload if the key exists. It compares no content."""
    assert TABLES[table]["deploy"]["parameters"]["force_upload"] is True
