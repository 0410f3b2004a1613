"""The account and region that a subcommand works in, and the stacks of an environment there."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from getpass import GetPassWarning
from typing import Any
from warnings import simplefilter

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cli.environment import stack_statuses
from cli.environment.samconfig import Settings
from cli.rules import PIPELINES, name_of
from cli.shell import machine
from cli.shell.command import aws, cfn_gitops, sam
from cli.shell.failure import Failure, NotLooked, WrongUse
from cli.shell.spelling import did_you_mean

# Seconds. With botocore's own 60, five attempts in a network that drops packets would be five minutes of
# silence.
_CONFIG = Config(connect_timeout=10, read_timeout=60)
# Of a call that changes something, for which a person waits.
OF_CHANGES = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
# A misspelled region has no host, and five attempts take up to 15 s.
_OF_IDENTITY = Config(retries={"mode": "standard", "total_max_attempts": 2})
_STACK_ID = re.compile(
    r"arn:[a-z-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]*/[A-Za-z0-9-]+"
)


def pages(client: Any, operation: str, key: str, **given: Any) -> list[Any]:
    """The items of every page."""
    return [item for page in client.get_paginator(operation).paginate(**given) for item in page[key]]


@dataclass
class Account:
    session: boto3.Session
    id: str
    # That of the caller.
    arn: str = ""

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    @property
    def partition(self) -> str:
        return "".join(self.arn.split(":")[1:2]) or "aws"

    def client(self, service: str, **more: Any) -> Any:
        return self.session.client(service, **more)

    def bucket_of(self, env_id: str) -> str:
        return (
            name_of("artifact_bucket", env_id)
            .replace("${AWS::AccountId}", self.id)
            .replace("${AWS::Region}", self.region)
        )

    def has_bucket(self, name: str) -> bool:
        status = 200
        try:
            self.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=self.id)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 403:
                # Without a body, so without a reason.
                raise NotLooked(
                    f"bucket {name} is not read: you do not have the permission s3:ListBucket on it, or it"
                    f" belongs to another account than {self.id}",
                    "Ask its owner",
                ) from None
            if status in (301, 400):
                raise NotLooked(
                    f"bucket {name} is not read: HeadBucket has the status {status} without a reason",
                    "See whether it is in another "
                    f"region, or the login has expired: `{aws('sts', 'get-caller-identity')}`",
                ) from None
            if status != 404:
                raise
        return status != 404

    def stacks(self) -> list[dict[str, Any]]:
        """All existing stacks, with tags and roles."""
        return pages(self.client("cloudformation"), "describe_stacks", "Stacks")

    def repositories(self, stack: dict[str, Any]) -> list[str]:
        """The CodeCommit repositories that the stack has created."""
        # The physical ID is CodeCommit's, a UUID. GetRepository takes names only.
        ids = {
            each.get("PhysicalResourceId")
            for each in self.resources_of(stack)
            if each["ResourceType"] == "AWS::CodeCommit::Repository"
        }
        listed = pages(self.client("codecommit"), "list_repositories", "repositories") if ids else []
        return [each["repositoryName"] for each in listed if each["repositoryId"] in ids]

    def stack(self, name: str) -> dict[str, Any] | None:
        """`None` if the stack does not exist."""
        try:
            stack: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # Untyped, so only its text identifies it.
            if "does not exist" in str(error):
                return None
            raise
        return stack

    def was_deleted(self, name: str) -> bool:
        """Whether a stack of this name was deleted. CloudFormation lists it for 90 days.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html"""
        deleted = pages(
            self.client("cloudformation"),
            "list_stacks",
            "StackSummaries",
            StackStatusFilter=[stack_statuses.DELETE_COMPLETE],
        )
        return any(each["StackName"] == name for each in deleted)

    def resources_of(self, stack: dict[str, Any]) -> list[dict[str, Any]]:
        """Those that the stack has now."""
        listed = pages(
            self.client("cloudformation"),
            "list_stack_resources",
            "StackResourceSummaries",
            StackName=stack["StackId"],
        )
        return [each for each in listed if each["ResourceStatus"] not in stack_statuses.GONE]


@dataclass
class Environment:
    """An environment in an account and a region, for a subcommand."""

    settings: Settings
    account: Account

    @property
    def env_id(self) -> str:
        return self.settings.env_id

    @property
    def first_secret(self) -> str:
        """The name of the first project's mirror credential, as the health check's rule in template.yaml has
        it."""
        return f"codecommit-mirror/user-{self.env_id}-codecommit-mirroring"

    @property
    def place(self) -> str:
        return f"account {self.account.id}, region {self.account.region}"

    @property
    def export(self) -> str:
        """The name under which the environment's stack exports its function."""
        return name_of("service_token", self.env_id)

    def stack(self) -> dict[str, Any]:
        """The environment's stack. Raises `Failure` if it does not exist."""
        if stack := self.found_stack():
            return stack
        table = self.settings.table
        deploy = (
            f"Otherwise check and deploy it: {cfn_gitops('check', '--env', table)} &&"
            f" {sam('deploy', '--config-env', table)}"
        )
        raise self.missing(
            self.settings.stack_name,
            "If that is the wrong place, name another one with --profile or --region. "
            f"{deploy if self.settings.file else self.settings.remedy}",
        )

    def deployment(self) -> str:
        """The end of a remedy that deploys the environment, or names what deploys it."""
        own = self.settings.deployment
        # It must not hide the remedy.
        with contextlib.suppress(BotoCoreError, ClientError, Failure):
            stack = self.found_stack()
            if stack and (manager := manager_of(stack)):
                return f". Its stack belongs to {manager}: deploy that one" + if_ordinary(
                    stack, f"do it here{own}"
                )
        return own

    def found_stack(self) -> dict[str, Any] | None:
        """`None` if it does not exist. Raises `Failure` if the stack of that name is not the
        environment's."""
        name = self.settings.stack_name
        stack = self.account.stack(name)
        if stack is None or self._is_own(stack):
            return stack
        raise Failure(
            f"stack {name} does not have EnvID {self.env_id} and the export {self.export}",
            self.settings.remedy,
        )

    def function_of(self, stack: dict[str, Any]) -> str:
        """The ARN of the function that the environment's stack exports. Empty if it exports none yet."""
        return next(
            (
                each["OutputValue"]
                for each in stack.get("Outputs", [])
                if each.get("ExportName") == self.export
            ),
            "",
        )

    def importers(self, export: str) -> list[str]:
        """The stacks that import the export. While there is one, CloudFormation deletes no stack that exports
        it."""
        client = self.account.client("cloudformation")
        try:
            return pages(client, "list_imports", "Imports", ExportName=export)
        except ClientError as error:
            # Untyped, so only its text identifies it.
            if "not imported by any stack" in str(error):
                return []
            raise

    def _is_own(self, stack: dict[str, Any]) -> bool:
        status, env_id = stack.get("StackStatus", ""), parameters(stack).get("EnvID")
        # It has no template yet, so nothing can be lost with it.
        if status == stack_statuses.REVIEW_IN_PROGRESS and env_id is None:
            return True
        is_incomplete = not stack.get("Outputs") and status not in stack_statuses.WITH_OUTPUTS
        return env_id == self.env_id and (is_incomplete or self.export in exports(stack))

    def missing(self, name: str, remedy: str) -> Failure:
        """The failure of a stack that does not exist."""
        question = ""
        # A suggestion must not hide the failure.
        with contextlib.suppress(BotoCoreError, ClientError):
            is_own = name == self.settings.stack_name
            question = did_you_mean(
                name,
                [each["StackName"] for each in self.account.stacks() if not is_own or self._is_own(each)],
            )
        return Failure(f"stack {name} does not exist in {self.place}{question}", remedy)

    def require_deleted(self) -> None:
        """Raises `Failure` without a proof that the environment's stack existed here and was deleted."""
        name = self.settings.stack_name
        if not self.account.was_deleted(name):
            raise self.missing(
                name,
                f"{self.settings.remedy}, or name another place "
                "with --profile or --region. If it was deleted more than 90 days ago, nothing is left to do",
            )


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def exports(stack: dict[str, Any]) -> set[str]:
    return {each["ExportName"] for each in stack.get("Outputs", []) if each.get("ExportName")}


