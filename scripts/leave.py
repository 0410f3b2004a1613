"""Deletes the function of an environment, and keeps what it created: docs/how-to/leave.md.

    python3 scripts/leave.py --config-env dev             shows what it would do, and changes nothing
    python3 scripts/leave.py --config-env dev --apply     does it
    python3 scripts/leave.py --config-env dev --apply project-dev-shop    does it for this stack only

It updates each stack that uses the function, so that CloudFormation retains its resources, and then deletes the stack.
The environment's own stack is the last one. What is left to do follows from the deployed templates, so run it again
after an interruption. The exit status is 1 if a stack is left.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from typing import Any

import sam_settings
import undeploy
from botocore.exceptions import ClientError, WaiterError
from stack_failures import StackFailures

# What is deleted with a stack, by `<logical ID> <type>`: what fails without the function, or has no purpose.
_WITH_PROJECT = r" AWS::SecretsManager::RotationSchedule$"
_WITH_ENVIRONMENT = r"^(Function|EnvIDGuard)| AWS::(Lambda|Events|CloudWatch|Logs|SecretsManager)::"
# CloudFormation ignores an update of policies alone, so the update also adds this resource. It is empty and free.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
_ADDED, _ADDED_TYPE = "LeavesCfnGitOps", "AWS::CloudFormation::WaitConditionHandle"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html (template body in a request)
_INLINE_LIMIT = 51_200
_WAITER = {"Delay": 3, "MaxAttempts": 1200}


class Left(Exception):
    """Why a stack was not deleted, and what to do."""


class Template:
    """A deployed template with `DeletionPolicy: Retain` in all resources but those that are deleted.

    boto3 returns a template in JSON, or with a transform, as an object. Other YAML is edited by lines, because Python
    alone does not read it. So each resource must begin with a line that has only its name.
    """

    def __init__(self, deployed: dict[str, Any] | str, deleted: set[str]) -> None:
        # The deployed policies, and the text to deploy.
        self.policies: dict[str, str] = {}
        self._deleted = deleted
        self.text = self._of_lines(deployed.split("\n")) if isinstance(deployed, str) else self._of_object(deployed)

    def _of_object(self, template: dict[str, Any]) -> str:
        resources = {}
        for name, resource in template["Resources"].items():
            if not isinstance(resource, dict):
                raise Left(f"its template has no resource {name}, but a transform of that name")
            others = {key: value for key, value in resource.items() if key != "DeletionPolicy"}
            self.policies[name] = str(resource.get("DeletionPolicy", ""))
            resources[name] = others if name in self._deleted else others | {"DeletionPolicy": "Retain"}
        resources[_ADDED] = {"Type": _ADDED_TYPE}
        return json.dumps(template | {"Resources": resources}, separators=(",", ":"))

    def _of_lines(self, lines: list[str]) -> str:
        begin = next((number for number, line in enumerate(lines, 1) if re.match(r"Resources:\s*(#|$)", line)), None)
        if begin is None:
            raise Left("its template has no line `Resources:`. Set DeletionPolicy: Retain in it yourself")
        end = next((number for number in range(begin, len(lines)) if re.match(r"[^\s#]", lines[number])), len(lines))
        written, outer, inner, name = lines[:begin], 0, 0, ""
        for line in lines[begin:end]:
            content = line.strip()
            indent = len(line) - len(line.lstrip()) if content and not content.startswith("#") else 0
            outer = outer or indent
            if indent and indent == outer:
                found = re.fullmatch(r"""["']?([A-Za-z0-9]+)["']?:\s*(#.*)?""", content)
                if not found:
                    raise Left(f"its template has a line that is not the name of a resource alone: {content}. "
                               "Set DeletionPolicy: Retain in the resources yourself")
                name, inner = found[1], 0
                self.policies[name] = ""
            elif indent and not inner:
                inner = indent
                if name not in self._deleted:
                    written.append(f"{' ' * inner}DeletionPolicy: Retain")
            if indent and indent == inner and (found := re.match(r"DeletionPolicy:\s*(\S+)", content)):
                self.policies[name] = found[1]
            else:
                written.append(line)
        pad = " " * outer
        added = [] if _ADDED in self.policies else [f"{pad}{_ADDED}:", f"{pad * 2}Type: {_ADDED_TYPE}"]
        return "\n".join([*written, *added, *lines[end:]])


class Leaving:
    """One stack."""

    def __init__(self, account: sam_settings.Account, name: str, with_it: str) -> None:
        self._account, self.name = account, name
        self._cloudformation = account.session.client("cloudformation")
        self._stack = account.stack(name) or {"StackStatus": "DELETE_COMPLETE"}
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        self._types = {each["LogicalResourceId"]: each["ResourceType"] for page in pages
                       for each in page["StackResourceSummaries"] if each["ResourceStatus"] != "DELETE_COMPLETE"}
        self._deleted = {name for name, kind in self._types.items()
                         if name == _ADDED or re.search(with_it, f"{name} {kind}")}
        self._kept = self._types.keys() - self._deleted

    def show(self) -> None:
        print(f"{self.name} ({self._stack['StackStatus']}):")
        for what, names in (
                ("" if self._is_ready() else "update it to keep", ", ".join(sorted(self._kept))),
                ("delete it, and with it",
                 ", ".join(f"{name} ({self._types[name]})" for name in sorted(self._deleted - {_ADDED})) or "nothing")):
            if what:
                print(textwrap.fill(f"{what}: {names}", 120, initial_indent="  - ", subsequent_indent="    "))
        sys.stdout.flush()

    def apply(self) -> None:
        if not self._is_ready():
            self._update()
        if not self._is_ready():
            raise Left("its deployed template does not retain all resources. Run this again")
        if not undeploy.delete_stack(self._account.session, self.name):
            raise Left("correct the cause, and run this again")

    def _template(self) -> Template:
        deployed = self._cloudformation.get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]
        return Template(deployed, self._deleted)

    def _is_ready(self) -> bool:
        """Whether a deletion deletes only what it should."""
        status = self._stack["StackStatus"]
        if status.endswith("_IN_PROGRESS") and status != "DELETE_IN_PROGRESS":
            raise Left(f"it is in {status}. Wait for its end, and run this again")
        if "ParentId" in self._stack:
            raise Left(f"it is nested in {self._stack['ParentId']}. Deploy it as a stack of its own first")
        policies = self._template().policies
        return (all(policies.get(name) == "Retain" for name in self._kept)
                and all(policies.get(name, "") in ("", "Delete") for name in self._deleted))

    def _update(self) -> None:
        failures = StackFailures(self._cloudformation, self.name)
        keys = [each["ParameterKey"] for each in self._stack.get("Parameters", [])]
        try:
            self._cloudformation.update_stack(
                StackName=self.name, **self._body(self._template().text),
                Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in keys],
                Capabilities=sorted({*self._stack.get("Capabilities", []), "CAPABILITY_NAMED_IAM"}))
            self._cloudformation.get_waiter("stack_update_complete").wait(StackName=self.name, WaiterConfig=_WAITER)
        except WaiterError as error:
            raise Left("; ".join(["its update failed", *(failures.lines() or [str(error)])])) from error

    def _body(self, text: str) -> dict[str, str]:
        """The template, in the bucket that has the function's code if it is too large for a request."""
        if len(text.encode()) <= _INLINE_LIMIT:
            return {"TemplateBody": text}
        function = json.loads(text)["Resources"].get("Function", {}) if text.startswith("{") else {}
        bucket, key = function.get("Properties", {}).get("Code", {}).get("S3Bucket"), f"{self.name}/leave.template"
        if bucket is None:
            raise Left(f"its template has more than {_INLINE_LIMIT:,} bytes. Set DeletionPolicy: Retain in it yourself")
        s3 = self._account.session.client("s3")
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ExpectedBucketOwner=self._account.id)
        except ClientError as error:
            raise Left(f"its template cannot be stored in bucket {bucket}: {error}") from error
        return {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}


