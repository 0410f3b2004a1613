"""A push in one account is built, approved and deployed in another."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import pipelines, steps
from tests.play.pipelines import Pipeline, Project, eventually
from tests.play.two_accounts import IMAGES, OTHER, PROJECT, TEMPLATES, TwoAccounts, complete
from tests.policies.test_ways import session_policy


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    """An AWS of its own: other tests do not compare these deployments."""
    with LocalAws(settings=IAM_IS_LATE) as running:
        made = TwoAccounts(running, tmp_path_factory.mktemp("two-accounts"))
        made.make()
        yield made


def named_in_policies(scene: TwoAccounts, what: set[str]) -> set[str]:
    """Which of these are in an effective policy of the pipelines' account."""
    iam = scene.aws.client("iam")
    policies: list[object] = []
    for page in iam.get_paginator("get_account_authorization_details").paginate():
        policies += page["RoleDetailList"] + page["UserDetailList"]
        # Earlier versions of a policy are kept and have no effect.
        policies += [
            version["Document"]
            for policy in page["Policies"]
            for version in policy["PolicyVersionList"]
            if version["IsDefaultVersion"]
        ]
    written = json.dumps(policies, default=str)
    return {each for each in what if each in written}


def policies_that_remain(scene: TwoAccounts) -> str:
    """The policies of the bucket and the key, which remain after the artifacts' stack, and the event
    bus's."""
    kept = scene.artifacts.outputs()
    return "\n".join(
        [
            scene.aws.client("s3").get_bucket_policy(Bucket=kept["ArtifactBucketName"])["Policy"],
            scene.aws.client("kms").get_key_policy(KeyId=kept["ArtifactKeyArn"], PolicyName="default")[
                "Policy"
            ],
            scene.aws.client("events").describe_event_bus(Name="default").get("Policy", ""),
        ]
    )


def test_deletion_in_both_accounts_leaves_nothing(tmp_path: Path) -> None:
    with LocalAws(settings=IAM_IS_LATE) as running:
        scene = TwoAccounts(running, tmp_path)
        first = scene.environment.deploy()
        assert first.succeeded, first.output
        before = [steps.what_is_there(account) for account in (scene.aws, scene.there)]
        scene.make()
        kept = scene.artifacts.outputs()
        elsewhere = {OTHER, kept["ArtifactBucketName"], kept["ArtifactKeyArn"]}
        assert named_in_policies(scene, elsewhere) == elsewhere
        # Omitted parameters keep their values.
        assert scene.environment.deploy().succeeded
        assert named_in_policies(scene, elsewhere) == elsewhere
        scene.withdraw()
        assert named_in_policies(scene, elsewhere) == set()
        assert OTHER not in policies_that_remain(scene)
        scene.remove_what_is_kept()
        assert [steps.what_is_there(account) for account in (scene.aws, scene.there)] == before


def test_first_push_was_read_with_the_role_of_the_other_account(scene: TwoAccounts) -> None:
    used = {
        decision["action"]
        for decision in scene.aws.decisions(f"{OTHER}:assumed-role/role-dev-codecommit-source/")
        if decision["allowed"]
    }
    assert {"codecommit:GetCommit", "codecommit:UploadArchive", "s3:PutObject", "kms:GenerateDataKey"} <= used
    answer = scene.aws.exchanges("Pipeline")[-1]["answer"]
    assert answer["Data"]["RepositoryArn"] == scene.repository_arn
    assert answer["Data"]["CloneUrlHttp"] == scene.project.clone_url
    assert "Reason" not in answer


# claim: function-can-only-read-with-the-role
def test_function_passes_the_evaluated_session_policy(scene: TwoAccounts) -> None:
    role = f"arn:aws:iam::{OTHER}:role/role-dev-codecommit-source"
    passed = [
        decision["session_policy"]
        for decision in scene.aws.decisions(scene.environment.function_role)
        if (decision["action"], decision["resource"]) == ("sts:AssumeRole", role)
    ]
    assert passed
    assert all(json.loads(policy) == session_policy(scene.repository_arn) for policy in passed)


def image_of(pipeline: Pipeline, execution: str) -> str:
    """The digest that this execution used."""
    found = next(action for action in pipeline.actions(execution) if action["actionName"] == "Image")
    return str(found["output"]["outputVariables"]["ImageDigest"])


def test_image_of_the_tag_alone_starts_pipeline_by_digest(scene: TwoAccounts) -> None:
    buildspec = scene.project.buildspec.replace(
        "      - mkdir out\n",
        "      - mkdir out\n"
        '      - echo "uri $ImageURI digest $ImageDigest tag $ImageTag"\n'
        '      - grep -q "$ImageDigest" "$CODEBUILD_SRC_DIR_ImageArtifact/imageDetail.json"\n',
    )
    before = len(scene.project.executions())
    scene.push_image("three", tag="experiment")
    pushed = scene.project.push(buildspec=buildspec)
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    digest = scene.push_image("two")
    execution = scene.project.execution_of(digest)
    scene.project.decide(execution)
    assert scene.project.ended(execution) == "Succeeded", scene.project.said()
    assert image_of(scene.project, execution) == digest
    uri = f"{OTHER}.dkr.ecr.{scene.aws.region}.amazonaws.com/{IMAGES}@{digest}"
    assert f"uri {uri} digest {digest} tag latest" in scene.project.build_log()
    # The image with another tag started nothing.
    assert len(scene.project.executions()) == before + 2


