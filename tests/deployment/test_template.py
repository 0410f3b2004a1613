"""`template.yaml` from its first deployment to the deletion of everything that it created."""

import json
from pathlib import Path

import pytest

from tests.deployment.conftest import Transcript
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.pipelines import Pipeline
from tests.play.steps import Environment, Working

USER = "user-dev-codecommit-mirroring"
SECRET = f"codecommit-mirror/{USER}"


def test_environment_attributes_name_existing_resources(aws: LocalAws, environment: Environment) -> None:
    outputs = environment.outputs()
    assert outputs["SecretName"] == SECRET
    assert outputs["UserName"] == USER
    assert outputs["ServiceUserName"] == f"{USER}-at-{aws.account_id}"
    assert [outputs["CredentialId"]] == steps.credential_ids(aws, USER)
    held = aws.client("secretsmanager").get_secret_value(SecretId=SECRET)
    value = json.loads(held["SecretString"])
    assert outputs["SecretArn"] == held["ARN"]
    assert {key: value[key] for key in value if key != "password"} == {
        "username": outputs["ServiceUserName"],
        "serviceSpecificCredentialId": outputs["CredentialId"],
        "userName": USER,
        "serviceName": "codecommit.amazonaws.com",
        "createDate": outputs["CredentialCreateDate"],
    }
    assert "/" not in value["password"]


def test_deploying_the_same_again_changes_nothing(aws: LocalAws, environment: Environment) -> None:
    before, requests_before = environment.outputs(), len(aws.exchanges())
    again = environment.deploy()
    assert again.succeeded, again.output
    assert "No changes to deploy" in again.output
    assert environment.outputs() == before
    assert len(aws.exchanges()) == requests_before


def test_a_key_of_ones_own_is_used_replaced_and_removed(
    aws: LocalAws, environment: Environment, transcript: Transcript, working: Working
) -> None:
    one, another = (str(aws.client("kms").create_key()["KeyMetadata"]["Arn"]) for _ in range(2))
    for key in (one, another, ""):
        before = steps.login(aws, SECRET)
        assert environment.change(MirrorSecretKmsKeyArn=key) == "UPDATE_COMPLETE", environment.failures()
        shown = aws.client("secretsmanager").describe_secret(SecretId=SECRET).get("KmsKeyId", "")
        assert shown in ([key] if key else ["", "alias/aws/secretsmanager"])
        assert steps.login(aws, SECRET) == before
        # The permissions for the key exist while there is a key.
        transcript.add_environment(aws, environment)
        assert environment.change(RotationSerial=f"after {key[-4:]}") == "UPDATE_COMPLETE", (
            environment.failures()
        )
        after = steps.login(aws, SECRET)
        assert after.credential_id != before.credential_id
        pushed = working.push(after, environment.outputs()["RepositoryCloneUrl"])
        assert pushed.accepted, pushed.output
        # From now on, the role of the new template is in effect when the credential is updated.
        aws.set(iam_policies_take_seconds=0)


def test_first_project_pipeline_stack_waits_for_the_branch(aws: LocalAws, environment: Environment) -> None:
    outputs, pipeline = environment.outputs(), Pipeline(aws, "dev", "infra")
    assert (outputs["RepositoryName"], outputs["PipelineName"]) == (pipeline.repository, pipeline.name)
    assert outputs["BranchName"] == "development"
    child = pipeline.child.describe()
    assert (child["StackId"], child["RoleARN"]) == (outputs["StackId"], outputs["ProvisioningRoleArn"])
    assert {resource["LogicalResourceId"] for resource in pipeline.child.resources()} - {"Pipeline"} == {
        "Repository",
        "BuildLogGroup",
        "BuildProject",
        "EventRule",
    }
    tags = {tag["Key"]: tag["Value"] for tag in child["Tags"]}
    assert (tags["cfn-gitops:stack-id"], tags["cfn-gitops:logical-id"]) == (environment.id, "Project")


@pytest.mark.usefixtures("expected_denials", "queued_requests")
def test_a_first_deployment_that_fails_leaves_nothing(
    aws: LocalAws, environment: Environment, transcript: Transcript, tmp_path: Path
) -> None:
    before = steps.what_is_there(aws)
    second = Environment(aws, tmp_path, env_id="tst")
    failed = second.deploy(BranchName="testing", MirrorSecretNames="elsewhere/*")
    transcript.add("sam's output, second", failed.output)
    assert not failed.succeeded
    assert second.status() == "ROLLBACK_COMPLETE"
    assert "parameters MirrorSecretNames" in second.failures()[0]
    assert second.delete() == "DELETE_COMPLETE"
    assert steps.what_is_there(aws) == before
    # Its pipeline had been created, so a tombstone remains for a week.
    assert [mark for mark in steps.deletion_marks(aws) if mark.startswith("cfn-gitops-tst/deletions/infra-")]
