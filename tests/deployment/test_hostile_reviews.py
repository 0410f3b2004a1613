"""The output that CloudFormation gets from the build of a review branch, whose code is not reviewed."""

import json
from typing import Any

import pytest

from tests.deployment.reviewing import ReviewedStack, note_about, notes, reviewed  # noqa: F401 - a fixture
from tests.local.aws import LocalAws
from tests.play.pipelines import eventually, with_resources
from tests.play.steps import Environment, decisions_of

pytestmark = pytest.mark.usefixtures("expected_denials")


LEAVES_CREDENTIALS = """version: 0.2
phases:
  build:
    commands:
      - mkdir out
      - cp template.yaml parameter.json out
      - >-
        python -c "import boto3, json; key = boto3.Session().get_credentials(); print(json.dumps({'AccessKeyId':
        key.access_key, 'SecretAccessKey': key.secret_key, 'SessionToken': key.token}))" > out/key.json
artifacts: {base-directory: out, files: ['**/*']}
"""  # noqa: E501


# claim: cloudformation-gets-the-scanned-template
def test_template_replaced_after_the_scan_is_not_used(
    aws: LocalAws, environment: Environment, reviewed: ReviewedStack
) -> None:
    project, s3 = reviewed.project, aws.client("s3")
    bucket = environment.outputs()["BucketName"]
    # CloudFormation rejects calls for a second, so that the attacker has the time between the scan and the
    # change set.
    aws.set(cloudformation_calls_per_second=0.5, cloudformation_burst=1)
    pushed = project.push_for_review(
        "review/replaced", template=with_resources("Scanned"), buildspec=LEAVES_CREDENTIALS
    )
    merge_request = reviewed.gitlab.merge_request("review/replaced")
    build = project.review(pushed.commit)
    output = f"review/{project.project_id}/{build['id'].split(':')[1]}"
    template = f"{output}/template.yaml"

    def decided(action: str, resource: str) -> list[dict[str, Any]]:
        return [
            each
            for each in decisions_of(aws, environment.function_role)
            if each["action"] == action and each["resource"].endswith(resource)
        ]

    eventually(lambda: decided("s3:GetObject", template), "the function has read the template")
    key = json.loads(s3.get_object(Bucket=bucket, Key=f"{output}/key.json")["Body"].read())
    # Its build has ended, and its credentials are still valid.
    aws.client("s3", key).put_object(Bucket=bucket, Key=template, Body=with_resources("Hostile").encode())
    assert [
        each
        for each in decisions_of(aws, environment.function_role)
        if each["action"] == "cloudformation:CreateChangeSet" and project.deployed.name in each["resource"]
    ] == []
    aws.reset()
    note = note_about(merge_request, pushed.commit)
    assert "| `Scanned` | `AWS::Events::Rule` | added |" in note and "Hostile" not in note
    assert b"Hostile" in s3.get_object(Bucket=bucket, Key=template)["Body"].read()
    assert len(decided("s3:GetObjectVersion", template)) == 1 and len(notes(merge_request)) == 1