def users(account: sam_settings.Account, env_id: str) -> list[str]:
    """The stacks that use the environment's function."""
    pages = account.session.client("cloudformation").get_paginator("list_imports").paginate(
        ExportName=f"cfn-gitops-{env_id}-ServiceToken")
    try:
        return [name for page in pages for name in page["Imports"]]
    except ClientError as error:
        # Untyped, so only its text identifies it.
        if "not imported by any stack" in str(error):
            return []
        raise


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--config-env", default="dev")
    arguments.add_argument("--apply", action="store_true", help="otherwise it changes nothing")
    arguments.add_argument("stacks", nargs="*", help="only these, not all")
    given = arguments.parse_args()
    settings = sam_settings.read(given.config_env)
    account = sam_settings.account()
    print(f"Account {account.id}, region {account.region}, environment {settings.env_id}"
          + (":" if given.apply else ". Nothing is changed without --apply:"), flush=True)
    if account.stack(settings.stack_name) is None:
        print(f"stack {settings.stack_name} does not exist: it is deleted, or in another account or region")
        return 0
    using = users(account, settings.env_id)
    stacks = [*using, settings.stack_name]
    if unknown := set(given.stacks) - set(stacks):
        sys.exit(f"not a stack of this environment: {', '.join(sorted(unknown))}. Its stacks: {', '.join(stacks)}")
    left, failed = set(using), False
    for name in [each for each in stacks if each in given.stacks or not given.stacks]:
        try:
            stack = Leaving(account, name, _WITH_ENVIRONMENT if name == settings.stack_name else _WITH_PROJECT)
            stack.show()
            if given.apply and name == settings.stack_name and left:
                raise Left(f"its function is needed by {', '.join(sorted(left))}")
            if given.apply:
                stack.apply()
            left.discard(name)
        except (Left, ClientError) as reason:
            failed = True
            print(f"LEFT    {name}: {reason}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
