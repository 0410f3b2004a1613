"""A pipeline of one account whose source is in another account: each grant is needed, and nothing else.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import A, for_one_test, shared_scene
from local.aws.codepipeline.tests.cross_account_scene import CrossAccountScene
from local.aws.codepipeline.tests.pipeline_scene import eventually
from local.aws.testing import error_of


@pytest.fixture(scope="module")
def shared(running: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrossAccountScene]:
    with shared_scene(CrossAccountScene, running, tmp_path_factory.mktemp("across")) as made:
        yield made


@pytest.fixture
def scene(shared: CrossAccountScene) -> CrossAccountScene:
    return for_one_test(shared)


def source_of(scene: CrossAccountScene, execution: str) -> dict[str, Any]:
    """The source action's run, after its end."""
    found: dict[str, Any] = eventually(
        lambda: scene.actions(execution), lambda runs: runs and runs[0]["status"] != "InProgress")[0]
    return found


def test_push_in_other_account_starts_pipeline_with_commit(aws: LocalAws, name: str, tmp_path: Path) -> None:
    scene = CrossAccountScene(aws, name, tmp_path)
    scene.prepare_to_build()
    first = scene.create([scene.build()])
    assert scene.ended(first) == "Succeeded", scene.actions(first)

    commit = scene.there.push({"note": "the second push"})
    [run] = eventually(lambda: scene.runs_of(commit), bool)
    assert run["trigger"]["triggerType"] == "CloudWatchEvent"
    assert scene.ended(run["pipelineExecutionId"]) == "Succeeded", scene.actions(run["pipelineExecutionId"])
    source = scene.action(run["pipelineExecutionId"], "Source")
    assert source["output"]["outputVariables"]["CommitId"] == commit
    assert source["input"]["roleArn"] == scene.source_role
    where = source["output"]["outputArtifacts"][0]["s3location"]
    assert scene.artifact(where)["note"] == "the second push"
    held = scene.aws.client("s3").head_object(Bucket=where["bucket"], Key=where["key"])
    assert (held["ServerSideEncryption"], held["SSEKMSKeyId"]) == ("aws:kms", scene.key)
    # No role of the repository's account owns the bucket, and none of the pipeline's account the repository.
    assert error_of(scene.aws.client("codecommit").get_repository,
                   repositoryName=scene.repository)[0] == "RepositoryDoesNotExistException"
    assert error_of(scene.there.aws.client("s3").get_object, Bucket=where["bucket"],
                   Key=where["key"])[0] == "AccessDenied"


@pytest.mark.parametrize(("place", "grant", "expected"), [
    ("pipeline", "sts:AssumeRole", "is not authorized to perform: sts:AssumeRole on resource: {source_role}"),
    ("trust", "sts:AssumeRole", "is not authorized to perform: sts:AssumeRole on resource: {source_role}"),
    ("source", "codecommit:GetBranch", "because no identity-based policy allows the codecommit:GetBranch action"),
    ("source", "codecommit:GetCommit", "because no identity-based policy allows the codecommit:GetCommit action"),
    ("source", "codecommit:UploadArchive", "no identity-based policy allows the codecommit:UploadArchive action"),
    ("source", "codecommit:GetUploadArchiveStatus", "allows the codecommit:GetUploadArchiveStatus action"),
    ("source", "s3:PutObject", "the Amazon S3 bucket named {bucket}. Update the IAM role permissions"),
    ("source", "s3:PutObjectAcl", "the Amazon S3 bucket named {bucket}. Update the IAM role permissions"),
    ("bucket", "s3:PutObject", "the Amazon S3 bucket named {bucket}. Update the IAM role permissions"),
    ("bucket", "s3:PutObjectAcl", "the Amazon S3 bucket named {bucket}. Update the IAM role permissions"),
    ("source", "kms:GenerateDataKey", "because no identity-based policy allows the kms:GenerateDataKey action"),
    ("source", "kms:Decrypt", "because no identity-based policy allows the kms:Decrypt action"),
    ("key", "kms:GenerateDataKey", "because no resource-based policy allows the kms:GenerateDataKey action"),
    ("key", "kms:Decrypt", "because no resource-based policy allows the kms:Decrypt action"),
])
def test_each_missing_grant_fails_the_source_with_reason(scene: CrossAccountScene, place: str, grant: str,
                                                         expected: str) -> None:
    with scene.lacking(place, grant):
        run = scene.start()
        assert scene.ended(run) == "Failed"
    code, message = scene.error(run, "Source")
    assert code == "PermissionError"
    assert expected.format(source_role=scene.source_role, bucket=scene.bucket) in message
    logged = scene.aws.decisions(scene.name)
    denied = [each["action"] for each in logged if not each["allowed"]]
    # If only the trust policy denies the call, the caller's policies have allowed it.
    assert denied == [grant] or (place == "trust" and denied in ([], [grant])), logged


