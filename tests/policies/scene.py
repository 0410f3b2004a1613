"""Every template deployed, with all parameters that add a statement.

Four accounts: the pipelines', the repositories', the images', and that of an instance which clones.
Each stack gets the others' outputs as parameters.
"""

from functools import cache

from tests.policies.collected import ADMINISTRATOR, Stack
from tests.policies.world import World
from tests.templates import named
from tests.templates.deployed import (
    ACCOUNT,
    BOUNDARY,
    REGION,
    TEMPLATE,
    TEMPLATES,
    Deployed,
    source,
    translated,
)

PIPELINES = ACCOUNT
REPOSITORIES = "111122223333"
IMAGES = "444455556666"
INSTANCES = "777788889999"
EXTERNAL_ID = "5e3c9a52-clone"
TEAM = "74361522-da01-538d-aa2e-ac7918c6bb92"
VPC_ENDPOINT = "vpce-0123abcd"
APPROVER = f"arn:aws:iam::{PIPELINES}:user/approver"
UNNAMED = "999999999999"  # an account that is in no stack's parameters
REPLICA_REGION = "eu-west-1"

SOURCE_ROLE, IMAGE_ROLE = named.SOURCE_ROLES
FOREIGN_REPOSITORY = f"arn:aws:codecommit:{REGION}:{REPOSITORIES}:shop"
# The bucket that `sam deploy` creates.
UPLOADS = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1a2b"
SITE = "example-site"  # a bucket that cross-account-s3.yaml deploys to and that no stack creates
KEY_OF_FOREIGN_REPOSITORIES = f"arn:aws:kms:{REGION}:{REPOSITORIES}:key/repositories"
TRIGGERED = f"arn:aws:lambda:{REGION}:{PIPELINES}:function:lambda-dev-triggered"


def deploy(name, account=PIPELINES, region=REGION, attributes=None, **parameters):
    template = source(TEMPLATES / f"{name}.yaml")
    return Stack(
        name, Deployed(region, template, f"{name}-dev", account, attributes, **{"EnvID": "dev", **parameters})
    )


def boundary_of(account):
    return BOUNDARY.replace(ACCOUNT, account)


