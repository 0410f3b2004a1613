"""Delete the function of an environment, and keep everything that it created: docs/how-to/leave.md.

It updates each stack that uses the function, so that CloudFormation retains its resources, and then deletes
the stack. The environment's own stack is the last one. It lists all of this, and does it only after you type
the name of the last stack in the list, or with --yes. After an interruption, run it again: it continues from
the deployed templates. The exit status is 1 if a stack is left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.environment import change_set, owners, samconfig, stack_statuses, yaml_template
from cli.environment.account import Account, Environment, exports, if_ordinary, manager_of
from cli.environment.stack_deletion import delete_stack, unprotecting
from cli.environment.waiting import GivenUp
from cli.project import pipelines
from cli.shell import spelling
from cli.shell.ending import uninterrupted
from cli.shell.failure import Failure, WrongUse
from cli.shell.output import Output, confirm
from cli.shell.terminal import visible

EXAMPLES = ("cfn-gitops leave --env dev", "cfn-gitops leave --env dev project-dev-shop    # this stack only")

# The resources deleted with a stack, by `<logical ID> <type>`: they fail without the function, or have no
# purpose.
_ROTATION = "AWS::SecretsManager::RotationSchedule"
_WITH_PROJECT = rf" {_ROTATION}$"
# By their names in template.yaml: an operator may have added others, such as a secret.
_OF_FUNCTION = """
    EnvIDGuard Function FunctionChangeSetsPolicy FunctionEventInvokeConfig FunctionLogGroup
    FunctionReadPolicy FunctionRole
    ReadFunction ReadFunctionLogGroup ReadFunctionRole
    HealthCheck ReportRule ReviewRule
    FirstPushPermission RotationPermission ReportPermission ReviewPermission
    HealthCheckPermission
    MirrorsAlarm MirrorLagAlarm ForeignTipsAlarm CredentialAgeAlarm TokenExpiryAlarm
    PipelinesAlarm ApprovalsAlarm MissedPushesAlarm
    MissingResourcesAlarm HealthCheckAlarm DriftAlarm FunctionAlarm DroppedEventsAlarm SilenceAlarm Dashboard
