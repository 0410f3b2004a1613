"""A push in one account is built, approved and deployed in another, and every grant on the way is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.aws import LocalAws
from local.aws.settings import IAM_IS_LATE
from tests.deployment import grants, pipelines, steps
from tests.deployment.pipelines import Pipeline, eventually
from tests.deployment.steps import Stack
from tests.deployment.two_accounts import IMAGES, OTHER, PROJECT, TwoAccounts
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
        policies += [version["Document"] for policy in page["Policies"] for version in policy["PolicyVersionList"]
                     if version["IsDefaultVersion"]]
    written = json.dumps(policies, default=str)
    return {each for each in what if each in written}


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
        assert [place for place, policy in grants.of_what_is_kept(scene).items() if OTHER in policy] == []
        scene.remove_what_is_kept()
        assert [steps.what_is_there(account) for account in (scene.aws, scene.there)] == before


def test_push_in_other_account_is_built_approved_and_deployed(scene: TwoAccounts) -> None:
    pushed = scene.project.push()
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    assert scene.project.deployed_commit() == pushed.commit
    # With this role and no other.
    used = {decision["action"] for decision in scene.aws.decisions(f"{OTHER}:assumed-role/role-dev-codecommit-source/")
            if decision["allowed"]}
    assert {"codecommit:GetCommit", "codecommit:UploadArchive", "s3:PutObject", "kms:GenerateDataKey"} <= used


# claim: function-can-only-read-with-the-role
def test_function_passes_the_evaluated_session_policy(scene: TwoAccounts) -> None:
    role = f"arn:aws:iam::{OTHER}:role/role-dev-codecommit-source"
    passed = [decision["session_policy"] for decision in scene.aws.decisions(scene.environment.function_role)
              if (decision["action"], decision["resource"]) == ("sts:AssumeRole", role)]
    assert passed
    assert all(json.loads(policy) == session_policy(scene.repository_arn) for policy in passed)


def test_project_outputs_the_other_accounts_resources(scene: TwoAccounts) -> None:
    outputs = scene.project_stack.outputs()
    assert outputs["RepositoryArn"] == scene.repository_arn
    answer = scene.aws.exchanges("Pipeline")[-1]["answer"]
    assert answer["Data"]["CloneUrlHttp"] == scene.project.clone_url
    assert "Reason" not in answer


def image_of(pipeline: Pipeline, execution: str) -> str:
    """The digest that this execution used."""
    found = next(action for action in pipeline.actions(execution) if action["actionName"] == "Image")
    return str(found["output"]["outputVariables"]["ImageDigest"])


def test_image_push_in_other_account_starts_pipeline_by_digest(scene: TwoAccounts) -> None:
    buildspec = (pipelines.PROJECT / "buildspec.yml").read_text().replace(
        "      - mkdir out\n",
        "      - mkdir out\n"
        '      - echo "uri $ImageURI digest $ImageDigest tag $ImageTag"\n'
        '      - grep -q "$ImageDigest" "$CODEBUILD_SRC_DIR_ImageArtifact/imageDetail.json"\n')
    pushed = scene.project.push(buildspec=buildspec)
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    digest = scene.push_image("two")
    execution = scene.project.execution_of(digest)
    scene.project.decide(execution)
    assert scene.project.ended(execution) == "Succeeded", scene.project.said()
    assert image_of(scene.project, execution) == digest
    uri = f"{OTHER}.dkr.ecr.{scene.aws.region}.amazonaws.com/{IMAGES}@{digest}"
    assert f"uri {uri} digest {digest} tag latest" in scene.project.build_log()


def test_packaged_template_is_under_the_key_of_that_bucket(scene: TwoAccounts) -> None:
    """As docs/concepts/pipelines.md describes it for a pipeline with an ArtifactKeyArn."""
    bucket = scene.artifacts.outputs()["ArtifactBucketName"]
    without_key = pipelines.documented_buildspec(PROJECT).replace(
        "s3-$EnvID-codepipeline-artifact-$AccountId-$AWS_REGION", bucket)
    buildspec = without_key.replace("--s3-prefix", '--kms-key-id "$CODEBUILD_KMS_KEY_ID"\n        --s3-prefix')
    files = {"template": json.dumps({
        "Parameters": {"EnvID": {"Type": "String"}, "Commit": {"Type": "String"}},
        "Resources": {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "nested.json"}}},
        "Outputs": {"Commit": {"Value": {"Ref": "Commit"}}}}), "further": {"nested.json": json.dumps({
            "Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": {
                "State": "DISABLED", "EventPattern": {"source": ["nobody"]}}}}})}}
    pushed = scene.project.push(buildspec=buildspec, **files)
    assert scene.project.deploy(pushed.commit) == "Succeeded", scene.project.said()
    s3 = scene.aws.client("s3")
    (stored,) = s3.list_objects_v2(Bucket=bucket, Prefix="code/")["Contents"]
    assert s3.head_object(Bucket=bucket, Key=stored["Key"])["SSEKMSKeyId"] == scene.artifacts.outputs()["ArtifactKeyArn"]
    rejected = scene.project.push(buildspec=without_key, **files)
    execution = scene.project.execution_of(rejected.commit)
    assert scene.project.ended(execution) == "Failed"
    assert "AccessDenied" in scene.project.build_log()
    # The tests below start with these.
    assert scene.project.deploy(scene.project.push().commit) == "Succeeded"


def test_another_tag_starts_nothing(scene: TwoAccounts) -> None:
    before = len(scene.project.executions())
    scene.push_image("three", tag="experiment")
    pushed = scene.project.push()
    execution = scene.project.execution_of(pushed.commit)
    scene.project.decide(execution)
    assert scene.project.ended(execution) == "Succeeded"
    assert len(scene.project.executions()) == before + 1


# --- each grant ---------------------------------------------------------------------------

# Actions that AWS's documentation lists for these roles and that this local AWS never needs.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
NOT_NEEDED_HERE = {
    # S3 uses the key with two calls. The others are for clients that encrypt themselves.
    "kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKeyWithoutPlaintext",
    # Reads of the bucket before an artifact is written, and of one version.
    "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObjectVersion",
    # The cancellation of an archive that hangs.
    "codecommit:CancelUploadArchive",
}
LOOKS_AT_THE_BUCKET = {("policy-dev-codepipeline-cfn", "BucketsThatOtherAccountsWriteTo"),
                       ("policy-dev-codebuild-cfn", "BucketsThatOtherAccountsWriteTo")}
# Needed by others than a pipeline with both sources in the other account: by the function, which outputs the clone
# address, and by a pipeline whose code is in its own account.
OF_OTHERS = {
    "role-dev-codecommit-source SourceOfThePipelines codecommit:GetRepository",
    "policy-dev-codepipeline-cfn ArtifactsOfOtherAccounts s3:PutObject",
    "policy-dev-codepipeline-cfn KeysOfTheseBuckets kms:GenerateDataKey",
}


class Impatient(Pipeline):
    """A pipeline of the same sources without an approval."""

    def __init__(self, scene: TwoAccounts) -> None:
        super().__init__(scene.aws, "dev", "grants")
        self._scene = scene
        outputs = scene.artifacts.outputs()
        role = f"arn:aws:iam::{OTHER}:role/role-dev"
        stack = Stack(scene.aws, "project-dev-grants")
        status = stack.create(pipelines.template(
            "grants", Approval={"Required": False}, ArtifactBucketName=outputs["ArtifactBucketName"],
            ArtifactKeyArn=outputs["ArtifactKeyArn"],
            Deploy={"TemplatePath": f"root-stack-{PROJECT}.yaml"},
            Source={"RepositoryArn": scene.repository_arn, "RoleArn": f"{role}-codecommit-source"},
            ImageSource={"RepositoryArn": f"arn:aws:ecr:{scene.aws.region}:{OTHER}:repository/{IMAGES}",
                         "RoleArn": f"{role}-ecr-source"}))
        assert status == "CREATE_COMPLETE", stack.failures()
        self._images = 0
        assert self.settled() == "Succeeded", self.said()

    def settled(self) -> str:
        """The final status of the newest execution."""
        return self.ended(self.executions()[-1]["pipelineExecutionId"])

    def push(self, image: bool) -> tuple[str, str]:
        """The status of the execution that a push starts, and its error. For a lost event, only the error."""
        before = len(self.executions())
        if image:
            self._images += 1
            self._scene.push_image(f"grants {self._images}")
        else:
            self._scene.project.push()
        lost = eventually(lambda: [""] if len(self.executions()) > before else self._scene.lost(image),
                          "an execution, or a message in the queue of what was lost")
        if lost != [""]:
            return "", lost[0]
        status = self.settled()
        return status, self.error(self.executions()[-1]["pipelineExecutionId"]) if status == "Failed" else ""


@pytest.fixture(scope="module")
def _impatient(scene: TwoAccounts) -> Impatient:
    return Impatient(scene)


@pytest.fixture
def impatient(scene: TwoAccounts, _impatient: Impatient) -> Iterator[Impatient]:
    """Runs without the other pipeline, whose executions would wait for approval and use the grants as well."""
    events = scene.aws.client("events")
    rules = [scene.project.event_rule, scene.project.event_rule.replace("-cfn-", "-ecr-")]
    for rule in rules:
        events.disable_rule(Name=rule)
    yield _impatient
    for rule in rules:
        events.enable_rule(Name=rule)


def is_named(action: str, why: str) -> bool:
    """CodePipeline's error names the denied call, but for a bucket only the bucket."""
    return action in why or (action.startswith("s3:") and "Amazon S3:AccessDenied" in why)