def test_packaged_template_is_under_the_key_of_that_bucket(scene: TwoAccounts) -> None:
    """As docs/concepts/pipelines.md describes it for a pipeline with an ArtifactKeyArn."""
    bucket = scene.artifacts.outputs()["ArtifactBucketName"]
    without_key = pipelines.documented_buildspec(PROJECT).replace(
        "s3-$EnvID-codepipeline-artifact-$AccountId-$AWS_REGION", bucket
    )
    buildspec = without_key.replace(
        "--s3-prefix", '--kms-key-id "$CODEBUILD_KMS_KEY_ID"\n        --s3-prefix'
    )
    files = {
        "template": json.dumps(
            {
                "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
                "Resources": {
                    "Nested": {
                        "Type": "AWS::CloudFormation::Stack",
                        "Properties": {"TemplateURL": "nested.json"},
                    }
                },
                "Outputs": {"Commit": {"Value": {"Ref": "Commit"}}},
            }
        ),
        "further": {
            "nested.json": json.dumps(
                {
                    "Resources": {
                        "Rule": {
                            "Type": "AWS::Events::Rule",
                            "Properties": {"State": "DISABLED", "EventPattern": {"source": ["nobody"]}},
                        }
                    }
                }
            )
        },
    }
    pushed = scene.project.push(buildspec=buildspec, **files)
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    s3 = scene.aws.client("s3")
    (stored,) = s3.list_objects_v2(Bucket=bucket, Prefix="code/")["Contents"]
    assert (
        s3.head_object(Bucket=bucket, Key=stored["Key"])["SSEKMSKeyId"]
        == scene.artifacts.outputs()["ArtifactKeyArn"]
    )
    rejected = scene.project.push(buildspec=without_key, **files)
    execution = scene.project.execution_of(rejected.commit)
    assert scene.project.ended(execution) == "Failed"
    assert "AccessDenied" in scene.project.build_log()


# tests/policies/test_every_part_is_needed.py removes each grant of a way.


@contextmanager
def closed_bus(scene: TwoAccounts) -> Iterator[None]:
    """Within the block, the event bus of the pipelines' account accepts no event of another account."""
    events = scene.aws.client("events")
    policy = events.describe_event_bus(Name="default")["Policy"]
    events.remove_permission(RemoveAllPermissions=True)
    yield
    events.put_permission(EventBusName="default", Policy=policy)


@pytest.mark.parametrize("image", [False, True], ids=["code", "image"])
def test_event_rejected_by_pipeline_account_is_queued(scene: TwoAccounts, image: bool) -> None:
    kind, project = "ecr" if image else "codecommit", scene.project
    sqs = scene.there.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"sqs-dev-forward-{kind}")["QueueUrl"]
    with closed_bus(scene):
        pushed = scene.push_image("lost") if image else project.push().commit
        (message,) = eventually(
            lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages"),
            "a message in the queue",
        )
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["RULE_ARN"].endswith(f":{OTHER}:rule/event-rule-dev-forward-{kind}")
    assert "events:PutEvents" in attributes["ERROR_MESSAGE"]
    detail = json.loads(message["Body"])["detail"]
    assert pushed in (detail.get("commitId"), detail.get("image-digest"))
    # If you release the change, as the page describes, the lost push is deployed.
    execution = scene.aws.client("codepipeline").start_pipeline_execution(name=project.name)[
        "pipelineExecutionId"
    ]
    project.decide(execution)
    assert project.ended(execution) == "Succeeded", project.said()
    assert (image_of(project, execution) if image else project.deployed_commit()) == pushed


def test_source_moves_to_this_account_and_back(scene: TwoAccounts, tmp_path: Path) -> None:
    before = steps.what_is_there(scene.aws)
    stack, elsewhere = scene.project_stack, scene.project_parameters
    here = {name: "" for name in elsewhere if name not in ("EnvID", "ProjectID")}
    complete(stack, stack.update(TEMPLATES / "project.yaml", **elsewhere | here))
    secret = stack.outputs()["SecretName"]
    assert f"user-dev-{PROJECT}-mirror" in steps.what_is_there(scene.aws)["IAM users"]
    scene.aws.put_iam_into_effect()
    moved = Project(scene.aws, "dev", PROJECT, tmp_path, lambda: steps.login(scene.aws, secret))
    pushed = moved.push()
    assert moved.deploy(pushed.commit) == "Succeeded", moved.said()
    assert moved.deployed_commit() == pushed.commit

    complete(stack, stack.update(TEMPLATES / "project.yaml", **elsewhere))
    assert steps.what_is_there(scene.aws) == before
    pushed = scene.project.push()
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    assert scene.project.deployed_commit() == pushed.commit