"""
_WITH_ENVIRONMENT = rf"^({'|'.join(_OF_FUNCTION.split())}) |{_WITH_PROJECT}"
# CloudFormation ignores an update of policies alone, so the update also adds this resource. It is empty and
# free.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
_ADDED, _ADDED_TYPE = "LeavesCfnGitOps", "AWS::CloudFormation::WaitConditionHandle"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html (template body in
# a request)
_INLINE_LIMIT = 51_200
# After a failed change, the template does not show the policies of each resource.
_READABLE = stack_statuses.COMPLETE | stack_statuses.DELETION | {stack_statuses.ROLLBACK_COMPLETE}
_BY_HAND = "Set DeletionPolicy: Retain in each resource yourself, deploy it, and delete the stack"


class NotDeleted(Exception):
    """The reason, and the remedy."""


class Template:
    """A deployed template with `DeletionPolicy: Retain` in all resources but those that are deleted, in JSON.

    CloudFormation returns a template in JSON, or with a transform, as an object, and other YAML as its text.
    A text never shows that its resources are retained, because CloudFormation's parser may read it
    differently. The update to JSON shows it: CloudFormation compares the two, and lists each difference as a
    change.
    """

    def __init__(self, deployed: dict[str, Any] | str, deleted: set[str]) -> None:
        try:
            template = yaml_template.parsed(deployed) if isinstance(deployed, str) else deployed
        except yaml_template.Unreadable as error:
            raise NotDeleted(f"its template is not read: {error}. {_BY_HAND}") from error
        resources = template.get("Resources") if isinstance(template, dict) else None
        if not isinstance(resources, dict) or not resources:
            raise NotDeleted(f"its template has no resources. {_BY_HAND}")
        if others := [name for name, resource in resources.items() if not isinstance(resource, dict)]:
            raise NotDeleted(
                f"its template has no resource {others[0]}, but a transform of that name. {_BY_HAND}"
            )
        # The deployed policies, and the text to deploy.
        self.policies = {
            name: str(resource.get("DeletionPolicy", "")) for name, resource in resources.items()
        }
        retaining = {
            name: (
                {key: value for key, value in resource.items() if key != "DeletionPolicy"}
                | ({} if name in deleted else {"DeletionPolicy": "Retain"})
            )
            for name, resource in resources.items()
        }
        wanted = template | {"Resources": retaining | {_ADDED: {"Type": _ADDED_TYPE}}}
        self.text = json.dumps(wanted, separators=(",", ":"))
        # Whether it is the text of an earlier update.
        self.is_own = isinstance(deployed, dict) and _ADDED in resources


class Leaving:
    """One stack."""

    def __init__(
        self, account: Account, name: str, deleted_pattern: str, function_arn: str, output: Output
    ) -> None:
        self._account, self.name, self._function_arn, self._output = account, name, function_arn, output
        self._cloudformation, self._deleted_pattern = (
            account.session.client("cloudformation"),
            deleted_pattern,
        )
        self._look()

    def _look(self) -> None:
        """Reads the stack and its resources."""
        self._stack = self._account.stack(self.name) or {"StackStatus": stack_statuses.DELETE_COMPLETE}
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        resources = [
            each
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceStatus"] != stack_statuses.DELETE_COMPLETE
        ]
        self._types = {each["LogicalResourceId"]: each["ResourceType"] for each in resources}
        self._deleted = {
            each["LogicalResourceId"]
            for each in resources
            if each["LogicalResourceId"] == _ADDED
            or (
                re.search(self._deleted_pattern, f"{each['LogicalResourceId']} {each['ResourceType']}")
                and self._is_of_function(each)
            )
        }
        self._kept = self._types.keys() - self._deleted

    def _is_of_function(self, resource: dict[str, Any]) -> bool:
        """A rotation may have another function, and then continues."""
        if resource["ResourceType"] != _ROTATION or not resource.get("PhysicalResourceId"):
            return True
        secret = self._account.session.client("secretsmanager").describe_secret(
            SecretId=resource["PhysicalResourceId"]
        )
        return bool(secret.get("RotationLambdaARN") == self._function_arn)

    def require_project(self, environment: Environment) -> None:
        """Raises `NotDeleted` if the stack is more than a project."""
        kinds = {self._types[name] for name in self._kept}
        if others := sorted(kind for kind in kinds if not re.fullmatch(owners.OF_PROJECT, kind)):
            raise NotDeleted(
                f"it also has {', '.join(others)}. To keep the stack, set DeletionPolicy: Retain in its "
                "resources Custom::…, deploy it, and deploy it again without them. "
                f"Or name it, to delete the stack and keep its resources: {self._named(environment)}"
            )
        # The update changes no value, unless CloudFormation reads one again, such as that of a dynamic
        # reference. If it reads the template's YAML differently, the update has other changes.
        template = owners.Template(
            json.loads(self._template().text),
            self._stack.get("Parameters", []),
            environment,
            self._function_arn,
        )
        own = {name for name in self._types if template.is_own(name)}
        if read := sorted(name for name in self._kept - own if not template.reads_only(name, own)):
            raise NotDeleted(
                f"its update, which has your permissions, may change {', '.join(read)} to a value that"
                " CloudFormation reads again. See the template, and then name the stack:"
                f" {self._named(environment)}"
            )

    def _named(self, environment: Environment) -> str:
        """The command for this stack alone."""
        return f"cfn-gitops leave {self.name} --env {environment.settings.table}"

    def show(self) -> None:
        self._output.write_progress(f"{self.name} ({self._stack['StackStatus']}):")
        for step, names in (
            ("" if self._is_ready() else "update it to keep", ", ".join(sorted(self._kept))),
            (
                "delete it, and with it",
                ", ".join(f"{name} ({self._types[name]})" for name in sorted(self._deleted - {_ADDED}))
                or "nothing",
            ),
        ):
            if step:
                self._output.write_progress(
                    *textwrap.wrap(
                        visible(f"{step}: {names}"), 120, initial_indent="  - ", subsequent_indent="    "
                    )
                )

    def members(self) -> dict[str, Any]:
        """The plan as `show` writes it, for the document."""
        return {
            "stack": self.name,
            "status": self._stack["StackStatus"],
            "kept": sorted(self._kept),
            "deleted": sorted(self._deleted - {_ADDED}),
        }

    def apply(self) -> None:
        self._remove_stored()
        if not self._is_ready():
            self._update()
            self._output.record_change(f"stack {self.name} retains its resources")
            self._look()
        if not self._is_ready():
            raise NotDeleted("its deployed template does not retain all resources. Run this again")
        delete_stack(
            self._account.session,
            self.name,
            self._stack["StackId"],
            self._output,
            self._stack.get("RoleARN", ""),
        )

    def _template(self) -> Template:
        deployed = self._cloudformation.get_template(StackName=self.name, TemplateStage="Processed")[
            "TemplateBody"
        ]
        return Template(deployed, self._deleted)

    def _is_ready(self) -> bool:
        """Whether CloudFormation has the text of `Template`, with its policies and with the resource that it
        adds."""
        status = self._stack["StackStatus"]
        if status not in _READABLE:
            raise NotDeleted(
                f"it is in {status}. Wait for the end of its change, or continue or correct a failed one."
                " When its status ends with _COMPLETE, run this again"
            )
        if manager := manager_of(self._stack):
            raise NotDeleted(
                f"it belongs to {manager}. Deploy it as a stack of its own first"
                + if_ordinary(self._stack, f"{_BY_HAND[0].lower()}{_BY_HAND[1:]}")
            )
        if self._stack.get("EnableTerminationProtection"):
            raise NotDeleted(f"it has termination protection. Remove that first: {unprotecting(self.name)}")
        template = self._template()
        if missing := sorted(self._kept - template.policies.keys()):
            raise NotDeleted(
                f"its template does not have {', '.join(missing)}, so nothing retains them. Delete the stack "
                "yourself"
            )
        # A deletion that failed has deleted the added resource.
        return (
            template.is_own
            and (_ADDED in self._types or status in stack_statuses.DELETION)
            and all(template.policies[name] == "Retain" for name in self._kept)
            and all(template.policies.get(name, "") in ("", "Delete") for name in self._deleted)
        )

    def _update(self) -> None:
        try:
            change_set.update(
                self._cloudformation,
                self._stack,
                _ADDED,
                self._request(),
                lambda planned: [
                    each.get("LogicalResourceId", "a hook") for each in planned.changes if not _is_own(each)
                ],
                self._output,
            )
        except change_set.OtherChanges as names:
            raise NotDeleted(
                f"its update would also change {names}, because a value in Parameter Store is another one"
                " now, CloudFormation returns a character beyond ASCII as `?`, or it reads the template's"
                f" YAML differently. {_BY_HAND}"
            ) from None
        except (change_set.NotUpdated, change_set.NothingToUpdate) as reasons:
            raise NotDeleted(f"its update failed; {reasons}") from reasons

    @contextlib.contextmanager
    def _request(self) -> Iterator[dict[str, Any]]:
        keys = [each["ParameterKey"] for each in self._stack.get("Parameters", [])]
        with self._body(self._template().text) as body:
            yield {
                **body,
                "Parameters": [{"ParameterKey": key, "UsePreviousValue": True} for key in keys],
                "Capabilities": sorted({*self._stack.get("Capabilities", []), "CAPABILITY_NAMED_IAM"}),
            }

    @contextlib.contextmanager
    def _body(self, text: str) -> Iterator[dict[str, str]]:
        """The template. If it is too large for a request, it is for a moment in the bucket with the
        function's code."""
        stored = self._stored(text)
        if stored is None:
            yield {"TemplateBody": text}
            return
        if not stored["Bucket"]:
            raise NotDeleted(
                f"its template has more than {_INLINE_LIMIT:,} bytes, and names no bucket. {_BY_HAND}"
            )
        s3, version = self._account.session.client("s3"), None
        try:
            version = s3.put_object(**stored, Body=text.encode()).get("VersionId")
            yield {"TemplateURL": f"{s3.meta.endpoint_url}/{stored['Bucket']}/{stored['Key']}"}
        finally:
            with uninterrupted():
                s3.delete_object(**stored, **({"VersionId": version} if version else {}))

    def _stored(self, text: str) -> dict[str, str] | None:
        """The object of a template that is too large for a request, with an empty bucket if the template
        names none."""
        if len(text.encode()) <= _INLINE_LIMIT:
            return None
        bucket = samconfig.member(json.loads(text), "Resources", "Function", "Properties", "Code", "S3Bucket")
        return {
            "Bucket": bucket if isinstance(bucket, str) else "",
            "Key": f"{self.name}/leave.template",
            "ExpectedBucketOwner": self._account.id,
        }

    def _remove_stored(self) -> None:
        """Deletes the templates that killed runs have left, in each version."""
        stored = self._stored(self._template().text)
        if not stored or not stored["Bucket"]:
            return
        s3, place = self._account.session.client("s3"), {**stored}
        pages = s3.get_paginator("list_object_versions").paginate(Prefix=place.pop("Key"), **place)
        try:
            for each in [
                each for page in pages for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]:
                if each["Key"] == stored["Key"]:
                    s3.delete_object(**stored, VersionId=each["VersionId"])
        except ClientError as error:
            self._output.write_progress(
                f"The template of an earlier run may be left at s3://{stored['Bucket']}/{stored['Key']}:"
                f" {error}"
            )


