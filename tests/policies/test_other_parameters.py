"""Effects of other parameters, and the limits that stay."""

import pytest

from tests.policies import rows_across_accounts as across, rows_clone as clone, rows_people as people, scene
from tests.policies.collected import Stack
from tests.policies.rows_limits import ON_BUCKETS
from tests.policies.scene import IMAGES, INSTANCES, PIPELINES, REPOSITORIES, deploy
from tests.policies.tables import ASSUME, anybody, regional, role, user
from tests.templates import named
from tests.templates.deployed import BOUNDARY, DEPLOYED_BOUNDARY, Deployed, translated

DEPLOY = f"{role(PIPELINES, 'role-dev-codedeploy-cfn')} with everything"
DEPLOYED = f"{role(PIPELINES, 'role-dev-thumbnails')} under the boundary"
ADMINISTRATOR = anybody(role(PIPELINES, "administrator"))
UNDER_CONTROL = f"{ADMINISTRATOR} under control"
MERGE_A_PULL_REQUEST = "codecommit:MergePullRequestBySquash"


def environment(**parameters):
    return Stack("template", Deployed(template=translated(), EnvID="dev", **parameters))


_NAMES = {
    "MirrorUserNames": "gitlab-*", "MirrorSecretNames": "gitlab", "RepositoryNames": "team-*",
    "ImageRepositoryNames": "images/*",
}
OTHER_NAMES = environment(PipelineRoleNames="team-pipelines-*", **_NAMES)
BOUNDED_BY_OTHER_NAMES = environment(
    PipelineRoleNames="role-dev-pipelines-*", DeployedRoles="Bounded", ArtifactBucketArns=named.SECOND_BUCKET, **_NAMES)
ANY_SECRET_OF_BUILDS = environment(MirrorSecretNames="gitlab", BuildSecretNames="g*")
OTHER_DEPLOYMENT_BUCKET = environment(DeploymentBucketName="company-templates", DeployedRoles="Bounded")
OTHER_BUCKET = environment(ArtifactBucketArns=named.SECOND_BUCKET)
OWN_ROLES = environment(PipelineRoleNames="role-dev-pipelines-*")


def artifacts(**parameters):
    return deploy("cross-account-artifacts", **parameters)


def repositories(**parameters):
    outputs = {"PipelineAccountId": PIPELINES, "ArtifactBucketName": across.BUCKET.rpartition(":")[2], "ArtifactKeyArn": across.KEY}
    return deploy("cross-account-repository", REPOSITORIES, RepositoryArns=scene.FOREIGN_REPOSITORY, **outputs, **parameters)


def groups(**parameters):
    return deploy("people", **parameters)


def control(**parameters):
    return deploy("branch-protection", **{"TargetIds": PIPELINES, **parameters})


def clone_role(**parameters):
    given = {"InstanceAccountId": INSTANCES, "ExternalId": scene.EXTERNAL_ID, "RepositoryArns": scene.FOREIGN_REPOSITORY}
    return deploy("clone-role", REPOSITORIES, **{**given, **parameters})


NO_PROJECT = environment(ProjectID="")
MERGES = [groups(PullRequestMerges="Allowed"), control(PullRequestMerges="Allowed")]
RELEASES = [groups(ProtectedBranches="main,release/*"), control(ProtectedBranches="main,release/*")]
OTHER_MIRROR = [groups(MirrorUserNames="gitlab-*"), control(MirrorUserNames="gitlab-*")]
WHO_IS_BOUND = [people.STRONG_POWER_USER, UNDER_CONTROL]


def each(stacks, *row):
    """The same for the groups' protection and for the account's."""
    return [(stack, who, *row) for stack, who in zip(stacks, WHO_IS_BOUND, strict=True)]


MAY = [
    *each(MERGES, MERGE_A_PULL_REQUEST, people.REPOSITORY, people.PROTECTED[0]),
    *each(RELEASES, "codecommit:GitPush", people.REPOSITORY, people.on("refs/heads/development")),
    (OTHER_MIRROR[1], f"{anybody(user(PIPELINES, 'gitlab-shop'))} under control", "codecommit:GitPush", people.REPOSITORY, people.PROTECTED[0]),
    # Without a named endpoint, every network is allowed.
    (clone_role(), clone.CLONE_ROLE, "codecommit:GitPull", scene.FOREIGN_REPOSITORY, {}),
]