def parameters(stack: dict[str, Any]) -> dict[str, str]:
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])}


def owner_of(stack: dict[str, Any]) -> str | None:
    """The ID of the stack that a tag of a pipeline's stack names. `None` if the tag has another form. Anyone
    who may create stacks chooses their tags, so `cli.environment.owners` has the proof."""
    value = _tag(stack, PIPELINES["tags"]["stack_id"])
    return value if _STACK_ID.fullmatch(value) else None


def root_of(stack: dict[str, Any]) -> str:
    """The name of the stack that a person updates and deletes: the root of a nested one."""
    return str(stack["RootId"].split("/")[1] if "RootId" in stack else stack["StackName"])


def manager_of(stack: dict[str, Any]) -> str:
    """The root stack or the StackSet that updates the stack, and would fail or change it again after another
    update. Empty if a person updates it. CloudFormation shows a StackSet only in its own account. So an
    instance has no other sign than the name that it gets, `StackSet-<name>-<ID>`, and another stack with such
    a name counts as one."""
    if "ParentId" in stack:
        return f"stack {root_of(stack)}, in which it is nested"
    return (
        "its StackSet, of which its name shows an instance"
        if stack["StackName"].startswith("StackSet-")
        else ""
    )


def if_ordinary(stack: dict[str, Any], remedy: str) -> str:
    """The remedy for a stack that `manager_of` may take for an instance of a StackSet. Empty for a nested
    one."""
    return "" if "ParentId" in stack else f". If there is no such StackSet, {remedy}"


