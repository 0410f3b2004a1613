"""The limit of a project's concurrent builds. `tests/replication` starts builds by rules and by calls."""

from __future__ import annotations

import json

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, allow, error_of, eventually, policy, trust


def a_role(aws: LocalAws, name: str, service: str, action: str) -> str:
    iam = aws.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(allow(action, "*")))
    return arn


def test_event_above_the_limit_of_a_project_is_retried(aws: LocalAws, name: str) -> None:
    """"If the build project has a concurrent build limit set, builds return an error"."""
    spec = json.dumps({"version": 0.2, "phases": {"build": {"commands": ["sleep 1"]}}}, indent=1)
    project = {"Type": "AWS::CodeBuild::Project", "Properties": {
        "Name": name, "ConcurrentBuildLimit": 1,
        "ServiceRole": a_role(aws, f"{name}-build", "codebuild.amazonaws.com", "logs:*"),
        "Source": {"Type": "NO_SOURCE", "BuildSpec": spec}, "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "Image": "image", "ComputeType": "BUILD_GENERAL1_SMALL"}}}
    assert Stack(aws, name).create({"Project": project}) == "CREATE_COMPLETE"
    events, codebuild = aws.client("events"), aws.client("codebuild")

    def send() -> None:
        events.put_events(Entries=[{"Source": name, "DetailType": "test", "Detail": "{}"}])

    def builds() -> list[str]:
        return list(codebuild.list_builds_for_project(projectName=name)["ids"])

    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{
        "Id": "build", "Arn": f"arn:aws:codebuild:{aws.region}:{aws.account_id}:project/{name}",
        "RoleArn": a_role(aws, f"{name}-events", "events.amazonaws.com", "codebuild:StartBuild")}])
    send()
    eventually(builds)
    assert error_of(codebuild.start_build, projectName=name)[0] == "AccountLimitExceededException"
    send()
    assert len(builds()) == 1
    both = eventually(builds, lambda found: len(found) == 2)
    done = eventually(lambda: codebuild.batch_get_builds(ids=both)["builds"],
                      lambda found: all(each["buildComplete"] for each in found))
    assert {each["buildStatus"] for each in done} == {"SUCCEEDED"}