# Permissions that do not depend on the parameters.
STILL = [
    # One of the two other accounts is enough for a stack.
    (artifacts(RepositoryAccountId=REPOSITORIES), scene.SOURCE_ROLE, "s3:PutObject", across.ARTIFACT, across.UNDER_THE_KEY),
    (artifacts(ImageAccountId=IMAGES), scene.IMAGE_ROLE, "s3:PutObject", across.IMAGE_ARTIFACT, across.UNDER_THE_KEY),
    # An environment without a first project serves the other projects.
    (NO_PROJECT, role(PIPELINES, "role-dev-cfn-gitops"), "iam:CreateServiceSpecificCredential", user(PIPELINES, "user-dev-shop-mirror"), people.FOR_CODECOMMIT),
    (NO_PROJECT, role(PIPELINES, "role-dev-codepipeline-cfn"), "codecommit:GetBranch", regional("codecommit", "codecommit-dev-cfn-shop"), {}),
]

MAY_NOT = [
    # Whether merges are allowed or not, a push and a change of the approval rules are denied.
    *each(MERGES, "codecommit:GitPush codecommit:MergeBranchesBySquash", people.REPOSITORY, people.PROTECTED[0]),
    *each(MERGES, people.LIFT_RULES, people.REPOSITORY, {}),
    *each(RELEASES, "codecommit:GitPush codecommit:DeleteBranch", people.REPOSITORY, people.on("refs/heads/release/1.2")),
    *each(RELEASES, "codecommit:GitPush", people.REPOSITORY, people.on("refs/heads/main")),
    *each(OTHER_MIRROR, "iam:CreateServiceSpecificCredential", user(PIPELINES, "gitlab-shop"), {}),
    (OTHER_MIRROR[1], f"{people.MIRRORS[0]} under control", "codecommit:GitPush", people.REPOSITORY, people.PROTECTED[0]),
    # Without a named principal, no principal is exempt.
    (control(), f"{anybody(role(PIPELINES, 'emergency'))} under control", "codecommit:GitPush", people.REPOSITORY, people.PROTECTED[0]),
    # The external ID is required in every network.
    (clone_role(), clone.INSTANCE_ROLE, ASSUME, clone.CLONE_ROLE, {}),
    (clone_role(), clone.CLONE_ROLE, "codecommit:GitPush", scene.FOREIGN_REPOSITORY, {}),
    # An account that is not named has no access.
    (artifacts(RepositoryAccountId=REPOSITORIES), scene.IMAGE_ROLE, "s3:PutObject", across.IMAGE_ARTIFACT, across.UNDER_THE_KEY),
    (artifacts(RepositoryAccountId=REPOSITORIES), scene.IMAGE_ROLE, "kms:Decrypt", across.KEY, across.THROUGH_S3),
    (artifacts(RepositoryAccountId=REPOSITORIES), across.IMAGE_FORWARD_ROLE, "events:PutEvents", across.BUS, across.AN_IMAGE),
    (artifacts(ImageAccountId=IMAGES), scene.SOURCE_ROLE, "s3:PutObject", across.ARTIFACT, across.UNDER_THE_KEY),
    (artifacts(ImageAccountId=IMAGES), scene.SOURCE_ROLE, "kms:Decrypt", across.KEY, across.THROUGH_S3),
    (artifacts(ImageAccountId=IMAGES), across.FORWARD_ROLE, "events:PutEvents", across.BUS, across.A_PUSH),
    # And if none is named any more, the retained resources admit no account.
    *[(artifacts(), who, "s3:PutObject s3:PutObjectAcl", key, across.UNDER_THE_KEY)
      for who, key in ((scene.SOURCE_ROLE, across.ARTIFACT), (scene.IMAGE_ROLE, across.IMAGE_ARTIFACT))],
    *[(artifacts(), who, across.USE_OF_THE_KEY, across.KEY, across.THROUGH_S3) for who in (scene.SOURCE_ROLE, scene.IMAGE_ROLE)],
    (artifacts(), across.FORWARD_ROLE, "events:PutEvents", across.BUS, across.A_PUSH),
    # Repositories without a key of their own need no key.
    (repositories(), scene.SOURCE_ROLE, "kms:Decrypt", across.REPOSITORIES_KEY, across.THROUGH_CODECOMMIT),
    # An environment without another account in its parameters reaches none.
    *[
        (environment(), role(PIPELINES, name), actions, resource, keys)
        for name in ("role-dev-codepipeline-cfn", "role-dev-codebuild-cfn", "role-dev-codedeploy-cfn", "role-dev-cfn-gitops")
        for actions, resource, keys in (
            (ASSUME, scene.SOURCE_ROLE, {}),
            ("s3:GetObject s3:PutObject", across.ARTIFACT, across.UNDER_THE_KEY),
            ("kms:Decrypt kms:GenerateDataKey", across.KEY, across.THROUGH_S3),
        )
    ],
    # Without a boundary no role is created, with any added policies.
    *[
        (environment(), DEPLOY, "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy", role(PIPELINES, "role-dev-thumbnails"), keys)
        for keys in ({}, {"iam:PermissionsBoundary": BOUNDARY}, {"iam:PermissionsBoundary": DEPLOYED_BOUNDARY}, {"iam:PermissionsBoundary": ""})
    ],
    # A build reads no secret and no parameter that no parameter names, and no mirror's secret in any case.
    (environment(), role(PIPELINES, "role-dev-codebuild-cfn"), "secretsmanager:GetSecretValue", regional("secretsmanager", "secret:build/dev/registry-AbC123"), {}),
    (environment(), role(PIPELINES, "role-dev-codebuild-cfn"), "ssm:GetParameters", regional("ssm", "parameter/build/dev/licence"), {}),
    (ANY_SECRET_OF_BUILDS, role(PIPELINES, "role-dev-codebuild-cfn"), "secretsmanager:GetSecretValue", regional("secretsmanager", "secret:gitlab-AbC123"), {}),
    # And roles that they create with it reach the machinery by no other name.
    *[
        (BOUNDED_BY_OTHER_NAMES, DEPLOYED, actions, resource, {})
        for actions, resource in (
            *[("secretsmanager:GetSecretValue secretsmanager:PutSecretValue", regional("secretsmanager", f"secret:{name}")) for name in ("gitlab", "gitlab-AbC123")],
            ("codecommit:CreateCommit codecommit:GitPush", regional("codecommit", "team-a")),
            ("ecr:PutImage ecr:SetRepositoryPolicy", regional("ecr", "repository/images/shop")),
            ("iam:PassRole", role(PIPELINES, "role-dev-pipelines-build")),
            *[(f"{ON_BUCKETS} s3:PutBucketPolicy", arn) for arn in (named.SECOND_BUCKET, f"{named.SECOND_BUCKET}/a")],
        )
    ],
    # The machinery, by the names in its parameters.
    *[
        (OTHER_NAMES, DEPLOY, actions, resource, {})
        for actions, resource in (
            ("iam:CreateServiceSpecificCredential iam:CreateAccessKey", user(PIPELINES, "gitlab-a")),
            *[("secretsmanager:GetSecretValue secretsmanager:PutSecretValue", regional("secretsmanager", f"secret:{name}"))
              for name in ("gitlab", "gitlab-AbC123", "codecommit-mirror/user-dev-shop-mirror-AbC123")],
            *[("codecommit:CreateCommit codecommit:DeleteRepository codecommit:GitPush", regional("codecommit", name))
              for name in ("team-a", "codecommit-dev-cfn-shop")],
            ("ecr:PutImage ecr:SetRepositoryPolicy", regional("ecr", "repository/images/shop")),
            *[("iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:PassRole", role(PIPELINES, name))
              for name in ("team-pipelines-build", "role-dev-codebuild-cfn")],
        )
    ],
    *[(OTHER_BUCKET, DEPLOY, f"{ON_BUCKETS} s3:PutBucketPolicy s3:DeleteBucket", arn, {})
      for arn in (named.SECOND_BUCKET, f"{named.SECOND_BUCKET}/codepipeline-dev-cfn/Source/a")],
    # The bucket that a user of another --s3-bucket names.
    *[(OTHER_DEPLOYMENT_BUCKET, who, f"{ON_BUCKETS} s3:PutBucketPolicy", f"arn:aws:s3:::company-templates{key}", {})
      for who in (DEPLOY, DEPLOYED) for key in ("", "/cfn-gitops-dev/0a1b2c")],
    (OWN_ROLES, DEPLOY, "iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:PassRole", role(PIPELINES, "role-dev-pipelines-build"), {}),
]


def name(row):
    stack, who, actions, resource, keys = row
    return f"{stack.name}: {who} {actions.split()[0]}... {resource} {keys}"


@pytest.mark.parametrize(("stack", "caller", "actions", "resource", "keys"), [*MAY, *STILL], ids=map(name, [*MAY, *STILL]))
def test_parameter_allows_the_call(stack, caller, actions, resource, keys):
    world = scene.world_with(stack)
    assert [action for action in actions.split() if not world.may(caller, action, resource, keys)] == []


@pytest.mark.parametrize(("stack", "caller", "actions", "resource", "keys"), MAY_NOT, ids=map(name, MAY_NOT))
def test_call_is_denied_with_any_parameter(stack, caller, actions, resource, keys):
    world = scene.world_with(stack)
    assert [action for action in actions.split() if world.may(caller, action, resource, keys)] == []


@pytest.mark.parametrize("row", MAY, ids=map(name, MAY))
def test_call_is_denied_without_the_parameter(row):
    _, caller, actions, resource, keys = row
    assert [action for action in actions.split() if scene.world().may(caller, action, resource, keys)] == []
