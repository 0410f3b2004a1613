"""templates/cross-account-s3.yaml with its counterparts, across two accounts. Each stack gets the others'
outputs."""

import uuid
from pathlib import Path
from typing import Any

from tests.deployed_templates.helpers import deployed, outputs_of
from tests.deployed_templates.scene import BRANCH, Scene
from tests.local.aws import LocalAws
from tests.local.aws.testing import Stack, eventually

REPOSITORIES = "111122223333"


def deploy(aws: LocalAws, template: str, env_id: str, **parameters: str) -> dict[str, str]:
    name = f"{template}-{env_id}"
    assert deployed(aws, name, template, **parameters) == "CREATE_COMPLETE", Stack(aws, name).events()
    return outputs_of(aws, name)


def test_push_is_deployed_to_the_other_accounts_bucket(aws: LocalAws, tmp_path: Path) -> None:
    there, env_id, site = (
        aws.in_account(REPOSITORIES),
        f"e{uuid.uuid4().hex[:6]}",
        f"site-{uuid.uuid4().hex[:8]}",
    )
    pipeline, pipelines, s3 = f"codepipeline-{env_id}-s3-site", aws.client("codepipeline"), aws.client("s3")
    aws.set(credential_accepted_after_seconds=0)
    source = Scene(there, f"t-{env_id}", tmp_path)
    arn = there.client("codecommit").create_repository(repositoryName=source.repository)[
        "repositoryMetadata"
    ]["Arn"]
    source.clone()
    source.push({"index.html": "one"})
    s3.create_bucket(Bucket=site, CreateBucketConfiguration={"LocationConstraint": aws.region})
    artifacts = deploy(aws, "cross-account-artifacts", env_id, EnvID=env_id, RepositoryAccountId=REPOSITORIES)
    others = dict(pair.split("=", 1) for pair in artifacts["OtherAccountsParameters"].split())
    deploy(
        there,
        "cross-account-repository",
        env_id,
        **others,
        RepositoryArns=arn,
        BranchNames=BRANCH,
        FurtherRoleArns=f"arn:aws:iam::{aws.account_id}:role/role-{env_id}-codepipeline-s3-site",
    )
    deploy(
        aws,
        "cross-account-s3",
        env_id,
        EnvID=env_id,
        ProjectID="site",
        RepositoryAccountId=REPOSITORIES,
        RepositoryName=source.repository,
        BranchName=BRANCH,
        DeployBucketName=site,
        ArtifactBucketName=artifacts["ArtifactBucketName"],
        ArtifactKeyArn=artifacts["ArtifactKeyArn"],
    )
    aws.forget()

    def last_of(number: int) -> dict[str, Any]:
        """The newest of so many executions, which succeed."""
        found: list[dict[str, Any]] = eventually(
            lambda: pipelines.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"],
            lambda runs: (
                len(runs) == number and all(each["status"] in {"Succeeded", "Failed"} for each in runs)
            ),
        )
        actions = pipelines.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
        assert {each["status"] for each in found} == {"Succeeded"}, actions
        return found[0]

    def files() -> dict[str, str]:
        return {
            each["Key"]: s3.get_object(Bucket=site, Key=each["Key"])["Body"].read().decode()
            for each in s3.list_objects_v2(Bucket=site)["Contents"]
        }

    last_of(1)
    assert files() == {"release/index.html": "one"}
    commit = source.push({"index.html": "two", "more/page.html": "more"})
    run = last_of(2)
    assert [each["revisionId"] for each in run["sourceRevisions"]] == [commit]
    assert run["trigger"]["triggerType"] == "CloudWatchEvent"
    assert files() == {"release/index.html": "two", "release/more/page.html": "more"}
    assert [each for each in aws.decisions() if not each["allowed"]] == []