@cache
def stacks():
    """The templates by name."""
    artifacts = deploy("cross-account-artifacts", RepositoryAccountId=REPOSITORIES, ImageAccountId=IMAGES)
    bucket = artifacts.deployed.name("ArtifactBucket")
    key = artifacts.deployed.arn("ArtifactKey")
    elsewhere = {"PipelineAccountId": PIPELINES, "ArtifactBucketName": bucket, "ArtifactKeyArn": key}
    found = [
        Stack(
            "template",
            Deployed(
                template=translated(),
                EnvID="dev",
                PermissionsBoundaryArn=BOUNDARY,
                DeployedRoles="Bounded",
                MirrorSecretKmsKeyArn=named.KEY,
                GitLabTokenKmsKeyArn=named.TOKEN_KEY,
                SourceRoleArns=f"{SOURCE_ROLE},{IMAGE_ROLE}",
                ArtifactKeyArns=key,
                ArtifactBucketArns=f"{artifacts.deployed.arn('ArtifactBucket')},{named.SECOND_BUCKET}",
                ApprovalTopicArn=named.APPROVAL_TOPIC,
                FunctionApprovals="NoChanges",
                BuildParameterNames="/build/dev/*",
                BuildSecretNames="build/dev/*",
                BuildImageNames="shop*",
                **named.IN_A_VPC,
            ),
        ),
        deploy(
            "project",
            ProjectID="shop",
            PermissionsBoundaryArn=BOUNDARY,
            attributes={
                "Pipeline.RepositoryArn": f"arn:aws:codecommit:{REGION}:{PIPELINES}:codecommit-dev-cfn-shop"
            },
        ),
        deploy("pipeline", ProjectID="shop"),
        artifacts,
        deploy(
            "cross-account-repository",
            REPOSITORIES,
            RepositoryArns=FOREIGN_REPOSITORY,
            RepositoryKmsKeyArn=KEY_OF_FOREIGN_REPOSITORIES,
            PermissionsBoundaryArn=boundary_of(REPOSITORIES),
            FurtherRoleArns=f"arn:aws:iam::{PIPELINES}:role/role-dev-codepipeline-s3-site",
            **elsewhere,
        ),
        deploy("cross-account-image", IMAGES, PermissionsBoundaryArn=boundary_of(IMAGES), **elsewhere),
        deploy(
            "cross-account-s3",
            ProjectID="site",
            RepositoryAccountId=REPOSITORIES,
            RepositoryName="shop",
            BranchName="development",
            ArtifactBucketName=bucket,
            ArtifactKeyArn=key,
            DeployBucketName=SITE,
            PermissionsBoundaryArn=BOUNDARY,
        ),
        deploy(
            "clone-role",
            REPOSITORIES,
            InstanceAccountId=INSTANCES,
            ExternalId=EXTERNAL_ID,
            VpcEndpointIds=VPC_ENDPOINT,
            RepositoryArns=FOREIGN_REPOSITORY,
            RepositoryKmsKeyArn=KEY_OF_FOREIGN_REPOSITORIES,
            PermissionsBoundaryArn=boundary_of(REPOSITORIES),
        ),
        deploy(
            "clone-instance",
            INSTANCES,
            RepositoryAccountId=REPOSITORIES,
            ExternalId=EXTERNAL_ID,
            PermissionsBoundaryArn=boundary_of(INSTANCES),
        ),
        deploy("deployed-services"),
        deploy("people"),
        deploy("deployment", PermissionsBoundaryArn=BOUNDARY),
        deploy(
            "branch-protection",
            TargetIds=PIPELINES,
            ApproverArns=APPROVER,
            # With the role, as docs/how-to/rights.md demands.
            ExemptPrincipalArns="arn:aws:iam::*:role/emergency,arn:aws:iam::*:role/cfn-gitops-dev-deployment",
        ),
        deploy("repository", ProjectID="site", TriggerFunctionArn=TRIGGERED),
        deploy(
            "notifications",
            ProjectID="shop",
            SlackWorkspaceId="T0123",
            SlackChannelId="C0123",
            TeamId=TEAM,
            TeamsTenantId=TEAM,
            TeamsChannelId="19%3Ashop%40thread.tacv2",
            PermissionsBoundaryArn=BOUNDARY,
            EmailAddress="team@example.com",
        ),
        deploy("replica", region=REPLICA_REGION, ProjectID="shop", SourceRegion=REGION),
        deploy(
            "replication", ProjectID="shop", ReplicaRegion=REPLICA_REGION, PermissionsBoundaryArn=BOUNDARY
        ),
    ]
    return {stack.name: stack for stack in found}


@cache
def world():
    return _world_of(stacks().values())


def world_with(other):
    """The same accounts, with one stack deployed with other parameters."""
    return _world_of([other if stack.name == other.name else stack for stack in stacks().values()])


def _world_of(deployments):
    policies = tuple(policy for stack in deployments for policy in stack.policies())
    buckets, boundaries = (
        [(f"arn:aws:s3:::{SITE}", PIPELINES), (named.SECOND_BUCKET, PIPELINES), (UPLOADS, PIPELINES)],
        [],
    )
    for stack in deployments:
        deployed = stack.deployed
        for name, properties in deployed.everything().items():
            if name in deployed.of_type("AWS::S3::Bucket"):
                buckets.append((deployed.arn(name), deployed.account))
            if "PermissionsBoundary" in properties:
                # A user who sets a boundary has to allow what the stack's principals need.
                boundaries.append((deployed.arn(name), ADMINISTRATOR))
    return World(policies, tuple(buckets), tuple(boundaries))


def templates():
    return [TEMPLATE, *sorted(TEMPLATES.glob("*.yaml"))]
