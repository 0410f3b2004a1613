"""Observers of the first approval and deployment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.play import steps
from tests.play.steps import Stack
from tools.trial.observers import NotSeen, Seen, World, observes, sources
from tools.trial.observers.scenes import error_of
from tools.trial.observers.sources import probe, seconds_until

_READS = ("Get", "List", "Describe", "BatchGet")


def _calls(world: World, value: str, attribute: str, role: str) -> set[str]:
    """The actions of a role that CloudTrail shows."""
    records = sources.trail(world, value, attribute)
    return {f"{record['eventSource'].split('.')[0]}:{record['eventName']}" for record in records
            if f"/{role}/" in record.get("userIdentity", {}).get("arn", "")}


@observes("deploy-action-permissions")
def calls_of_the_deploy_action(world: World) -> Seen | None:
    """The role's policy has the listed actions of CloudFormation."""
    role = f"role-{world.story.names.first}-codepipeline-cfn"
    calls = _calls(world, "cloudformation.amazonaws.com", "EventSource", role)
    if "cloudformation:CreateChangeSet" not in calls:
        return None
    further = calls - steps.granted_actions(world.story.aws, role)
    return Seen(not further, f"{len(calls)} actions, not listed: {', '.join(sorted(further)) or 'none'}", sorted(calls))


@observes("handlers-publish-what-they-need")
def calls_of_a_handler(world: World) -> Seen | None:
    """The creation of the deployed stack's event rule."""
    handlers = world.client("cloudformation").describe_type(Type="RESOURCE", TypeName="AWS::Events::Rule")["Schema"]
    published = json.loads(handlers)["handlers"]["create"]["permissions"]
    changing = {action for action in published if not action.split(":")[1].startswith(_READS)}
    named = changing & {"events:CreateRule", "events:PutRule"} or changing
    calls = {call for call in _calls(world, "AWSCloudFormation", "Username",
                                     f"role-{world.story.names.first}-codedeploy-cfn") if call.startswith("events:")}
    if not calls:
        return None
    return Seen(bool(named & calls), f"of {', '.join(sorted(named))} it called {', '.join(sorted(named & calls)) or 'none'}",
                sorted(calls))


@observes("permission-set-in-principal-arn")
def path_of_a_permission_set(world: World) -> Seen | None:
    """A role that trusts this path, if the run has the session of a permission set."""
    sts, account = world.client("sts"), world.story.aws.account_id
    if "/AWSReservedSSO_" not in sts.get_caller_identity()["Arn"]:
        return None
    path = f"arn:*:iam::{account}:role/aws-reserved/sso.amazonaws.com/*"

    def rejection(arn: str) -> tuple[str, str]:
        return error_of(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="probe"))

    # The second role shows that the session may assume roles, and that they are effective.
    with sources.role(world, {"AWS": account}, {"ArnLike": {"aws:PrincipalArn": path}}) as arn, \
            sources.role(world, {"AWS": account}, suffix="-any") as other:
        seconds_until(lambda: not any(rejection(other)), 60)
        seconds_until(lambda: not any(rejection(arn)), 60)
        (control, reason), (code, _) = rejection(other), rejection(arn)
    if control or code not in ("", "AccessDenied"):
        raise NotSeen(f"{code} {reason}")
    return Seen(not code, f"a role that trusts the path: {code or 'assumed'}")


@contextmanager
def _stored(world: World, objects: dict[str, bytes]) -> Iterator[str]:
    """Objects in the artifact bucket below the probe's name. Yields the bucket."""
    s3, bucket = world.client("s3"), sources.bucket(world)
    try:
        for key, body in objects.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        yield bucket
    finally:
        for key in objects:
            s3.delete_object(Bucket=bucket, Key=key)


def _address(world: World, key: str) -> str:
    endpoint = world.client("s3").meta.endpoint_url
    return f"{endpoint}/{sources.bucket(world)}/{key}"


@observes("template-url-with-colon")
def keys_with_a_colon(world: World) -> Seen:
    """A rejection counts if the same request without the colon succeeds."""
    bodies = {"template.json": sources.text({"Resources": {"Probe": sources.HANDLE}}), "code.zip": sources.archive(sources.CODE)}
    objects = {f"{probe(world)}{sign}{name}": body for sign in ":-" for name, body in bodies.items()}
    with _stored(world, objects) as bucket, sources.role(world, {"Service": "lambda.amazonaws.com"}) as arn, \
            sources.function(world, arn) as name:
        def rejections(sign: str) -> dict[str, str]:
            calls = {
                "CloudFormation": lambda: world.client("cloudformation").get_template_summary(
                    TemplateURL=_address(world, f"{probe(world)}{sign}template.json")),
                "Lambda": lambda: world.client("lambda").update_function_code(
                    FunctionName=name, S3Bucket=bucket, S3Key=f"{probe(world)}{sign}code.zip")}
            found = {what: error_of(call) for what, call in calls.items()}
            return {what: f"{code}: {message}" for what, (code, message) in found.items() if code}

        rejected = rejections(":")
        others = rejections("-") if rejected else {}
    if rejected.keys() & others.keys():
        raise NotSeen(f"without the colon too: {others}")
    return Seen(not rejected, f"{rejected or 'both accept it'}", rejected)


