"""The names that the next deployment needs: the stack's own status, and what already has a name of the template.

A name is taken if something has it that the environment's stack did not create.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from cli.account import Environment, owner_of, parameters
from cli.checks.rows import Reader, Row, pages
from cli.checks.template import Template
from cli.machine import code_of
from cli.output import Finding

_ABSENT = {"NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException", "ResourceNotFound", "DashboardNotFoundError",
           "RepositoryDoesNotExistException", "404"}
# After which CloudFormation accepts no update. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_DELETE_FIRST = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
_WAITERS = {"CREATE": "stack-create-complete", "UPDATE": "stack-update-complete", "DELETE": "stack-delete-complete",
            "IMPORT": "stack-import-complete", "UPDATE_ROLLBACK": "stack-rollback-complete"}


def stack_check(environment: Environment, stack: dict[str, Any] | None) -> Finding:
    """Whether CloudFormation accepts a deployment of the environment's stack now."""
    name = environment.settings.stack_name
    subject = f"stack {name}"
    if stack is None:
        return Finding(f"{subject} does not exist yet")
    status, problem = stack["StackStatus"], f"its status is {stack['StackStatus']}, in which CloudFormation accepts no update"
    if status == "REVIEW_IN_PROGRESS":
        # https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/deploy/deployer.py, has_stack
        return Finding(f"{subject} has only a change set, which the next deployment replaces")
    if status == "ROLLBACK_IN_PROGRESS":
        return Finding(subject, problem, f"Wait until it is ROLLBACK_COMPLETE, then delete it: aws cloudformation delete-stack --stack-name {name}")
    if status.endswith("IN_PROGRESS"):
        waiter = _WAITERS.get(status.replace("_COMPLETE_CLEANUP", "").replace("_IN_PROGRESS", ""))
        return Finding(subject, problem, f"Wait for its end: aws cloudformation wait {waiter} --stack-name {name}" if waiter else
                       "Wait for its end")
    if status in _DELETE_FIRST:
        return Finding(subject, problem, f"Delete it, and wait for that: aws cloudformation delete-stack --stack-name {name}")
    if status == "UPDATE_ROLLBACK_FAILED":
        return Finding(subject, problem, "Correct the cause (cfn-gitops failures), then: aws cloudformation continue-update-rollback "
                       f"--stack-name {name}")
    if status == "UPDATE_FAILED":
        return Finding(subject, problem, f"Roll it back: aws cloudformation rollback-stack --stack-name {name}")
    if not status.endswith("_COMPLETE"):
        return Finding(subject, problem, "Read its events: cfn-gitops failures")
    deployed, env_id = parameters(stack).get("EnvID", environment.env_id), environment.env_id
    if deployed != env_id:
        return Finding(subject, f"it has EnvID {deployed}, and samconfig.toml has {env_id}. EnvID is part of every name, so this update fails",
                       f"Set EnvID={deployed}, or another stack_name for {env_id}")
    return Finding(subject)