def _is_own(change: dict[str, Any]) -> bool:
    """Whether `Template` makes it. A reference to a resource with a new policy is also a change, but without
    effect."""
    if change.get("LogicalResourceId") == _ADDED:
        return bool(change.get("Action") == "Add")
    details = change.get("Details", [])
    return (
        change.get("Action") == "Modify"
        and details != []
        and all(
            each.get("Target", {}).get("Attribute") == "DeletionPolicy"
            or each.get("ChangeSource") in ("ResourceAttribute", "ResourceReference")
            for each in details
        )
    )


def function_of(environment: Environment, stack: dict[str, Any]) -> str:
    """The function's ARN. Raises `Failure` if the environment's stack was never complete."""
    arn = environment.function_of(stack)
    if not arn:
        raise Failure(
            f"stack {stack['StackName']} exports no ServiceToken, and is in {stack['StackStatus']}",
            "If it was never complete, there is nothing to keep: cfn-gitops undeploy --env"
            f" {environment.settings.table}",
        )
    return arn


def hidden_users(environment: Environment, known: list[str]) -> dict[str, str]:
    """The other stacks that own a pipeline of the environment, or may own one, each with the reason why it is
    left. A stack that contains the function's ARN does not import it."""
    stacks = environment.account.stacks()
    known_owners, by_id, left = (
        owners.Owners(environment, stacks),
        {stack.get("StackId"): stack for stack in stacks},
        {},
    )
    for child in pipelines.children_of(stacks, environment.env_id):
        if (owner := known_owners.named_by(child)) is None:
            continue
        # A nested stack is deleted with its root.
        root = by_id.get(owner.get("RootId", ""), owner)
        if {owner["StackName"], root["StackName"]} & set(known):
            continue
        is_shown, reason, is_later = known_owners.of(child)
        if is_shown:
            left[root["StackName"]] = (
                f"it owns {child['StackName']}, and contains the function's ARN instead of an import."
                f" {_BY_HAND}"
            )
        elif is_later:
            left[root["StackName"]] = (
                f"it may need the function. Of {child['StackName']}: {reason}. Wait for its end, and run this"
                " again"
            )
        elif is_shown is None:
            left[root["StackName"]] = (
                f"it may need the function. Of {child['StackName']}: {reason}. If its ServiceToken is the"
                f" function's ARN, {_BY_HAND[0].lower()}{_BY_HAND[1:]}. Otherwise remove the tags of"
                f" {child['StackName']}"
            )
    return left