def test_each_missing_grant_fails_with_its_error(scene: TwoAccounts, impatient: Impatient) -> None:
    every, kept, wrong = grants.every(scene), [], []
    for grant in every:
        with grant.taken_away():
            status, why = impatient.push(grant.image)
        if status == "Succeeded":
            kept.append(grant)
        elif status == "Failed" and not is_named(grant.action, why):
            wrong.append(f"{grant}: {why}")
        elif not status and "forward" not in grant.policy and grant.policy != "event bus":
            wrong.append(f"{grant}: the event was lost: {why}")
    assert wrong == []
    assert {str(grant) for grant in kept if grant.action not in NOT_NEEDED_HERE} == OF_OTHERS
    # Each statement is needed, and with all of them restored the pipeline works again.
    needed = {(grant.policy, grant.sid) for grant in every if grant not in kept}
    assert {(grant.policy, grant.sid) for grant in every} - needed == LOOKS_AT_THE_BUCKET
    for image in (False, True):
        assert impatient.push(image) == ("Succeeded", "")


@pytest.mark.parametrize("image", [False, True], ids=["code", "image"])
def test_event_rejected_by_pipeline_account_is_queued(scene: TwoAccounts, impatient: Impatient, image: bool) -> None:
    kind = "ecr" if image else "codecommit"
    sqs, queue = scene.there.client("sqs"), scene.queue(image)
    (grant,) = [each for each in grants.every(scene) if each.policy == "event bus" and each.image == image]
    with grant.taken_away():
        pushed = scene.push_image("lost") if image else scene.project.push().commit
        (message,) = eventually(lambda: sqs.receive_message(
            QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages"), "a message in the queue")
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["RULE_ARN"].endswith(f":{OTHER}:rule/event-rule-dev-forward-{kind}")
    assert "events:PutEvents" in attributes["ERROR_MESSAGE"]
    detail = json.loads(message["Body"])["detail"]
    assert pushed in (detail.get("commitId"), detail.get("image-digest"))
    # If you release the change, as the page says, the lost push is deployed.
    started = scene.aws.client("codepipeline").start_pipeline_execution(name=impatient.name)
    execution = started["pipelineExecutionId"]
    assert impatient.ended(execution) == "Succeeded", impatient.said()
    assert (image_of(impatient, execution) if image else impatient.deployed_commit()) == pushed


def test_kms_rejects_a_policy_without_a_manager(scene: TwoAccounts) -> None:
    kms, key = scene.aws.client("kms"), scene.artifacts.outputs()["ArtifactKeyArn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"] = policy["Statement"][1:]
    with pytest.raises(ClientError, match="will not allow you to update the key policy in the future"):
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