def as_pipelines_deploy(world: World) -> dict[str, Any]:
    """With the pipelines' deploy role: a function with a version, an alias and a nested stack, and an update of it. The
    reasons of failures by resource, the status of each resource, and the nested stack."""
    if "deployed" not in world.kept:
        role = f"role-{world.story.names.first}-codedeploy-cfn"
        deploys = world.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        key = f"{probe(world)}/nested.json"
        with _stored(world, {key: sources.text({"Resources": {"Probe": sources.HANDLE}})}), \
                sources.role(world, {"Service": "lambda.amazonaws.com"}) as arn, sources.function(world, arn):
            # Now Lambda can assume the new role.
            template = [_with_version(world, arn, key, number) for number in (1, 2)]
            with sources.stack(world, template[0], f"cfnstack-{probe(world)}", RoleARN=deploys) as made:
                if made.status() == "CREATE_COMPLETE":
                    sources.update(made, template[1], RoleARN=deploys)
                world.kept["deployed"] = _outcome(made)
    found: dict[str, Any] = world.kept["deployed"]
    return found


def _with_version(world: World, role: str, nested: str, number: int) -> dict[str, Any]:
    """As AutoPublishAlias: each deployment has another version, and the alias points to it."""
    version = f"Version{number}"
    return {"Resources": {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": f"lambda-{probe(world)}", "Runtime": "python3.12", "Handler": "index.handler", "Role": role,
            "Description": version, "Code": {"ZipFile": "def handler(event, context):\n    pass\n"}}},
        version: {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Delete", "Properties": {
            "FunctionName": {"Ref": "Function"}}},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {
            "Name": "live", "FunctionName": {"Ref": "Function"}, "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}}},
        "Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {
            "TemplateURL": _address(world, nested), "Tags": [{"Key": "deployment", "Value": str(number)}]}}}}


def _outcome(made: Stack) -> dict[str, Any]:
    failures = [event for event in made.events() if event["ResourceStatus"].endswith("_FAILED")]
    resources = {each["LogicalResourceId"]: each for each in made.resources()}
    return {"failures": {each["LogicalResourceId"]: each.get("ResourceStatusReason", "") for each in failures[::-1]},
            "status": made.status(), "nested": resources.get("Nested", {}).get("PhysicalResourceId", "")}


def _deployed(world: World, denied: str, *logical_ids: str) -> Seen:
    """Whether these resources were created and updated, or IAM denied such an action. Another failure shows nothing."""
    found = as_pipelines_deploy(world)
    denials = [reason for name, reason in found["failures"].items()
               if name.startswith(logical_ids) and f"not authorized to perform: {denied}" in reason]
    if not denials and found["status"] != "UPDATE_COMPLETE":
        raise NotSeen(f"{found['status']}: {'; '.join(found['failures'].values())}")
    return Seen(not denials, "; ".join(denials) or f"{', '.join(logical_ids)} with the deploy role", denials)


@observes("version-and-alias-actions")
def versions_and_aliases(world: World) -> Seen:
    return _deployed(world, "lambda:", "Version", "Alias")


@observes("runtime-alias-resource")
def runtime_of_a_function(world: World) -> Seen:
    return _deployed(world, "lambda:AssociateRuntimeAlias", "Function")


@observes("nested-stack-read-actions")
def nested_stacks(world: World) -> Seen:
    return _deployed(world, "cloudformation:", "Nested")


@observes("list-stacks-is-complete")
def listed_stacks(world: World) -> Seen:
    """With a nested stack, and with the deleted stack of a failed deployment."""
    story, nested = world.story, as_pipelines_deploy(world)["nested"]
    if not nested or not story.failing.id:
        raise NotSeen("there was no nested stack, or no failed deployment")
    expected = {story.environment.name, story.loop.project.stack_name, nested, story.failing.id}
    pages = world.client("cloudformation").get_paginator("list_stacks").paginate()
    shown = {name for page in pages for each in page["StackSummaries"] for name in (each["StackName"], each["StackId"])}
    return Seen(expected <= shown, f"{len(expected & shown)} of {len(expected)} stacks are listed", sorted(expected - shown))


def a_merge_request(world: World) -> dict[str, Any]:
    """A merge request of the branch without a pipeline: the time until GitLab lists it, and its notes. It stays, closed."""
    if "merge request" not in world.kept:
        names, project = world.story.names, world.story.loop.project
        made = world.project.merge_request(names.unprotected_branch, names.branch)
        notes = f"/merge_requests/{made.iid}/notes"
        try:
            commit = project.push_only(to=f"refs/heads/{names.unprotected_branch}").commit
            path = f"/repository/commits/{commit}/merge_requests"
            seconds = seconds_until(lambda: made.iid in [each["iid"] for each in _list(world, path)])
            text = world.project.commit_notes(project.deployed_commit())[-1].body
            written = sources.gitlab(world, "POST", notes, json={"body": text}).json()
            read = next(each["body"] for each in _list(world, notes) if each["id"] == written["id"])
        finally:
            world.project.close_merge_request(made)
        # GitLab itself writes a note about the end.
        world.kept["merge request"] = {
            "seconds": seconds, "written": text, "read": read, "all": _list(world, notes),
            "comments": _list(world, notes, activity_filter="only_comments")}
    found: dict[str, Any] = world.kept["merge request"]
    return found


def _list(world: World, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sources.gitlab(world, "GET", path, params=query).json()
    return found


@observes("merge-requests-of-a-pushed-commit")
def time_until_a_merge_request(world: World) -> Seen:
    seconds = a_merge_request(world)["seconds"]
    return Seen(seconds <= 10, f"listed {seconds:.1f} s after the push")


@observes("note-body-is-unchanged")
def body_of_a_note(world: World) -> Seen:
    written, read = (_lines(a_merge_request(world)[kind]) for kind in ("written", "read"))
    differ = [pair for pair in zip(written, read, strict=False) if pair[0] != pair[1]]
    return Seen(written == read, f"{len(differ)} of {len(written)} lines differ", differ[:1])


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()
