"""What samconfig.toml says about one environment, for the scripts that deploy and undeploy it."""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parents[1]


@dataclass
class Settings:
    stack_name: str
    parameters: dict[str, str]

    @property
    def env_id(self) -> str:
        return self.parameters["EnvID"]


def read(config_env: str, more: list[str] | None = None) -> Settings:
    """The table `config_env`, its parameter_overrides with `more` (Name=value) on top."""
    tables = tomllib.loads((ROOT / "samconfig.toml").read_text())
    if config_env not in tables:
        known = ", ".join(name for name, table in tables.items() if isinstance(table, dict))
        sys.exit(f"samconfig.toml has no table {config_env}; it has {known}")
    table = tables[config_env]
    given = [*shlex.split(table["deploy"]["parameters"].get("parameter_overrides", "")), *(more or [])]
    wrong = [pair for pair in given if "=" not in pair]
    if wrong:
        sys.exit(f"PARAMETERS are Name=value, not {' '.join(wrong)}")
    return Settings(table["global"]["parameters"]["stack_name"], dict(pair.split("=", 1) for pair in given))


@dataclass
class Account:
    """The account and region that the environment names."""

    session: boto3.Session
    id: str

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def bucket_of(self, env_id: str) -> str:
        """As template.yaml names it."""
        return f"s3-{env_id}-codepipeline-artifact-{self.id}-{self.region}"

    def has_bucket(self, name: str) -> bool:
        try:
            self.session.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=self.id)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def stacks(self) -> list[dict[str, Any]]:
        """All that are there, with tags and roles."""
        pages = self.session.client("cloudformation").get_paginator("describe_stacks").paginate()
        return [stack for page in pages for stack in page["Stacks"]]

    def stack_status(self, name: str) -> str | None:
        try:
            return str(self.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            # Untyped; its text is all there is.
            if "does not exist" in str(error):
                return None
            raise


def name_the_region_for_all() -> None:
    """Every SDK reads AWS_REGION; boto3, and with it sam, reads AWS_DEFAULT_REGION instead."""
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


def account() -> Account:
    name_the_region_for_all()
    session = boto3.Session()
    if not session.region_name:
        sys.exit("no region: set AWS_REGION")
    try:
        return Account(session, session.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"no account: {error}; set AWS_PROFILE, or log in")