def logical_id_of(stack: dict[str, Any]) -> str:
    """The resource that a pipeline's stack belongs to, in the stack of `owner_of`. Empty without its tag."""
    return _tag(stack, PIPELINES["tags"]["logical_id"])


def _tag(stack: dict[str, Any], key: str) -> str:
    return next((str(tag["Value"]) for tag in stack.get("Tags", []) if tag["Key"] == key), "")


def region_unread_by_sam() -> str:
    """AWS_REGION, if sam would take another region."""
    region = os.environ.get("AWS_REGION", "")
    return "" if region == os.environ.get("AWS_DEFAULT_REGION") else region


def name_the_region_for_all() -> None:
    """Every SDK reads AWS_REGION; boto3, and with it sam, reads AWS_DEFAULT_REGION instead."""
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


def connect(profile: str = "", region: str = "") -> Account:
    """The account of a profile and a region. If one is empty, it is that of the environment variables."""
    name_the_region_for_all()
    # Instead of a prompt without a terminal.
    simplefilter("error", GetPassWarning)
    try:
        core = botocore.session.Session()
        core.set_default_client_config(_CONFIG)
        # The client of the identity does not read it, and another client would fail later.
        core.get_config_variable("max_attempts")
        session = boto3.Session(
            botocore_session=core, profile_name=profile or None, region_name=region or None
        )
        if not session.region_name:
            raise machine.no_region()
        caller = session.client("sts", config=_OF_IDENTITY).get_caller_identity()
        identity = caller["Account"], caller["Arn"]
    except KeyError:
        # Another XML.
        raise NotLooked(*machine.NOT_OF_AWS) from None
    except (Failure, BotoCoreError, ClientError, ResponseParserError, *machine.WITHOUT_TERMINAL):
        raise
    except Exception as error:
        # botocore passes on the errors of its parsers: of a file, a variable, or the output of a
        # credential_process.
        raise WrongUse(
            f"the AWS configuration is not read: {error}",
            "Correct the profile in ~/.aws/config, or the variable that begins with AWS_."
            f" `{aws('sts', 'get-caller-identity')}` shows whether it works",
        ) from error
    return Account(session, *identity)
