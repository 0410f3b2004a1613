"""templates/cross-account-s3.yaml with its counterparts, across two accounts."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, eventually
from tests.deployed_templates.helpers import deployed, outputs_of
from tests.deployed_templates.scene import BRANCH, Scene

REPOSITORIES = "111122223333"
INDEX = "<h1>one</h1>"


def files(aws: LocalAws, bucket: str) -> dict[str, bytes]:
    s3 = aws.client("s3")
    return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


class Across:
    """The three stacks of the two accounts. Each gets the others' outputs as parameters."""

    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.aws, self.there = aws, aws.in_account(REPOSITORIES)
        self.env_id, self.site = f"e{uuid.uuid4().hex[:6]}", f"site-{uuid.uuid4().hex[:8]}"
        self.source = Scene(self.there, f"t-{self.env_id}", directory)
        self.pipeline = f"codepipeline-{self.env_id}-s3-site"
        self.role = f"arn:aws:iam::{aws.account_id}:role/role-{self.env_id}-codepipeline-s3-site"

    def make(self) -> None:
        self.aws.set(credential_accepted_after_seconds=0)
        arn = self.there.client("codecommit").create_repository(
            repositoryName=self.source.repository)["repositoryMetadata"]["Arn"]
        self.source.clone()
        self.source.push({"index.html": INDEX})
        self.aws.client("s3").create_bucket(
            Bucket=self.site, CreateBucketConfiguration={"LocationConstraint": self.aws.region})
        expected = self.deploy(self.aws, "cross-account-artifacts", EnvID=self.env_id, RepositoryAccountId=REPOSITORIES)
        others = dict(pair.split("=", 1) for pair in expected["OtherAccountsParameters"].split())
        self.deploy(self.there, "cross-account-repository", **others, RepositoryArns=arn, BranchNames=BRANCH,
                    FurtherRoleArns=self.role)
        self.deploy(self.aws, "cross-account-s3", EnvID=self.env_id, ProjectID="site", RepositoryAccountId=REPOSITORIES,
                    RepositoryName=self.source.repository, BranchName=BRANCH, DeployBucketName=self.site,
                    ArtifactBucketName=expected["ArtifactBucketName"], ArtifactKeyArn=expected["ArtifactKeyArn"])

    def deploy(self, aws: LocalAws, template: str, **parameters: str) -> dict[str, str]:
        name = f"{template}-{self.env_id}"
        assert deployed(aws, name, template, **parameters) == "CREATE_COMPLETE", Stack(aws, name).events()
        return outputs_of(aws, name)

    def runs(self) -> list[dict[str, Any]]:
        """The executions, newest first. All of them have ended."""
        pipelines = self.aws.client("codepipeline")
        return list(eventually(
            lambda: pipelines.list_pipeline_executions(pipelineName=self.pipeline)["pipelineExecutionSummaries"],
            lambda found: found and all(each["status"] in {"Succeeded", "Failed"} for each in found)))

    def failure(self) -> str:
        """The error of the newest execution, which fails."""
        run = self.runs()[0]
        assert run["status"] == "Failed"
        details = self.aws.client("codepipeline").list_action_executions(
            pipelineName=self.pipeline, filter={"pipelineExecutionId": run["pipelineExecutionId"]})
        (output,) = [each["output"] for each in details["actionExecutionDetails"] if each["status"] == "Failed"]
        return str(output["executionResult"]["errorDetails"]["message"])


def test_push_is_deployed_to_the_other_accounts_bucket(aws: LocalAws, tmp_path: Path) -> None:
    across = Across(aws, tmp_path)
    across.make()
    aws.forget()
    assert across.runs()[-1]["status"] == "Succeeded", across.failure()
    assert files(across.aws, across.site)["release/index.html"] == INDEX.encode()
    before = len(across.runs())
    commit = across.source.push({"index.html": "<h1>two</h1>", "more/page.html": "<p>more</p>"})
    eventually(across.runs, lambda found: len(found) == before + 1)
    run = across.runs()[0]
    assert run["status"] == "Succeeded", across.failure()
    assert [each["revisionId"] for each in run["sourceRevisions"]] == [commit]
    assert run["trigger"]["triggerType"] == "CloudWatchEvent"
    found = files(across.aws, across.site)
    assert found["release/index.html"] == b"<h1>two</h1>"
    assert found["release/more/page.html"] == b"<p>more</p>"
    assert [each for each in across.aws.decisions() if not each["allowed"]] == []
