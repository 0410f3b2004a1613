"""The names that the next deployment needs.

A name is taken if something has it that the environment's stack did not create. CloudFormation then fails to create the
resource, and rolls the whole deployment back.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.checks.rows import Reader, Row, pages
from cli.checks.template import Template
from cli.environment import stack_statuses
from cli.environment.account import owner_of, parameters
from cli.rules import PIPELINES, name_of
from cli.shell.machine import code_of
from cli.shell.output import Finding, Found, NotChecked, Sound

_ABSENT = {"NoSuchEntity", "ResourceNotFoundException", "ResourceNotFound", "DashboardNotFoundError",
           "RepositoryDoesNotExistException", "404"}
_SAME_ENVIRONMENT = "If that stack is the environment, set stack_name in samconfig.toml to it. Otherwise choose another EnvID"
_LOST_TAGS = "If a stack of the environment declares it, its tags were removed: cfn-gitops doctor has the command that adds them"
_REGION_OF_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:([a-z]+(?:-[a-z]+)+-[0-9]+):")
# The names of a call. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
_MAX_ALARMS = 100
_SERVICES = ("cloudformation", "cloudwatch", "codecommit", "events", "iam", "lambda", "logs", "s3", "secretsmanager")


class Names:
    """The names of the template's resources in this environment."""

    def __init__(self, reader: Reader, template: Template, stacks: dict[str, dict[str, Any]], owned: set[str]) -> None:
        """`stacks` are all of the account, by name. `owned` are the physical IDs of the environment's stack."""
        self._reader, self._account, self._template, self._stacks, self._owned = reader, reader.account, template, stacks, owned
        self._stack_id = str(stacks.get(reader.environment.settings.stack_name, {}).get("StackId", ""))
        # Environments and projects.
        self._same_env_id = sorted(
            name for name, stack in stacks.items()
            if name != reader.environment.settings.stack_name and parameters(stack).get("EnvID") == reader.environment.env_id)
        self._env_id, self._partition = reader.environment.env_id, reader.account.arn.split(":")[1]
        for service in _SERVICES:
            reader.client(service)

    def rows(self) -> list[Row]:
        """One for each kind of resource."""
        kinds: list[tuple[str, str, str, Callable[[list[str]], list[Finding]]]] = [
            ("roles", "AWS::IAM::Role", "RoleName", self._roles),
            ("users", "AWS::IAM::User", "UserName", self._users),
            ("managed policies", "AWS::IAM::ManagedPolicy", "ManagedPolicyName", self._policies),
            ("functions", "AWS::Serverless::Function", "FunctionName", self._functions),
            ("log groups", "AWS::Logs::LogGroup", "LogGroupName", self._log_groups),
            ("event rules", "AWS::Events::Rule", "Name", self._rules),
            ("alarms", "AWS::CloudWatch::Alarm", "AlarmName", self._alarms),
            ("dashboards", "AWS::CloudWatch::Dashboard", "DashboardName", self._dashboards),
            ("buckets", "AWS::S3::Bucket", "BucketName", self._buckets),
        ]
        rows = []
        for title, resource_type, member, read in kinds:
            if names := [name for each in self._template.resources() if each.type == resource_type and member in each.properties
                         for name in self._template.names(each, member)]:
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                rows.append(_row(f"names of {title}: {names[0]}{more}", read, names))
        rows.append(_row("exports of other stacks", self._exports, self._template.exports()))
        if project_id := self._template.values.get("ProjectID"):
            secret = self._reader.environment.first_secret
            names = [name_of(each, self._env_id, project_id) for each in ("stack", "repository")]
            rows.append(_row(f"secret {secret}", self._secrets, [secret]))
            rows.append(_row(f"stack {names[0]} and repository {names[1]}", self._project, names))
        return rows

    def _roles(self, names: list[str]) -> list[Finding]:
        iam = self._reader.client("iam")
        return [self._global("role", name, _regions_of(iam, "role", name))
                for name in self._foreign(names, lambda name: iam.get_role(RoleName=name))]

    def _users(self, names: list[str]) -> list[Finding]:
        iam = self._reader.client("iam")
        return [self._global("user", name, _regions_of(iam, "user", name))
                for name in self._foreign(names, lambda name: iam.get_user(UserName=name))]

    def _policies(self, names: list[str]) -> list[Finding]:
        iam, prefix = self._reader.client("iam"), f"arn:{self._partition}:iam::{self._account.id}:policy/"
        # The physical ID of a managed policy is its ARN.
        return [self._global("managed policy", arn.removeprefix(prefix), set())
                for arn in self._foreign([prefix + name for name in names], lambda arn: iam.get_policy(PolicyArn=arn))]

    def _functions(self, names: list[str]) -> list[Finding]:
        client = self._reader.client("lambda")
        return [self._taken("function", name, f"aws lambda delete-function --function-name {name}")
                for name in self._foreign(names, lambda name: client.get_function(FunctionName=name))]

    def _log_groups(self, names: list[str]) -> list[Finding]:
        logs = self._reader.client("logs")
        present = {each["logGroupName"] for name in names
                   for each in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name)}
        return [self._taken("log group", name, f"aws logs delete-log-group --log-group-name {name}")
                for name in names if name in present - self._owned]

    def _rules(self, names: list[str]) -> list[Finding]:
        events = self._reader.client("events")
        return [self._taken("event rule", name, *_targets_of(events, name), f"aws events delete-rule --name {name}")
                for name in self._foreign(names, lambda name: events.describe_rule(Name=name))]

    def _alarms(self, names: list[str]) -> list[Finding]:
        present: set[str] = set()
        for first in range(0, len(names), _MAX_ALARMS):
            described = self._reader.client("cloudwatch").describe_alarms(
                AlarmNames=names[first:first + _MAX_ALARMS], AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=_MAX_ALARMS)
            present |= {each["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for each in described.get(kind, [])}
        return [self._taken("alarm", name, f"aws cloudwatch delete-alarms --alarm-names {name}")
                for name in names if name in present - self._owned]

    def _dashboards(self, names: list[str]) -> list[Finding]:
        client = self._reader.client("cloudwatch")
        return [self._taken("dashboard", name, f"aws cloudwatch delete-dashboards --dashboard-names {name}")
                for name in self._foreign(names, lambda name: client.get_dashboard(DashboardName=name))]

    def _buckets(self, names: list[str]) -> list[Finding]:
        return [finding for name in names for finding in self._bucket(name)]

    def _bucket(self, name: str) -> list[Finding]:
        s3, subject = self._reader.client("s3"), f"bucket {name}"
        try:
            taken = self._foreign([name], lambda name: s3.head_bucket(Bucket=name, ExpectedBucketOwner=self._account.id))
        except ClientError as error:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                raise
            return [NotChecked(subject, "S3 answers 403: either another account has the name, or you lack s3:ListBucket on it",
                               "Add the permission. If S3 still answers 403, choose another EnvID")]
        delete = f"cfn-gitops undeploy --env {self._reader.environment.settings.table} --delete-bucket"
        return [Found(subject, "it exists, and the environment's stack did not create it, so its creation fails",
                      f"If nothing needs its artifacts, delete it: {delete}. Otherwise choose another EnvID") for _ in taken]

    def _secrets(self, names: list[str]) -> list[Finding]:
        return [finding for name in names for finding in self._secret(name)]

    def _secret(self, name: str) -> list[Finding]:
        try:
            secret = self._reader.client("secretsmanager").describe_secret(SecretId=name)
        except ClientError as error:
            if code_of(error) not in _ABSENT:
                raise
            return []
        owner, subject = owner_of(secret), f"secret {name}"
        is_own = bool(self._stack_id) and owner == self._stack_id
        release = ("If its user has no CodeCommit credential any more, you can free the name: aws secretsmanager delete-secret "
                   f"--secret-id {name} --force-delete-without-recovery")
        if secret.get("DeletedDate"):
            restore = f"Restore it: aws secretsmanager restore-secret --secret-id {name}"
            return [Found(subject, "it is scheduled for deletion, which reserves its name",
                          restore if is_own else f"{restore}. {release}", "CFG-304")]
        if is_own:
            return []
        if self._has_stack(owner):
            return [Found(subject, f"it exists, and it belongs to stack {owner}", _SAME_ENVIRONMENT, "CFG-303")]
        if not owner:
            return [Found(subject, "it exists, and no tags name its owner", f"Choose another ProjectID. {_LOST_TAGS}", "CFG-303")]
        return [Found(subject, f"it exists, and it belonged to stack {owner}", f"Choose another ProjectID. {release}", "CFG-303")]

    def _has_stack(self, stack_id: str | None) -> bool:
        return stack_id in [stack["StackId"] for stack in self._stacks.values()]

    def _exports(self, names: list[str]) -> list[Finding]:
        listed = pages(self._reader.client("cloudformation"), "list_exports", "Exports")
        others = {each["Name"]: each["ExportingStackId"] for each in listed if each["ExportingStackId"] != self._stack_id}
        remedy = (f"The environment {self._env_id} exists under another stack name: set stack_name in samconfig.toml to it, or "
                  "choose another EnvID")
        return [Found(f"exports cfn-gitops-{self._env_id}-…", f"stack {stack} exports them already", remedy)
                for stack in sorted({others[name] for name in names if name in others})]

    def _project(self, names: list[str]) -> list[Finding]:
        """The first project's child stack, and a repository that such a stack left."""
        child, repository = names
        if stack := self._stacks.get(child):
            owner = owner_of(stack)
            if owner and owner == self._stack_id:
                return []
            if self._has_stack(owner):
                return [Found(f"stack {child}", f"it exists, and it belongs to stack {owner}",
                              f"Choose another ProjectID. {_SAME_ENVIRONMENT}", "CFG-502")]
            if not owner:
                return [Found(f"stack {child}", "it exists, and no tags name its owner", f"Choose another ProjectID. {_LOST_TAGS}",
                              "CFG-502")]
            return [Found(f"stack {child}", f"it exists, and it belonged to stack {owner}", "Choose another ProjectID. If GitLab has "
                          "every commit of its repository, which is deleted with it unless it is retained, you can free the name: "
                          f"aws cloudformation delete-stack --stack-name {child}", "CFG-502")]
        codecommit = self._reader.client("codecommit")
        if not self._foreign([repository], lambda name: codecommit.get_repository(repositoryName=name)):
            return []
        arn = f"arn:{self._partition}:codecommit:{self._account.region}:{self._account.id}:{repository}"
        # docs/concepts/pipelines.md, A retained repository.
        if codecommit.list_tags_for_resource(resourceArn=arn)["tags"].get(PIPELINES["tags"]["stack_name"]) == child:
            return [Sound(f"repository {repository}, which an earlier pipeline left: the new one adopts it")]
        rename = f"aws codecommit update-repository-name --old-name {repository} --new-name {repository}-former"
        return [Found(f"repository {repository}", "it exists, and no earlier pipeline of this name left it",
                      f"Choose another ProjectID, or rename the repository: {rename}", "CFG-504")]

    def _taken(self, kind: str, name: str, *commands: str) -> Finding:
        subject, problem = f"{kind} {name}", "it exists, and the environment's stack did not create it, so its creation fails"
        if self._same_env_id:
            return Found(subject, problem, f"Stack {self._same_env_id[0]} has this EnvID, too. If it is the environment, "
                         "set stack_name in samconfig.toml to it. Otherwise choose another EnvID, or delete what is left over yourself")
        return Found(subject, problem, f"If nothing needs it, delete it: {' && '.join(commands)}. Otherwise choose another EnvID")

    def _global(self, kind: str, name: str, regions: set[str]) -> Finding:
        """A resource of IAM, which has no region. So it may belong to a working environment in another one."""
        if self._same_env_id:
            return self._taken(kind, name)
        others = sorted(regions - {self._account.region})
        where = f"in another region ({', '.join(others)})" if others else "in another region"
        return Found(f"{kind} {name}", "it exists, and the environment's stack did not create it, so its creation fails",
                     f"EnvID {self._env_id} may be deployed {where}: name it with --region, or choose another EnvID. "
                     f"If the {kind} is left over, delete it yourself")

    def _foreign(self, names: list[str], read: Callable[[str], Any]) -> list[str]:
        """Those that exist and are not the stack's."""
        return [name for name in names if name not in self._owned and _exists(name, read)]


def _exists(name: str, read: Callable[[str], Any]) -> bool:
    try:
        read(name)
    except ClientError as error:
        if code_of(error) not in _ABSENT:
            raise
        return False
    return True


def _regions_of(iam: Any, kind: str, name: str) -> set[str]:
    """The regions in which a role was used last, or that its inline policies name. IAM's resources have no tag of their
    stack: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/277"""
    given, found = {f"{kind.title()}Name": name}, set()
    # Proof is missing without the permissions.
    with contextlib.suppress(BotoCoreError, ClientError):
        if kind == "role":
            found = {iam.get_role(**given)["Role"].get("RoleLastUsed", {}).get("Region", "")} - {""}
        for each in pages(iam, f"list_{kind}_policies", "PolicyNames", **given):
            document = getattr(iam, f"get_{kind}_policy")(**given, PolicyName=each)["PolicyDocument"]
            found |= set(_REGION_OF_ARN.findall(json.dumps(document)))
    return found


def _targets_of(events: Any, rule: str) -> Iterator[str]:
    # Without permission to list them, the remedy lacks them.
    with contextlib.suppress(BotoCoreError, ClientError, KeyError):
        if targets := pages(events, "list_targets_by_rule", "Targets", Rule=rule):
            yield f"aws events remove-targets --rule {rule} --ids {' '.join(each['Id'] for each in targets)}"


def name_rows(reader: Reader, template: Template, stacks: dict[str, dict[str, Any]], owned: dict[str, str]) -> list[Row]:
    return Names(reader, template, stacks, set(owned.values())).rows()


def _row(subject: str, read: Callable[[list[str]], list[Finding]], names: list[str]) -> Row:
    return Row("names", subject, lambda: read(names) or [Sound(subject)])


def owned_by(reader: Reader, stack: dict[str, Any] | None) -> dict[str, str]:
    """The physical ID of each resource of the stack, by its logical ID. Empty if the stack does not exist."""
    if stack is None:
        return {}
    listed = pages(reader.client("cloudformation"), "list_stack_resources", "StackResourceSummaries", StackName=stack["StackId"])
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed
            if each.get("PhysicalResourceId") and each["ResourceStatus"] not in stack_statuses.GONE}