def test_with_every_grant_in_place_nothing_is_denied(scene: CrossAccountScene) -> None:
    run = scene.start()
    assert source_of(scene, run)["status"] == "Succeeded"
    denied = [each for each in scene.aws.decisions(scene.name) if not each["allowed"]]
    assert denied == []


@contextmanager
def starting_nothing(scene: CrossAccountScene) -> Iterator[None]:
    """A push inside the account starts nothing, then or later: events are sent in the order of the pushes, and the next
    push starts the only new execution."""
    before = len(scene.executions())
    yield
    commit = scene.there.push({"note": "with everything back"})
    run = eventually(scene.executions, lambda runs: len(runs) > before)[0]["pipelineExecutionId"]
    assert source_of(scene, run)["output"]["outputVariables"]["CommitId"] == commit
    assert len(scene.executions()) == before + 1


@pytest.mark.parametrize(("place", "who", "denied"), [
    ("forward trust", "events.amazonaws.com", "sts:AssumeRole"),
    ("forward", "assumed-role/forward", "events:PutEvents"),
    ("bus", "assumed-role/forward", "events:PutEvents")])
def test_each_forwarding_grant_is_needed(
        scene: CrossAccountScene, place: str, who: str, denied: str) -> None:
    with starting_nothing(scene), scene.lacking(place, denied):
        scene.there.push({"note": place})
        logged = eventually(lambda: [each for each in scene.aws.decisions(who) if each["action"] == denied], bool)
    assert [each["allowed"] for each in logged] == [False]


@pytest.mark.parametrize(("operator", "condition", "starts"), [
    ("StringEquals", {"aws__SourceAccount": A}, True), ("StringEquals", {"aws__SourceAccount": "444455556666"}, False),
    ("Bool", {"events__eventBusInvocation": "true"}, True), ("Bool", {"events__eventBusInvocation": "false"}, False),
    ("StringEquals", {"events__detail_type": "ECR Image Action"}, False),
    ("StringEquals", {"events__source": "aws.ecr"}, False)])
def test_bus_policy_is_evaluated_with_the_events_keys(
        scene: CrossAccountScene, operator: str, condition: dict[str, str], starts: bool) -> None:
    before = len(scene.executions())
    with (nullcontext() if starts else starting_nothing(scene)), scene.with_condition(
            "bus", "events:PutEvents", operator, **condition):
        scene.there.push({"note": f"{operator} {condition}"})
        logged = eventually(lambda: [each for each in scene.aws.decisions("assumed-role/forward")
                                    if each["action"] == "events:PutEvents"], bool)
    assert [each["allowed"] for each in logged] == [starts]
    if starts:
        eventually(scene.executions, lambda runs: len(runs) == before + 1)


