"""An environment's settings in samconfig.toml, for the scripts that deploy and undeploy it."""

import os
import re
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parents[1]
_STACK_ID = re.compile(r"arn:[a-z-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]*/[A-Za-z0-9-]+")


@dataclass
class Settings:
    """One environment's table of samconfig.toml."""

    table: str
    stack_name: str
    parameters: dict[str, str]

    @property
    def env_id(self) -> str:
        if "EnvID" not in self.parameters:
            sys.exit(f"samconfig.toml: parameter_overrides of [{self.table}] lacks EnvID. Add it, as in EnvID=dev")
        return self.parameters["EnvID"]


def read(config_env: str, more: list[str] | None = None) -> Settings:
    """The table of `config_env`: its parameter_overrides, overridden by `more` (Name=value)."""
    try:
        content = tomllib.loads((ROOT / "samconfig.toml").read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"samconfig.toml is not read: {error}. Correct it, or copy that of the release")
    tables = {name: table for name, table in content.items() if isinstance(table, dict)}
    if config_env not in tables:
        sys.exit(f"samconfig.toml has no environment {config_env}. "
                 f"Set CONFIG_ENV to one of: {', '.join(sorted(tables))}.")
    table = tables[config_env]
    name = member(table, "global", "parameters", "stack_name")
    if not isinstance(name, str) or not name:
        sys.exit(f"samconfig.toml: [{config_env}.global.parameters] lacks stack_name. Add it, as in stack_name = \"cfn-gitops-dev\"")
    return Settings(config_env, name, parameter_overrides(table) | pairs(more or []))


def member(table: Any, *path: str) -> Any:
    """The member of a table in tables. `None` if it does not exist."""
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def parameter_overrides(table: dict[str, Any]) -> dict[str, str]:
    """A list of parameters, or one text with all of them, as `sam deploy --guided` saves it."""
    given = member(table, "deploy", "parameters", "parameter_overrides") or []
    lines = [given] if isinstance(given, str) else given
    try:
        return pairs([pair for line in lines for pair in shlex.split(line)])
    except (AttributeError, TypeError, ValueError) as error:
        sys.exit(f"samconfig.toml: parameter_overrides is not a list of texts Name=value: {error}. Correct it")


def pairs(given: list[str]) -> dict[str, str]:
    wrong = [pair for pair in given if "=" not in pair]
    if wrong:
        sys.exit(f"PARAMETERS must be Name=value pairs, not {' '.join(wrong)}")
    return dict(pair.split("=", 1) for pair in given)


@dataclass
class Account:
    """The account and region that the environment variables select."""

    session: boto3.Session
    id: str

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def bucket_of(self, env_id: str) -> str:
        """The name in template.yaml."""
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
        """All existing stacks, with tags and roles."""
        pages = self.session.client("cloudformation").get_paginator("describe_stacks").paginate()
        return [stack for page in pages for stack in page["Stacks"]]

    def repositories(self, stack: dict[str, Any]) -> list[str]:
        """The CodeCommit repositories that the stack has created."""
        pages = self.session.client("cloudformation").get_paginator("list_stack_resources").paginate(
            StackName=stack["StackId"])
        created = [each for page in pages for each in page["StackResourceSummaries"]
                   if each["ResourceType"] == "AWS::CodeCommit::Repository"]
        # The physical ID is CodeCommit's, a UUID. GetRepository takes names only.
        ids = {each["PhysicalResourceId"] for each in created if each.get("PhysicalResourceId")}
        pages = self.session.client("codecommit").get_paginator("list_repositories").paginate() if ids else []
        return [each["repositoryName"] for page in pages for each in page["repositories"] if each["repositoryId"] in ids]

    def stack(self, name: str) -> dict[str, Any] | None:
        """`None` if the stack does not exist."""
        try:
            stack: dict[str, Any] = self.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # Untyped, so only its text identifies it.
            if "does not exist" in str(error):
                return None
            raise
        return stack


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def owner_of(stack: dict[str, Any]) -> str | None:
    """The ID of the stack that a pipeline's stack belongs to. `None` if its tag has another form: who may create stacks may
    choose their tags."""
    value = next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == "cfn-gitops:stack-id"), "")
    return value if _STACK_ID.fullmatch(value) else None


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
