"""Builds with `reports:`, in a project without a source. The role may have too few of the five permissions.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
"""

import json
from typing import Any

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import allow, eventually, policy

ACCOUNT = "123456789012"
ACTIONS = ["CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases", "BatchPutCodeCoverages"]
REPORTS = {
    "tests": {"files": ["**/*.xml"], "base-directory": "made"},
    "covered": {"files": ["made/covered.xml"], "file-format": "CoberturaXml"},
}


def built(aws: LocalAws, name: str, actions: list[str], reports: dict[str, Any]) -> dict[str, Any]:
    """The record of a build whose role has these permissions on the report groups of its project."""
    iam, codebuild = aws.client("iam"), aws.client("codebuild")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=policy(
            {
                "Effect": "Allow",
                "Principal": {"Service": "codebuild.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ),
    )["Role"]
    groups = f"arn:aws:codebuild:{aws.region}:{ACCOUNT}:report-group/{name}-*"
    iam.put_role_policy(
        RoleName=name,
        PolicyName="own",
        PolicyDocument=policy(
            allow("logs:*", "*"), allow([f"codebuild:{action}" for action in actions], groups)
        ),
    )
    aws.put_iam_into_effect()
    commands = ["mkdir made", "touch made/tests.xml made/covered.xml"]
    spec = {"version": 0.2, "phases": {"build": {"commands": commands}}, "reports": reports}
    codebuild.create_project(
        name=name,
        serviceRole=role["Arn"],
        artifacts={"type": "NO_ARTIFACTS"},
        source={"type": "NO_SOURCE", "buildspec": json.dumps(spec, indent=1)},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:8.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
    )
    build_id = codebuild.start_build(projectName=name)["build"]["id"]
    return dict(
        eventually(
            lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0],
            lambda build: build["buildComplete"],
        )
    )


def upload_of(build: dict[str, Any]) -> str:
    """The message of the phase UPLOAD_ARTIFACTS."""
    phase = next(each for each in build["phases"] if each["phaseType"] == "UPLOAD_ARTIFACTS")
    return str(phase["contexts"][0]["message"])


def test_reports_are_named_after_project_and_group(aws: LocalAws, name: str) -> None:
    build = built(aws, name, ACTIONS, REPORTS)
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    groups = [arn.rsplit(":", 1)[0].rsplit("/", 1)[1] for arn in build["reportArns"]]
    assert groups == [f"{name}-tests", f"{name}-covered"]


@pytest.mark.parametrize("missing", ACTIONS)
def test_missing_permission_fails_the_upload(aws: LocalAws, name: str, missing: str) -> None:
    build = built(aws, name, [action for action in ACTIONS if action != missing], REPORTS)
    assert build["buildStatus"] == "FAILED" and "reportArns" not in build
    said = upload_of(build)
    assert (
        said.startswith("Error in UPLOAD_ARTIFACTS phase: [") and f"codebuild:{missing} on resource: " in said
    )


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ({"tests": {"files": ["none.xml"]}}, "no report files found"),
        ({str(number): {"files": ["made/*"]} for number in range(6)}, "more than five report groups"),
        ({"tests": {"files": ["made/*"], "file-format": "TAP"}}, "TAP is not a file format"),
        (
            {f"arn:aws:codebuild:eu-central-1:{ACCOUNT}:report-group/of-another": {"files": ["made/*"]}},
            "codebuild:CreateReport on",
        ),
    ],
)
def test_unusable_report_fails_the_upload(
    aws: LocalAws, name: str, reports: dict[str, Any], said: str
) -> None:
    assert said in upload_of(built(aws, name, ACTIONS, reports))