def other_importers(environment: Environment, own: dict[str, Any], known: list[str]) -> dict[str, str]:
    """The other stacks that import a value of the environment's stack, each with the reason why it is
    left."""
    found: dict[str, list[str]] = {}
    for export in sorted(exports(own) - {environment.export}):
        for name in environment.importers(export):
            found.setdefault(name, []).append(export)
    return {
        name: (
            f"it imports {', '.join(imported)}. Replace the import by its value, deploy that, and run this"
            " again"
        )
        for name, imported in found.items()
        if name not in known
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stacks", nargs="*", metavar="STACK", help="only these stacks, not all")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(environment: Environment, given: Any, output: Output) -> int:
    account, own_name = environment.account, environment.settings.stack_name
    output.document |= {"stacks": [], "left": output.left}
    own = environment.found_stack()
    if own is None:
        environment.require_deleted()
        output.write_progress(f"stack {own_name} is deleted, in {environment.place}")
        return 1 if given.stacks else 0
    function_arn = function_of(environment, own)
    names = [*environment.importers(environment.export), own_name]
    if unknown := next((name for name in given.stacks if name not in names), None):
        problem = (
            f"does not exist in {environment.place}, and may be deleted already"
            if account.stack(unknown) is None
            else f"does not use the function of environment {environment.env_id}"
        )
        raise WrongUse(
            f"stack {unknown} {problem}" + spelling.did_you_mean(unknown, names),
            f"Name some of: {', '.join(names)}",
        )
    chosen = [each for each in names if each in (given.stacks or names)]
    hidden = (
        hidden_users(environment, names) | other_importers(environment, own, names)
        if own_name in chosen
        else {}
    )
    for name, reason in sorted(hidden.items()):
        output.record_left(f"{name}: {reason}")
    plan: list[Leaving] = []
    for name in chosen:
        with _left_if_it_fails(name, output):
            stack = Leaving(
                account, name, _WITH_ENVIRONMENT if name == own_name else _WITH_PROJECT, function_arn, output
            )
            stack.show()
            output.document["stacks"].append(stack.members())
            if name == own_name:
                require_unused({*names, *hidden} - {own_name, *(each.name for each in plan)})
            elif name not in given.stacks:
                stack.require_project(environment)
            plan.append(stack)
    if plan and not confirm(output, f"To do this, type {plan[-1].name}:", plan[-1].name, given.yes):
        return 1
    users = {each.name for each in plan} - {own_name}
    for stack in plan:
        with _left_if_it_fails(stack.name, output):
            if stack.name == own_name:
                require_unused(users)
            stack.apply()
            users.discard(stack.name)
    return output.status_of_left()


def require_unused(users: set[str]) -> None:
    """Raises `NotDeleted` if these stacks need the environment's function."""
    if users:
        raise NotDeleted(f"it is needed by {', '.join(sorted(users))}")


@contextlib.contextmanager
def _left_if_it_fails(name: str, output: Output) -> Iterator[None]:
    try:
        yield
    except GivenUp:
        # A change that has begun may go on.
        raise
    except NotDeleted as reason:
        output.record_left(f"{name}: {reason}")
    except (Failure, BotoCoreError, ClientError) as error:
        output.record_unread(name, error)
