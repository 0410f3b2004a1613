"""docs/how-to/rights.md: a member of the deployers' group deploys, changes, upgrades and deletes an environment and a
project, and CloudFormation does the rest with the role of templates/deployment.yaml. Each action that either has is one
that they used, or is listed with a reason.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.pages import Folder, blocks, clone
from tests.deployment.test_upgrade import FORMER
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.steps import BOOTSTRAP, DEPLOYABLE, ROOT, Stack

PAGE = ROOT / "docs/how-to/rights.md"
ROLE, POLICY = "cfn-gitops-dev-deployment", "policy-dev-deployment"
DEPLOY, CFN_GITOPS = "sam deploy --config-env dev --no-confirm-changeset", "python -m cli {} --env dev".format
_TABLE = "[dev.deploy.parameters]\n"
_DELETE = ("aws cloudformation delete-stack --stack-name project-dev-shop && "
           "aws cloudformation wait stack-delete-complete --stack-name project-dev-shop")

# Handlers call them for a drift or an import, for the tags of a bucket, and for properties that stay the same here.
# tests/templates/test_handlers.py has the permissions of each type.
NOT_NEEDED_HERE = set("""cloudwatch:ListTagsForResource cloudwatch:UntagResource ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups
    ec2:DescribeSubnets ec2:DescribeVpcs events:ListTagsForResource events:UntagResource iam:GetPolicyVersion iam:GetRolePolicy
    iam:ListUserTags iam:PutRolePermissionsBoundary iam:PutUserPermissionsBoundary iam:UntagRole iam:UntagUser
    iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription lambda:AssociateRuntimeAlias
    lambda:DeleteFunctionConcurrency lambda:GetFunctionCodeSigningConfig lambda:GetFunctionEventInvokeConfig
    lambda:GetFunctionRecursionConfig lambda:GetFunctionScalingConfig lambda:GetPolicy lambda:GetRuntimeManagementConfig
    lambda:ListTags lambda:PutFunctionConcurrency lambda:UntagResource lambda:UpdateFunctionEventInvokeConfig
    logs:DeleteDataProtectionPolicy logs:DeleteRetentionPolicy logs:DescribeIndexPolicies logs:DescribeResourcePolicies
    logs:GetDataProtectionPolicy logs:ListTagsForResource logs:UntagResource s3:DeleteBucket s3:DeleteBucketPolicy
    s3:GetAccelerateConfiguration s3:GetAnalyticsConfiguration s3:GetBucketAbac s3:GetBucketAcl s3:GetBucketCORS
    s3:GetBucketLogging s3:GetBucketMetadataTableConfiguration s3:GetBucketNotification s3:GetBucketObjectLockConfiguration
    s3:GetBucketOwnershipControls s3:GetBucketPublicAccessBlock s3:GetBucketTagging s3:GetBucketVersioning s3:GetBucketWebsite
    s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration s3:GetInventoryConfiguration
    s3:GetLifecycleConfiguration s3:GetMetricsConfiguration s3:GetReplicationConfiguration s3:ListTagsForResource
    s3:PutBucketTagging s3:TagResource s3:UntagResource""".split())
# A stack that cannot roll back, a change set that CloudFormation's validation rejects, a tag that is removed, an execution in
# progress, a large upload that fails, and `make deploy`.
NOT_NEEDED_BY_DORA = {"cloudformation:ContinueUpdateRollback", "cloudformation:DescribeEvents", "cloudformation:UntagResource",
                      "codepipeline:ListPipelineExecutions", "s3:AbortMultipartUpload", "s3:ListBucket"}


class Scene:
    """An account in which an administrator ran the page's commands, and Dora's shell in a clone."""

    def __init__(self, aws: LocalAws, gitlab: local_gitlab.LocalGitLab, directory: Path) -> None:
        self.aws, self.gitlab, self.directory = aws, gitlab, directory
        self.clone = clone(directory / "clone")
        (self.clone / "templates").symlink_to(ROOT / "templates")
        self.administrator = Folder(aws, self.clone, directory, gitlab.url)
        bucket, create, *_ = blocks(PAGE)
        self.administrator.run(bucket)
        self.administrator.run(create)
        key = aws.client("iam").create_access_key(UserName="dora")["AccessKey"]
        aws.put_iam_into_effect()
        self.dora = Folder(aws, self.clone, directory, gitlab.url, PYTHONPATH=str(ROOT), AWS_ACCESS_KEY_ID=key["AccessKeyId"],
                           AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])

    def source(self, name: str) -> Source:
        source = Source(self.aws, self.gitlab, f"platform/{name}", f"gitlab/{name}", "main")
        source.store_token()
        return source

    def write(self, **parameters: str) -> None:
        self.dora.write_parameters("dev", 'parameter_overrides = [\n    "EnvID=dev",\n]\n', **parameters)

    def name_the_role(self, page: str) -> None:
        settings = self.clone / "samconfig.toml"
        settings.write_text(settings.read_text().replace(_TABLE, _TABLE + page.replace("111122223333", self.aws.account_id)))

    def change_the_code(self) -> None:
        """As another release has another function."""
        package = self.clone / "another.zip"
        former = BOOTSTRAP.with_name("function.zip")
        package.write_bytes(former.read_bytes())
        with zipfile.ZipFile(package, "a") as archive:
            archive.writestr("another", "release")
        template = self.clone / "template.yaml"
        template.write_text(template.read_text().replace(str(former), str(package)))

    def used(self, principal: str) -> set[str]:
        return {decision["action"] for decision in self.aws.decisions(principal) if decision["allowed"]}

    def denied(self, principal: str) -> list[tuple[str, str]]:
        return [(decision["action"], decision["resource"]) for decision in self.aws.decisions(principal)
                if not decision["allowed"] and not decision.get("late")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    if BOOTSTRAP == DEPLOYABLE:
        pytest.skip("another code of the function is a zip of the machine's own build")
    with LocalAws(settings=IAM_IS_LATE) as aws, local_gitlab.running(protected_delay=0.5, unprotected_delay=0.5) as gitlab:
        yield Scene(aws, gitlab, tmp_path)


def test_deployers_deploy_change_upgrade_and_delete(scene: Scene) -> None:
    aws, dora, given = scene.aws, scene.dora, scene.source("infra").parameters(ProjectID="infra", BranchName="main")
    [line] = blocks(PAGE, "toml")
    scene.name_the_role(line)
    scene.write(**given)
    check = f"{CFN_GITOPS('check')} --ignore token-secret"
    dora.run(check)
    dora.run(DEPLOY)
    scene.write(**given, DeployedRoles="Bounded", HealthCheckMinutes="30", FunctionApprovals="NoChanges")
    scene.change_the_code()
    dora.run(DEPLOY)

    project = blocks(PAGE)[2]
    shop = scene.source("shop").parameters(EnvID="dev", ProjectID="shop", BranchName="main")
    parameters = " ".join(f"{key}={value}" for key, value in shop.items())
    project = project.replace("EnvID=dev ProjectID=shop …", parameters).replace("111122223333", aws.account_id)
    dora.run(project.replace("platform/shop", "platform/typo"), fails=True)
    assert "platform/typo" in dora.run(f"{CFN_GITOPS('failures project-dev-shop')}", fails=True)
    dora.run(_DELETE)
    dora.run(project)
    child, cloudformation = Stack(aws, "gitops-dev-shop"), aws.client("cloudformation")
    cloudformation.update_stack(StackName=child.name, TemplateBody=FORMER, Parameters=[
        {"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in child.describe()["Parameters"]])
    assert child.wait() == "UPDATE_COMPLETE"
    assert "every pipeline stack of dev has version" in dora.run(f"{CFN_GITOPS('upgrade')} --yes")
    dora.run(f"{check} && {CFN_GITOPS('failures')}")

    dora.run(_DELETE)
    dora.run(f"{CFN_GITOPS('undeploy')} --yes")
    assert "does not exist" in dora.run(f"{CFN_GITOPS('undeploy')} --yes")

    assert scene.denied(f":assumed-role/{ROLE}/") == []
    assert {action for action, _ in scene.denied(":user/dora")} == {"secretsmanager:DescribeSecret"}, "her check reads the token"
    assert steps.granted_actions(aws, ROLE) - scene.used(f":assumed-role/{ROLE}/") == NOT_NEEDED_HERE
    document = aws.client("iam").get_policy_version(PolicyArn=f"arn:aws:iam::{aws.account_id}:policy/{POLICY}", VersionId="v1")
    granted = {action for statement in document["PolicyVersion"]["Document"]["Statement"]
               for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])}
    assert granted - scene.used(":user/dora") == NOT_NEEDED_BY_DORA


def test_deployers_need_no_role_with_its_policies_and_a_boundary(scene: Scene) -> None:
    """The boundary that the deployment requires is set on each role and user."""
    iam = scene.aws.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))["Policy"]["Arn"]
    deploy, attach = blocks(PAGE)[1].partition("aws iam")[0], blocks(PAGE)[3]
    scene.administrator.run(deploy.replace("EnvID=dev", f"EnvID=dev PermissionsBoundaryArn={boundary}"))
    scene.administrator.run(attach.replace("111122223333", scene.aws.account_id))
    scene.aws.put_iam_into_effect()
    scene.write(ProjectID="infra", BranchName="main", PermissionsBoundaryArn=boundary)
    scene.dora.run(DEPLOY)
    scene.dora.run(f"{CFN_GITOPS('undeploy')} --yes")
    assert scene.denied(":user/dora") == [] and not scene.used(f":assumed-role/{ROLE}/")
