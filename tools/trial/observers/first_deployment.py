"""Observers of the first deployment: IAM, CloudFormation, GitLab and CodeCommit's logins."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.play.pipelines import issue_login
from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.scenes import error_of
from tools.trial.observers.sources import probe, seconds_until

# src/clients/aws/propagation.rs has the same texts.
_NOT_ASSUMABLE = ("is invalid or cannot be assumed", "is not authorized to perform: sts:AssumeRole",
                  "is not authorized to perform AssumeRole on role", "cannot be assumed by", "unable to assume")


@observes("role-not-assumable-texts")
def rejections_of_a_role(world: World) -> Seen:
    """A role that trusts none of the services is rejected as one that is too new."""
    with sources.role(world, {"Service": "ec2.amazonaws.com"}) as arn:
        texts = {service: text for service in ("codebuild", "codepipeline", "events", "cloudformation")
                 if (text := _rejection(world, service, arn))}
    # A rejection because of a quota or a permission shows nothing about the role.
    if not texts or not all(re.search("(?i)role|assum", text) for text in texts.values()):
        raise NotSeen(f"the services reject not the role: {texts}")
    known = [service for service, text in texts.items() if any(part in text for part in _NOT_ASSUMABLE)]
    return Seen(len(known) == len(texts), f"{len(texts)} reject the role, with known texts {', '.join(known) or 'none'}", texts)


def _rejection(world: World, service: str, role: str) -> str:
    """The text with which the service rejects the role. Empty if it accepts it."""
    create, delete = _with_role(world, role)[service]
    try:
        return error_of(create)[1]
    finally:
        with sources.absent_is_fine():
            delete()


def _with_role(world: World, role: str) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """For each service, the creation of a resource with this role, and its deletion."""
    name, project = probe(world), world.story.loop.project
    build, pipelines, stacks = world.client("codebuild"), world.client("codepipeline"), world.client("cloudformation")
    rules = world.client("events")
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
            {"Resources": {"Probe": sources.HANDLE}})), lambda: sources.delete_stack(world.story.aws, name)),
        "events": (lambda: _put_rule(rules, name, f"{arn}:{project.name}", role),
                   lambda: sources.delete_rule(world.story.aws, name)),
    }


def _put_rule(rules: Any, name: str, target: str, role: str) -> None:
    rules.put_rule(Name=name, EventPattern=json.dumps({"source": ["example.unused"]}), State="DISABLED")
    rules.put_targets(Rule=name, Targets=[{"Id": "target", "Arn": target, "RoleArn": role}])


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
        if not (held := sizes == [4096] * count) and "utput" not in str(made.failures()):
            raise NotSeen(f"{made.status()} for another reason: {made.failures()}")
        return Seen(held, f"{made.status()} with outputs of {sizes} bytes", made.failures())


@observes("validation-ends-in-a-known-status")
def status_of_a_failed_validation(world: World) -> Seen:
    """A stack whose log group exists."""
    with sources.stack(world, {"Resources": {"Probe": _taken(world)}}) as made:
        last = made.describe()
        reasons = [last.get("StackStatusReason", ""), *made.failures()]
    if "alidation" not in str(reasons):
        raise NotSeen(f"no validation failed the stack: {reasons}")
    return Seen(last["StackStatus"] in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
                f"the stack is {last['StackStatus']}", reasons)


def _taken(world: World) -> dict[str, Any]:
    """A log group whose name another one has."""
    group = f"/aws/lambda/{world.story.environment.function_name}"
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}}


@observes("describe-events-newest-first")
def order_of_operations(world: World) -> Seen:
    """After two updates that a validation rejects. IAM's decision about the stack's ARN is not seen."""
    with sources.stack(world, {"Resources": {"Probe": sources.HANDLE}}) as made:
        for token in ("one", "two"):
            sources.update(made, {"Resources": {"Probe": sources.HANDLE, "Taken": _taken(world)}}, ClientRequestToken=token)
        shown = world.client("cloudformation").describe_events(
            StackName=made.id, Filters={"FailedEvents": True})["OperationEvents"]
    tokens = list(dict.fromkeys(each["ClientRequestToken"] for each in shown if each.get("ClientRequestToken")))
    if len(tokens) < 2:
        raise NotSeen(f"DescribeEvents shows the tokens {tokens}")
    return Seen(tokens == ["two", "one"], f"the tokens of the operations: {tokens}", shown[0])


@observes("last-operations-newest-first")
def operations_of_a_stack(world: World) -> Seen:
    """After an update that a validation rejects."""
    with sources.stack(world, {"Resources": {"Probe": sources.HANDLE}}) as made:
        sources.update(made, {"Resources": {"Probe": sources.HANDLE, "Taken": _taken(world)}})
        shown = made.describe().get("LastOperations", [])
        events = world.client("cloudformation").describe_stack_events(StackName=made.id)["StackEvents"]
    begins = [event.get("OperationId") for event in events if event.get("PhysicalResourceId") == made.id
              and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")]
    listed = [each.get("OperationId") for each in shown if each.get("OperationType") in ("CREATE_STACK", "UPDATE_STACK")]
    if not listed or len(begins) < 2:
        raise NotSeen(f"DescribeStacks shows {shown}, and the events {begins}")
    return Seen(listed[0] == begins[0], f"the operations of the stack: {shown}", begins)


@observes("inherited-attribute-shown")
def rules_of_the_group(world: World) -> Seen | None:
    """If the token may read the group's rules, and there are any."""
    group = sources.gitlab(world, "GET", "").json().get("namespace", {}).get("full_path", "")
    rules = sources.gitlab(world, "GET", "/protected_branches", below=f"/groups/{quote(group, safe='')}")
    names = {each["name"] for each in rules.json()} if rules.status_code == 200 else set()
    if not names:
        return None
    shown = [each for each in sources.gitlab(world, "GET", "/protected_branches", params={"per_page": 100}).json()
             if each["name"] in names]
    if {each["name"] for each in shown} != names:
        raise NotSeen(f"the project shows {len(shown)} of {len(names)} rules of the group")
    # The project may have a rule of its own for the same branch.
    marked = {each["name"] for each in shown if each.get("inherited") is True}
    return Seen(marked == names, f"{len(marked)} of {len(names)} rules of the group are inherited", len(marked))


@observes("codecommit-403-without-push")
def status_without_push(world: World) -> Seen:
    project = world.story.loop.project
    with sources.user(world) as name:
        repository = f"arn:*:codecommit:*:{world.story.aws.account_id}:{project.repository}"
        document = sources.policy(sources.allows("codecommit:GitPull", resource=repository))
        world.client("iam").put_user_policy(UserName=name, PolicyName="pull", PolicyDocument=json.dumps(document))
        login = issue_login(world.story.aws, name)
        world.story.loop.passwords.add(login.password)
        if seconds_until(lambda: login.status(project.mirrored_url) in (200, 403), 300) > 300:
            raise NotSeen("CodeCommit did not accept the login in five minutes")
        status = login.status(project.mirrored_url)
    return Seen(status == 403, f"HTTP {status} to a login that may only pull")
