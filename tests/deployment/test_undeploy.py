"""`make deploy` and `cfn-gitops undeploy`, with another environment of samconfig.toml."""

import json
from pathlib import Path

from tests.deployment.conftest import Production
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.pipelines import Project, template
from tests.play.steps import Stack

STACK = "cfn-gitops-prd"
BUCKET = "s3-prd-codepipeline-artifact-123456789012-eu-central-1"
SECOND = template("second", env_id="prd").replace("cfn-gitops-dev-", "cfn-gitops-prd-")


def test_dependent_stacks_are_named_before_anything_is_deleted(
    aws: LocalAws, production: Production, tmp_path: Path
) -> None:
    infra = Project(aws, "prd", "infra", tmp_path, production.login, branch="master")
    assert infra.deploy(infra.push().commit) == "Succeeded", infra.output()
    other = Stack(aws, "second-project")
    assert other.create(SECOND) == "CREATE_COMPLETE", other.failures()
    before = steps.what_is_there(aws)

    status, output = production.run("undeploy", "--keep-stacks", "--yes")
    assert status == 1 and "stack gitops-prd-second: belongs to second-project" in output, output
    assert steps.what_is_there(aws) == before
    assert other.delete() == "DELETE_COMPLETE", other.failures()

    before = steps.what_is_there(aws)
    status, output = production.run("undeploy", "--yes")
    assert status == 1 and "stack cfnstack-prd-infra: stays, a pipeline deployed it" in output, output
    assert "role-prd-codedeploy-cfn" in output and "--keep-stacks" in output
    assert steps.what_is_there(aws) == before
    assert infra.deployed.delete() == "DELETE_COMPLETE", infra.deployed.failures()


def test_kept_bucket_and_stacks_stay_and_block_next_deployment(
    aws: LocalAws, production: Production, tmp_path: Path, name: str
) -> None:
    infra = Project(aws, "prd", "infra", tmp_path, production.login, branch="master")
    pushed = infra.push()
    assert infra.deploy(pushed.commit) == "Succeeded", infra.output()
    s3 = aws.client("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=BUCKET, Key="artifact", Body=body)
    s3.delete_object(Bucket=BUCKET, Key="artifact")

    status, output = production.run("undeploy", "--keep-stacks", "--yes")
    assert (status, f"bucket {BUCKET}: stays" in output) == (0, True), output
    rule = infra.deployed.outputs()["Rule"]
    assert left(aws) == {BUCKET, infra.deployed.name, rule}
    status, output = production.run("doctor")
    assert status == 1 and f"stack {STACK} does not exist" in output, output
    assert infra.deployed_commit() == pushed.commit

    status, output = production.run("deploy", "--yes")
    assert status == 1 and BUCKET in output and "cfn-gitops undeploy --env prd --delete-bucket" in output
    assert not production.exists()

    status, output = production.run("undeploy", "--delete-bucket", "--keep-stacks")
    assert status == 1 and "Nothing was changed: the answer is empty" in output
    assert BUCKET in left(aws)
    status, output = production.run("undeploy", "--delete-bucket", "--yes")
    assert status == 1 and f"{infra.deployed.name} may need the bucket {BUCKET}" in output, output
    status, output = production.run("undeploy", "--delete-bucket", "--keep-stacks", "--yes")
    assert status == 0 and "versions and delete markers" in output, output
    assert left(aws) == {infra.deployed.name, rule}

    # The role that it was created with no longer exists, so the test passes another one.
    infra.deployed.id = infra.deployed.describe()["StackId"]
    aws.client("cloudformation").delete_stack(StackName=infra.deployed.id, RoleARN=a_role(aws, name))
    assert infra.deployed.wait() == "DELETE_COMPLETE", infra.deployed.failures()
    assert left(aws) == set()
    aws.client("iam").delete_role_policy(RoleName=name, PolicyName="rules")
    aws.client("iam").delete_role(RoleName=name)


def left(aws: LocalAws) -> set[str]:
    """The resources of prd that exist."""
    return {name for names in steps.what_is_there(aws).values() for name in names if "-prd-" in name}


def a_role(aws: LocalAws, name: str) -> str:
    """The ARN of a role with which CloudFormation may do anything to rules."""
    iam, statement = (
        aws.client("iam"),
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "cloudformation.amazonaws.com"},
        },
    )
    arn: str = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="rules",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "events:*", "Resource": "*"}],
            }
        ),
    )
    aws.put_iam_into_effect()
    return arn