class Names:
    """The names of the template's resources in this environment."""

    def __init__(self, reader: Reader, template: Template, stacks: dict[str, dict[str, Any]], owned: set[str]) -> None:
        """`stacks` are all of the account, by name. `owned` are the physical IDs of the environment's stack."""
        self.reader, self.account, self.template, self.stacks, self.owned = reader, reader.account, template, stacks, owned
        self.stack_id = str(stacks.get(reader.environment.settings.stack_name, {}).get("StackId", ""))
        self.env_id = reader.environment.env_id
        self.partition = self.account.arn.split(":")[1]

    def rows(self) -> list[Row]:
        """One for each kind."""
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
        for service in ("iam", "lambda", "logs", "events", "cloudwatch", "s3", "secretsmanager", "codecommit", "cloudformation"):
            self.reader.client(service)
        rows = []
        for title, resource_type, member, read in kinds:
            names = self._names(resource_type, member)
            if names:
                subject = f"names of {title}: {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
                rows.append(_row(subject, read, names))
        rows.append(_row("exports of other stacks", self._exports, self.template.exports()))
        if project_id := self.template.values.get("ProjectID"):
            rows.append(_row(f"secret {self._secret()}", self._secrets, [self._secret()]))
            child = f"gitops-{self.env_id}-{project_id}"
            repository = f"codecommit-{self.env_id}-cfn-{project_id}"
            rows.append(_row(f"stack {child} and repository {repository}", lambda _: self._project(child, repository), []))
        return rows

    def _names(self, resource_type: str, member: str) -> list[str]:
        return [self.template.name(each, member) for each in self.template.resources()
                if each.type == resource_type and member in each.properties]

    def _taken(self, kind: str, name: str, remedy: str) -> Finding:
        return Finding(f"{kind} {name}", "it exists, and the environment's stack did not create it, so its creation fails",
                       f"If nothing needs it, delete it: {remedy}. Otherwise choose another EnvID")

    def _roles(self, names: list[str]) -> list[Finding]:
        iam, found = self.reader.client("iam"), []
        for name in self._foreign(names, lambda name: iam.get_role(RoleName=name)):
            first = []
            # Without these permissions, the remedy is shorter.
            with contextlib.suppress(ClientError):
                first = [f"aws iam detach-role-policy --role-name {name} --policy-arn {each['PolicyArn']}"
                         for each in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)]
                first += [f"aws iam delete-role-policy --role-name {name} --policy-name {each}"
                          for each in pages(iam, "list_role_policies", "PolicyNames", RoleName=name)]
            found.append(self._taken("role", name, " && ".join([*first, f"aws iam delete-role --role-name {name}"])))
        return found

    def _users(self, names: list[str]) -> list[Finding]:
        iam, found = self.reader.client("iam"), []
        for name in self._foreign(names, lambda name: iam.get_user(UserName=name)):
            first = []
            with contextlib.suppress(ClientError):
                first = [f"aws iam detach-user-policy --user-name {name} --policy-arn {each['PolicyArn']}"
                         for each in pages(iam, "list_attached_user_policies", "AttachedPolicies", UserName=name)]
                first += [f"aws iam delete-user-policy --user-name {name} --policy-name {each}"
                          for each in pages(iam, "list_user_policies", "PolicyNames", UserName=name)]
                first += [f"aws iam delete-service-specific-credential --user-name {name} --service-specific-credential-id "
                          f"{each['ServiceSpecificCredentialId']}"
                          for each in iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]]
            found.append(self._taken("user", name, " && ".join([*first, f"aws iam delete-user --user-name {name}"])))
        return found

    def _policies(self, names: list[str]) -> list[Finding]:
        iam, arns = self.reader.client("iam"), [f"arn:{self.partition}:iam::{self.account.id}:policy/{name}" for name in names]
        return [self._taken("managed policy", arn.rsplit("/", 1)[-1], f"aws iam delete-policy --policy-arn {arn}")
                for arn in self._foreign(arns, lambda arn: iam.get_policy(PolicyArn=arn))]

    def _functions(self, names: list[str]) -> list[Finding]:
        client = self.reader.client("lambda")
        return [self._taken("function", name, f"aws lambda delete-function --function-name {name}")
                for name in self._foreign(names, lambda name: client.get_function(FunctionName=name))]

    def _log_groups(self, names: list[str]) -> list[Finding]:
        logs, found = self.reader.client("logs"), []
        for name in names:
            present = {each["logGroupName"] for each in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name)}
            if name in present - self.owned:
                found.append(self._taken("log group", name, f"aws logs delete-log-group --log-group-name {name}"))
        return found

    def _rules(self, names: list[str]) -> list[Finding]:
        found, events = [], self.reader.client("events")
        present = {each["Name"] for each in pages(events, "list_rules", "Rules", NamePrefix=f"event-rule-{self.env_id}-")}
        for name in names:
            if name in present - self.owned:
                targets = [each["Id"] for each in pages(events, "list_targets_by_rule", "Targets", Rule=name)]
                first = f"aws events remove-targets --rule {name} --ids {' '.join(targets)} && " if targets else ""
                found.append(self._taken("event rule", name, f"{first}aws events delete-rule --name {name}"))
        return found

    def _alarms(self, names: list[str]) -> list[Finding]:
        # A call describes at most 100.
        present = {each["AlarmName"] for each in pages(self.reader.client("cloudwatch"), "describe_alarms", "MetricAlarms", AlarmNames=names[:100])}
        return [self._taken("alarm", name, f"aws cloudwatch delete-alarms --alarm-names {name}")
                for name in names if name in present - self.owned]

    def _dashboards(self, names: list[str]) -> list[Finding]:
        client = self.reader.client("cloudwatch")
        return [self._taken("dashboard", name, f"aws cloudwatch delete-dashboards --dashboard-names {name}")
                for name in self._foreign(names, lambda name: client.get_dashboard(DashboardName=name))]

    def _buckets(self, names: list[str]) -> list[Finding]:
        s3, table = self.reader.client("s3"), self.reader.environment.settings.table
        found = []
        for name in names:
            subject = f"bucket {name}"
            try:
                taken = self._foreign([name], lambda name: s3.head_bucket(Bucket=name, ExpectedBucketOwner=self.account.id))
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 301:
                    found.append(Finding(subject, "it exists in another region, and a bucket's name is unique in all", "Delete it there, or choose another EnvID"))
                elif status == 403:
                    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
                    found.append(Finding(subject, reason="S3 answers 403: either another account has the name, or you lack s3:ListBucket on it",
                                         remedy="Add the permission. If it still answers 403, choose another EnvID"))
                else:
                    raise
                continue
            found += [Finding(subject, "it exists, and the environment's stack did not create it, so its creation fails",
                              f"An earlier stack left it. Delete it with all artifacts: cfn-gitops undeploy --env {table} --delete-bucket. "
                              "Otherwise choose another EnvID") for _ in taken]
        return found

    def _secrets(self, names: list[str]) -> list[Finding]:
        client, found = self.reader.client("secretsmanager"), []
        for name in names:
            try:
                secret = client.describe_secret(SecretId=name)
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    continue
                raise
            owner, subject = owner_of(secret), f"secret {name}"
            is_own = bool(self.stack_id) and owner == self.stack_id
            release = f"aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery"
            if secret.get("DeletedDate"):
                restore = f"Restore it: aws secretsmanager restore-secret --secret-id {name}. Or free" if is_own else "Free"
                found.append(Finding(subject, "it is scheduled for deletion, which reserves its name", f"{restore} the name: {release}", "CFG-304"))
            elif not is_own:
                held = f"it belongs to stack {owner}" if owner else "Custom::MirrorCredential did not create it"
                found.append(Finding(subject, f"it exists, and {held}", f"If nothing needs it, free the name: {release}", "CFG-303"))
        return found

    def _secret(self) -> str:
        # As the health check's rule in template.yaml names it.
        return f"codecommit-mirror/user-{self.env_id}-codecommit-mirroring"

    def _exports(self, names: list[str]) -> list[Finding]:
        others = {each["Name"]: each["ExportingStackId"]
                  for each in pages(self.reader.client("cloudformation"), "list_exports", "Exports") if each["ExportingStackId"] != self.stack_id}
        taken = sorted({others[name] for name in names if name in others})
        return [Finding(f"exports cfn-gitops-{self.env_id}-…", f"stack {stack} exports them already", f"The environment {self.env_id} exists under "
                        "another stack name: set stack_name in samconfig.toml to it, or choose another EnvID") for stack in taken]

    def _project(self, child: str, repository: str) -> list[Finding]:
        """The first project's child stack, and a repository that such a stack left."""
        if stack := self.stacks.get(child):
            owner = owner_of(stack)
            if owner and owner == self.stack_id:
                return []
            held = f"it belongs to stack {owner}" if owner else "Custom::GitOpsPipeline did not create it"
            return [Finding(f"stack {child}", f"it exists, and {held}", "Choose another ProjectID. If nothing needs it, free the name: "
                            f"aws cloudformation delete-stack --stack-name {child}", "CFG-502")]
        codecommit = self.reader.client("codecommit")
        if not self._foreign([repository], lambda name: codecommit.get_repository(repositoryName=name)):
            return []
        arn = f"arn:{self.partition}:codecommit:{self.account.region}:{self.account.id}:{repository}"
        # docs/concepts/pipelines.md, A retained repository: by this tag, the pipeline adopts it.
        if codecommit.list_tags_for_resource(resourceArn=arn)["tags"].get("cfn-gitops:stack-name") == child:
            return [Finding(f"repository {repository}, which an earlier pipeline left: the new one adopts it")]
        return [Finding(f"repository {repository}", "it exists, and no earlier pipeline of this name left it",
                        "Choose another ProjectID, or rename the repository: aws codecommit update-repository-name --old-name "
                        f"{repository} --new-name {repository}-former", "CFG-504")]

    def _foreign(self, names: list[str], read: Callable[[str], Any]) -> list[str]:
        """Those that exist and are not the stack's."""
        found = []
        for name in set(names) - self.owned:
            try:
                read(name)
                found.append(name)
            except ClientError as error:
                if code_of(error) not in _ABSENT:
                    raise
        return sorted(found, key=names.index)


def _row(subject: str, read: Callable[[list[str]], list[Finding]], names: list[str]) -> Row:
    return Row(subject, lambda: read(names) or [Finding(subject)])


def owned_by(reader: Reader, stack: dict[str, Any] | None) -> set[str]:
    """The physical IDs of the stack's resources."""
    if stack is None:
        return set()
    listed = pages(reader.client("cloudformation"), "list_stack_resources", "StackResourceSummaries", StackName=stack["StackId"])
    return {each["PhysicalResourceId"] for each in listed
            if each.get("PhysicalResourceId") and each["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")}

