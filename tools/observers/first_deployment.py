"""Observers of the first deployment: IAM, CloudFormation, Lambda and CodeCommit's logins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from observers import Seen, World, observes
from observers import sources
from observers.sources import probe, seconds_until
from tests.deployment import steps
from tests.deployment.steps import Login

_LAMBDA = {"Service": "lambda.amazonaws.com"}
# src/clients/aws/propagation.rs has the same texts.
_NOT_ASSUMABLE = ("is invalid or cannot be assumed", "is not authorized to perform: sts:AssumeRole",
                  "is not authorized to perform AssumeRole on role", "cannot be assumed by", "unable to assume")

# --- roles ------------------------------------------------------------------------------------


@observes("role-trust-source-keys")
def trust_requires_the_account(world: World) -> Seen:
    """The services have a minute to take a role whose trust policy requires the key."""
    services = ["lambda", "codepipeline", "codebuild"]
    condition = {"StringEquals": {"aws:SourceAccount": world.story.aws.account_id}}
    with sources.role(world, {"Service": [f"{each}.amazonaws.com" for each in services]}, condition) as arn:
        rejected = {service: text for service in services if (text := _rejection(world, service, arn, 60))}
    return Seen(not rejected, f"{len(services) - len(rejected)} of {len(services)} services assumed the role", rejected)


@observes("role-not-assumable-texts")
def rejections_of_a_role(world: World) -> Seen:
    """A role that trusts none of the services is rejected as one that is too new."""
    with sources.role(world, {"Service": "ec2.amazonaws.com"}) as arn:
        texts = {service: _rejection(world, service, arn, 0)
                 for service in ("codebuild", "codepipeline", "events", "cloudformation")}
    known = [service for service, text in texts.items() if any(part in text for part in _NOT_ASSUMABLE)]
    return Seen(len(known) == len(texts), f"known texts of {', '.join(known) or 'no service'}", texts)


def _rejection(world: World, service: str, role: str, seconds: float) -> str:
    """The text with which the service still rejects the role after these seconds, or an empty one."""
    create, delete = _with_role(world, role)[service]
    text = ""

    def is_taken() -> bool:
        nonlocal text
        try:
            create()
        except ClientError as error:
            text = error.response["Error"]["Message"]
            return False
        return True

    try:
        return "" if seconds_until(is_taken, seconds) <= seconds else text
    finally:
        with sources.absent_is_fine():
            delete()


def _with_role(world: World, role: str) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """For each service, the creation of a resource with this role, and its deletion."""
    name, project = probe(world), world.story.loop.project
    build, pipelines, stacks = world.client("codebuild"), world.client("codepipeline"), world.client("cloudformation")
    rules, functions = world.client("events"), world.client("lambda")
    definition = pipelines.get_pipeline(name=project.name)["pipeline"]
    arn = rules.describe_rule(Name=project.event_rule)["Arn"].rsplit(":rule/")[0].replace(":events:", ":codepipeline:")
    return {
        "codebuild": (lambda: build.create_project(
            name=name, serviceRole=role, source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            artifacts={"type": "NO_ARTIFACTS"}, environment={
                "type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL"}), lambda: build.delete_project(name=name)),
        "codepipeline": (lambda: pipelines.create_pipeline(pipeline={**definition, "name": name, "roleArn": role}),
                         lambda: pipelines.delete_pipeline(name=name)),
        "cloudformation": (lambda: stacks.create_stack(StackName=name, RoleARN=role, TemplateBody=json.dumps(
            {"Resources": {"Probe": sources.HANDLE}})), lambda: stacks.delete_stack(StackName=name)),
        "events": (lambda: _put_rule(rules, name, f"{arn}:{project.name}", role),
                   lambda: sources.delete_rule(world.story.aws, name)),
        "lambda": (lambda: functions.create_function(
            FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=role,
            Code={"ZipFile": sources.archive("")}), lambda: functions.delete_function(FunctionName=name)),
    }


def _put_rule(rules: Any, name: str, target: str, role: str) -> None:
    rules.put_rule(Name=name, EventPattern=json.dumps({"source": ["example.unused"]}), State="DISABLED")
    rules.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": target, "RoleArn": role}])


@observes("lambda-log-lines-with-late-role")
def lines_of_an_early_invocation(world: World) -> Seen | None:
    """The role of the first invocation may not log. Its lines must not appear once the role may."""
    functions, logs = world.client("lambda"), sources.allows(["logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"])
    code = "def handler(event, context):\n    print('invocation', event['number'])\n"
    with sources.role(world, _LAMBDA) as arn, sources.function(world, arn, code) as name:
        def invoked(number: int) -> str:
            functions.invoke(FunctionName=name, Payload=json.dumps({"number": number}))
            return steps.function_log(world.story.aws, name)

        invoked(1)
        world.client("iam").put_role_policy(RoleName=probe(world, "role-"), PolicyName="logs", PolicyDocument=logs)
        if seconds_until(lambda: "invocation 2" in invoked(2)) > 120:
            return None
        return Seen("invocation 1" not in invoked(2), "the log after the role may write it",
                    [line for line in invoked(2).splitlines() if "invocation" in line][:2])


# --- custom resources ---------------------------------------------------------------------------

# Logs each request without its signature, and fails the creation of a resource with the name `fails`.
_PROVIDER = """
import json, urllib.parse, urllib.request
def handler(event, context):
    address = event.pop("ResponseURL")
    url = urllib.parse.urlsplit(address)
    query = sorted(name for name, _ in urllib.parse.parse_qsl(url.query))
    print(json.dumps({**event, "Host": url.hostname, "Query": query}))
    kind, name = event["RequestType"], event["ResourceProperties"]["Name"]
    answer = {"Status": "FAILED" if (kind, name) == ("Create", "fails") else "SUCCESS", "Reason": "a probe",
              "PhysicalResourceId": event["PhysicalResourceId"] if kind == "Delete" else name}
    answer |= {member: event[member] for member in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": ""}, method="PUT"))
"""


def custom_resource(world: World) -> list[dict[str, Any]]:
    """The requests for a custom resource that is created, whose replacement is rolled back, and that is deleted."""
    if "custom resource" not in world.kept:
        logs = sources.allows(["logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"])
        with sources.role(world, _LAMBDA) as arn:
            world.client("iam").put_role_policy(RoleName=probe(world, "role-"), PolicyName="logs", PolicyDocument=logs)
            with sources.function(world, arn, _PROVIDER) as name:
                token = world.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
                with sources.stack(world, _with(token, Probe="one")) as made:
                    sources.update(made, _with(token, Probe="two", Then="fails"))
                seconds_until(lambda: _requests(world, name)[-1:] and "Delete" in _requests(world, name)[-1].values())
                world.kept["custom resource"] = _requests(world, name)
    found: list[dict[str, Any]] = world.kept["custom resource"]
    return found


def _with(token: str, **names: str) -> dict[str, Any]:
    """A custom resource for each name, each after the former one."""
    ids = list(names)
    return {"Resources": {logical_id: {"Type": "Custom::Probe", "DependsOn": ids[max(number - 1, 0):number], "Properties": {
        "ServiceToken": token, "ServiceTimeout": 120, "Name": names[logical_id]}} for number, logical_id in enumerate(ids)}}


def _requests(world: World, function: str) -> list[dict[str, Any]]:
    found = []
    for line in steps.function_log(world.story.aws, function).splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict) and "RequestType" in each]


@observes("response-url-has-amz-date")
def date_of_response_urls(world: World) -> Seen | None:
    queries = [each["Query"] for each in custom_resource(world)]
    if not queries:
        return None
    return Seen(all("X-Amz-Date" in query for query in queries), f"{len(queries)} response URLs", queries[0])


@observes("rollback-update-carries-old-id")
def request_of_a_rollback(world: World) -> Seen | None:
    """The replacement has succeeded, and the next resource has failed."""
    updates = [each for each in custom_resource(world) if each["RequestType"] == "Update"]
    if "Delete" not in [each["RequestType"] for each in custom_resource(world)]:
        return None
    if len(updates) < 2:
        return Seen(False, "the rollback sends no Update")
    last = {name: updates[-1].get(name) for name in ("PhysicalResourceId", "ResourceProperties", "OldResourceProperties")}
    return Seen(last["PhysicalResourceId"] == "one", f"the rollback's Update has the ID {last['PhysicalResourceId']}", last)


# --- CloudFormation -----------------------------------------------------------------------------


@observes("output-value-of-4096-bytes")
def output_of_4096_bytes(world: World) -> Seen:
    return _stack_with_outputs(world, 1)


@observes("output-of-several-kilobytes")
def outputs_of_16_kilobytes(world: World) -> Seen:
    return _stack_with_outputs(world, 4)


def _stack_with_outputs(world: World, count: int) -> Seen:
    """A stack with this many outputs of 4096 bytes."""
    template = {"Resources": {"Probe": sources.HANDLE}, "Outputs": {
        f"Output{number}": {"Value": f"{number}" * 4096} for number in range(count)}}
    with sources.stack(world, template) as made:
        sizes = [len(value) for value in made.outputs().values()]
        return Seen(sizes == [4096] * count, f"{made.status()} with outputs of {sizes} bytes", made.failures())


@observes("validation-ends-in-a-known-status")
def status_of_a_failed_validation(world: World) -> Seen:
    """A stack whose log group exists."""
    group = f"/aws/lambda/{world.story.environment.function_name}"
    template = {"Resources": {"Probe": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}}}}
    with sources.stack(world, template) as made:
        last = made.describe()
    return Seen(last["StackStatus"] in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
                f"the stack is {last['StackStatus']}", last.get("StackStatusReason"))


@observes("describe-events-newest-first")
def order_of_operations(world: World) -> Seen | None:
    """After two updates that a validation rejects. IAM's decision about the stack's ARN is not seen."""
    group = f"/aws/lambda/{world.story.environment.function_name}"
    taken = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}}
    with sources.stack(world, {"Resources": {"Probe": sources.HANDLE}}) as made:
        for token in ("one", "two"):
            sources.update(made, {"Resources": {"Probe": sources.HANDLE, "Taken": taken}}, ClientRequestToken=token)
        shown = world.client("cloudformation").describe_events(
            StackName=made.id, Filters={"FailedEvents": True})["OperationEvents"]
    tokens = list(dict.fromkeys(each["ClientRequestToken"] for each in shown if each.get("ClientRequestToken")))
    return Seen(tokens == ["two", "one"], f"the tokens of the operations: {tokens}", shown[0]) if shown else None


# --- GitLab -------------------------------------------------------------------------------------


@observes("protected-branches-list-limit")
def page_of_protected_branches(world: World) -> Seen:
    names = [f"{probe(world)}/{number}" for number in range(101)]
    try:
        world.project.protect(*names)
        shown = sources.gitlab(world, "GET", "/protected_branches", params={"per_page": 200}).json()
        return Seen(len(shown) == 100, f"a page of {len(shown)} protected branches")
    finally:
        for name in set(names) & set(world.project.protected()):
            world.project.unprotect(name)


@observes("inherited-attribute-shown")
def rules_of_the_group(world: World) -> Seen | None:
    """If the token may read the group's rules, and there are any."""
    group = sources.gitlab(world, "GET", "").json().get("namespace", {}).get("full_path", "")
    rules = sources.gitlab(world, "GET", "/protected_branches", below=f"/groups/{quote(group, safe='')}")
    names = {each["name"] for each in rules.json()} if rules.status_code == 200 else set()
    if not names:
        return None
    shown = [each.get("inherited") for each in sources.gitlab(world, "GET", "/protected_branches").json()
             if each["name"] in names]
    return Seen(shown == [True] * len(names), f"inherited is {shown} for {len(names)} rules of the group", shown)


@observes("invalid-regex-status")
def rejections_of_a_regex(world: World) -> Seen | None:
    """An edition without regular expressions of mirrors ignores the member."""
    listed = sources.gitlab(world, "GET", "/repository/branches", params={"regex": "("})
    made = sources.gitlab(world, "POST", "/remote_mirrors", json={
        "url": f"{world.story.loop.project.mirrored_url}-probe", "enabled": False, "mirror_branch_regex": "("})
    if made.status_code == 201:
        world.project.delete_mirror(made.json()["id"])
        if "mirror_branch_regex" not in made.json():
            return None
    return Seen(listed.status_code >= 400 and made.status_code == 400,
                f"{listed.status_code} to a list of branches, {made.status_code} to a mirror", made.text[:200])


# --- logins of CodeCommit -------------------------------------------------------------------------


def push_permission(world: World) -> dict[str, Any]:
    """CodeCommit's status without the permission to push, and the seconds until a grant and a removal are effective."""
    if "push permission" not in world.kept:
        iam, project = world.client("iam"), world.story.loop.project
        with sources.user(world) as name:
            def grant(policy: str, action: str) -> None:
                iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=sources.allows(action))

            grant("pull", "codecommit:GitPull")
            made = iam.create_service_specific_credential(
                UserName=name, ServiceName="codecommit.amazonaws.com")["ServiceSpecificCredential"]
            login = Login(made["ServiceUserName"], made["ServicePassword"], made["ServiceSpecificCredentialId"])
            seconds_until(lambda: login.status(project.mirrored_url) != 401, 300)
            without = login.status(project.mirrored_url)
            grant("push", "codecommit:GitPush")
            granted = seconds_until(lambda: login.status(project.mirrored_url) == 200)
            iam.delete_user_policy(UserName=name, PolicyName="push")
            removed = seconds_until(lambda: login.status(project.mirrored_url) != 200)
            world.kept["push permission"] = {"without": without, "granted": granted, "removed": removed}
    found: dict[str, Any] = world.kept["push permission"]
    return found


@observes("codecommit-403-without-push")
def status_without_push(world: World) -> Seen:
    status = push_permission(world)["without"]
    return Seen(status == 403, f"HTTP {status} to a login that may only pull")