@pytest.mark.parametrize(("place", "grant", "condition", "holds"), [
    ("trust", "sts:AssumeRole", {"sts__ExternalId": "a word that CodePipeline does not send"}, False),
    ("bucket", "s3:PutObject", {"s3__x_amz_server_side_encryption": "AES256"}, False),
    ("bucket", "s3:PutObject", {"s3__x_amz_server_side_encryption": "aws:kms"}, True),
    ("bucket", "s3:PutObjectAcl", {"s3__x_amz_acl": "bucket-owner-full-control"}, True),
    ("key", "kms:GenerateDataKey", {"kms__ViaService": "sqs.eu-central-1.amazonaws.com"}, False),
    ("key", "kms:GenerateDataKey", {"kms__ViaService": "s3.eu-central-1.amazonaws.com"}, True),
    ("key", "kms:GenerateDataKey", {"kms__CallerAccount": "444455556666"}, False),
    ("key", "kms:GenerateDataKey", {"kms__CallerAccount": A}, True)])
def test_unmet_condition_counts_as_missing_grant(scene: CrossAccountScene, place: str, grant: str,
                                                 condition: dict[str, str], holds: bool) -> None:
    with scene.with_condition(place, grant, "StringEquals", **condition):
        run = scene.start()
        assert source_of(scene, run)["status"] == ("Succeeded" if holds else "Failed")
    if not holds:
        assert scene.error(run, "Source")[0] == "PermissionError"


def test_bucket_deny_overrides_every_allow(scene: CrossAccountScene) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{scene.bucket}/*",
            "Condition": {"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": scene.key}}}
    with scene.instead("bucket", {**scene.grants["bucket"], "NotThisKey": deny}):
        run = scene.start()
        assert scene.ended(run) == "Failed"
    assert "Amazon S3:AccessDenied" in scene.error(run, "Source")[1]


def test_key_policy_without_delegation_disables_iam_policies(scene: CrossAccountScene) -> None:
    """In the key's own account, whose build has all permissions that IAM can grant."""
    only_the_other = {name: each for name, each in scene.grants["key"].items() if name != "delegation"}
    admin = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{scene.account}:root"},
             "Action": ["kms:PutKeyPolicy", "kms:GetKeyPolicy"], "Resource": "*"}
    run = scene.start()
    where = source_of(scene, run)["output"]["outputArtifacts"][0]["s3location"]
    with scene.instead("key", {**only_the_other, "administration": admin}):
        code, _, message = error_of(scene.aws.client("s3").get_object, Bucket=where["bucket"], Key=where["key"])
    assert code == "AccessDenied"
    assert "because no resource-based policy allows the kms:Decrypt action" in message
    assert scene.aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])["ContentLength"] > 0


@pytest.mark.parametrize("key", ["", "alias/aws/s3", "alias/ours"])
def test_store_without_customer_key_fails_only_across_accounts(aws: LocalAws, name: str, tmp_path: Path,
                                                               key: str) -> None:
    """CreatePipeline's rejection is not documented: "you must use a customer managed key", and S3's behaviour without
    without one. https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html"""
    scene = CrossAccountScene(aws, name, tmp_path)
    scene.prepare_to_build()
    pipeline = scene.declaration([scene.build()])
    if key == "alias/ours":
        key = f"alias/{name}"
        aws.client("kms").create_alias(AliasName=key, TargetKeyId=scene.key)
    pipeline["artifactStore"].pop("encryptionKey")
    if key:
        pipeline["artifactStore"]["encryptionKey"] = {"id": key, "type": "KMS"}
    scene.pipelines.create_pipeline(pipeline=pipeline)
    run = scene.executions()[-1]["pipelineExecutionId"]
    assert scene.ended(run) == "Failed"
    failed = scene.actions(run)[-1]
    if key == f"alias/{name}":  # "Aliases are recognized only in the account that created the KMS key."
        assert failed["actionName"] == "Source"
        assert "Invalid keyId" in scene.error(run, "Source")[1]
    else:  # AWS's own key of the writer's account allows no other account
        assert failed["actionName"] == "Build"
        assert "kms:Decrypt" in scene.error(run, "Build")[1]
        assert f":{A}:key/" in scene.error(run, "Build")[1]
