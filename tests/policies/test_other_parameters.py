"""Effects of other parameters, and the limits that stay."""

from functools import cache, partial

import pytest

from tests.policies import rows_across_accounts as across
from tests.policies import rows_clone as clone
from tests.policies import rows_people as people
from tests.policies import scene
from tests.policies.collected import Stack, statements
from tests.policies.rows_deployed_roles import DEPLOYED
from tests.policies.rows_limits import DEPLOY, ON_BUCKETS
from tests.policies.rows_people import UNDER_CONTROL
from tests.policies.scene import IMAGES, INSTANCES, PIPELINES, REPOSITORIES, deploy
from tests.policies.tables import (
    ASSUME,
    BUILD_ROLE,
    DEPLOY_ROLE,
    FIRST_MIRROR,
    FUNCTION_ROLE,
    PIPELINE_ROLE,
    PROVISIONING_ROLE,
    REVIEW_ROLE,
    anybody,
    group,
    regional,
    role,
    user,
)
from tests.templates import named
from tests.templates.deployed import BOUNDARY, DEPLOYED_BOUNDARY, Deployed, as_list, translated
from tests.templates.named import SERVICES_OF_PIPELINES, VIA_SECRETS_MANAGER, passed_to

MERGE_A_PULL_REQUEST = "codecommit:MergePullRequestBySquash"


@cache
def environment(**parameters):
    return Stack("template", Deployed(template=translated(), EnvID="dev", **parameters))


_NAMES = {
    "MirrorUserNames": "gitlab-*",
    "MirrorSecretNames": "gitlab",
    "RepositoryNames": "team-*",
    "ImageRepositoryNames": "images/*",
}
OTHER_NAMES = environment(PipelineRoleNames="team-pipelines-*", **_NAMES)
BOUNDED_BY_OTHER_NAMES = environment(
    PipelineRoleNames="role-dev-pipelines-*", DeployedRoles="Bounded", **_NAMES
)
ANY_SECRET_OF_BUILDS = environment(MirrorSecretNames="gitlab", BuildSecretNames="g*")
OTHER_DEPLOYMENT_BUCKET = environment(DeploymentBucketName="company-templates", DeployedRoles="Bounded")
OWN_ROLES = environment(PipelineRoleNames="role-dev-pipelines-*")
GIVEN_BOUNDARY = f"arn:aws:iam::{PIPELINES}:policy/given"
WITH_GIVEN_BOUNDARY = environment(PermissionsBoundaryArn=BOUNDARY, DeployedRolesBoundaryArn=GIVEN_BOUNDARY)
# A boundary that CloudFormation named after a pipeline's stack.
OWN_BOUNDARY = f"arn:aws:iam::{PIPELINES}:policy/cfnstack-dev-shop-Boundary-1A2B3C"
# Only the machinery has a boundary.
NO_DEPLOYED_ROLES = environment(PermissionsBoundaryArn=BOUNDARY)
NEW_ROLE, NEW_ROLES_CALLS = (
    role(PIPELINES, "role-dev-thumbnails"),
    "iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy",
)


artifacts, groups = partial(deploy, "cross-account-artifacts"), partial(deploy, "people")
WITHOUT_A_KEY = deploy(
    "cross-account-repository",
    REPOSITORIES,
    RepositoryArns=scene.FOREIGN_REPOSITORY,
    PipelineAccountId=PIPELINES,
    ArtifactBucketName=across.BUCKET.rpartition(":")[2],
    ArtifactKeyArn=across.KEY,
)


def control(**parameters):
    return deploy("branch-protection", **{"TargetIds": PIPELINES, **parameters})


def clone_role(**parameters):
    given = {
        "InstanceAccountId": INSTANCES,
        "ExternalId": scene.EXTERNAL_ID,
        "RepositoryArns": scene.FOREIGN_REPOSITORY,
    }
    return deploy("clone-role", REPOSITORIES, **{**given, **parameters})


NO_PROJECT = environment(ProjectID="")
MERGES = [groups(PullRequestMerges="Allowed"), control(PullRequestMerges="Allowed")]
RELEASES = [groups(ProtectedBranches="main,release/*"), control(ProtectedBranches="main,release/*")]
OTHER_MIRROR = [groups(MirrorUserNames="gitlab-*"), control(MirrorUserNames="gitlab-*")]
EXACT_SECRET = [groups(MirrorSecretNames="gitlab"), control(MirrorSecretNames="gitlab")]
# Another environment, whose groups have its name.
THIRD = [groups(EnvID="tst", ProtectedBranches="staging"), control(EnvID="tst", ProtectedBranches="staging")]
OF_THE_THIRD = [
    f"{user(PIPELINES, 'alice')} in {group('group-tst-power-users')} with everything",
    UNDER_CONTROL,
]
TEAMS = groups(RepositoryNames="team-*")
WHO_IS_BOUND = [people.STRONG_POWER_USER, UNDER_CONTROL]


def in_repository(name, *more):
    """The calls of the function, of a mirror's user, of a pipeline and of a review for a repository."""
    return [
        (*more, who, action, regional("codecommit", name), {})
        for who, action in (
            (FUNCTION_ROLE, "codecommit:GetRepository codecommit:GetBranch"),
            (FIRST_MIRROR, "codecommit:GitPush"),
            (PIPELINE_ROLE, "codecommit:UploadArchive"),
            (REVIEW_ROLE, "codecommit:GitPull"),
        )
    ]


def of_secret(name):
    """The function's read of a secret, and its use of the secret's key."""
    arn = regional("secretsmanager", f"secret:{name}")
    return [
        (OTHER_NAMES, FUNCTION_ROLE, "secretsmanager:GetSecretValue", arn, {}),
        (
            OTHER_NAMES,
            FUNCTION_ROLE,
            "kms:Decrypt",
            named.KEY,
            VIA_SECRETS_MANAGER | {"kms:EncryptionContext:SecretARN": arn},
        ),
    ]


def each(stacks, *row, bound=WHO_IS_BOUND):
    """The same for the groups' protection and for the account's."""
    return [(stack, who, *row) for stack, who in zip(stacks, bound, strict=True)]


def of_a_source(source_role, artifact, forward_role, event):
    """The calls of another account's roles in the account of the pipelines."""
    return [
        (source_role, "s3:PutObject s3:PutObjectAcl", artifact, across.UNDER_THE_KEY),
        (source_role, across.USE_OF_THE_KEY, across.KEY, across.THROUGH_S3),
        (forward_role, "events:PutEvents", across.BUS, event),
    ]


OF_THE_REPOSITORY = of_a_source(scene.SOURCE_ROLE, across.ARTIFACT, across.FORWARD_ROLE, across.A_PUSH)
OF_THE_IMAGE = of_a_source(
    scene.IMAGE_ROLE, across.IMAGE_ARTIFACT, across.IMAGE_FORWARD_ROLE, across.AN_IMAGE
)


def approves(name, kind=role):
    """An approval under the control policy without named approvers."""
    return (
        control(),
        f"{anybody(kind(PIPELINES, name))} under control",
        people.APPROVE,
        people.APPROVALS[0],
        {},
    )


MAY = [
    *each(MERGES, MERGE_A_PULL_REQUEST, people.REPOSITORY, people.PROTECTED[0]),
    *each(RELEASES, "codecommit:GitPush", people.REPOSITORY, people.on("refs/heads/development")),
    *each(
        OTHER_MIRROR,
        "codecommit:GitPush",
        people.REPOSITORY,
        people.PROTECTED[0],
        bound=[
            f"{user(PIPELINES, 'gitlab-shop')} in {group('group-dev-power-users')}",
            f"{anybody(user(PIPELINES, 'gitlab-shop'))} under control",
        ],
    ),
    *[approves(name) for name in (people.PERMISSION_SET, people.PERMISSION_SET.replace("eu-west-1/", ""))],
    (TEAMS, people.POWER_USER, "codecommit:GitPush", regional("codecommit", "team-a"), people.FREE[0]),
    *in_repository("team-a", OTHER_NAMES),
    (OTHER_NAMES, FUNCTION_ROLE, "iam:TagUser", user(PIPELINES, "gitlab-a"), {}),
    (
        OTHER_NAMES,
        FUNCTION_ROLE,
        "secretsmanager:CreateSecret",
        regional("secretsmanager", "secret:gitlab"),
        {},
    ),
    *of_secret("gitlab-AbC123"),
    *[
        (
            OTHER_NAMES,
            PROVISIONING_ROLE,
            "iam:PassRole",
            role(PIPELINES, "team-pipelines-a"),
            passed_to(service),
        )
        for service in SERVICES_OF_PIPELINES
    ],
    (
        WITH_GIVEN_BOUNDARY,
        DEPLOY_ROLE,
        "iam:CreateRole",
        NEW_ROLE,
        {"iam:PermissionsBoundary": GIVEN_BOUNDARY},
    ),
    # Without a boundary, people who deploy can give the environment's roles any permission.
    # Without a named endpoint, every network is allowed.
    (clone_role(), clone.CLONE_ROLE, "codecommit:GitPull", scene.FOREIGN_REPOSITORY, {}),
]

# Permissions that do not depend on the parameters.
STILL = [
    *each(
        THIRD,
        people.CHANGE_A_BRANCH,
        regional("codecommit", "codecommit-tst-cfn-shop"),
        people.PROTECTED[0],
        bound=OF_THE_THIRD,
    ),
    # One of the two other accounts is enough for a stack.
    *[(artifacts(RepositoryAccountId=REPOSITORIES), *call) for call in OF_THE_REPOSITORY],
    *[(artifacts(ImageAccountId=IMAGES), *call) for call in OF_THE_IMAGE],
    # An environment without a first project serves the other projects.
    (NO_PROJECT, FUNCTION_ROLE, "iam:CreateServiceSpecificCredential", people.MIRROR, people.FOR_CODECOMMIT),
    (NO_PROJECT, PIPELINE_ROLE, "codecommit:GetBranch", people.REPOSITORY, {}),
    # The first project works with every value of RepositoryNames.
    *in_repository("codecommit-dev-cfn-infra", OTHER_NAMES),
]

MAY_NOT = [
    # Whether merges are allowed or not, a push and a change of the approval rules are denied.
    *each(
        MERGES, "codecommit:GitPush codecommit:MergeBranchesBySquash", people.REPOSITORY, people.PROTECTED[0]
    ),
    *each(MERGES, people.LIFT_RULES, people.REPOSITORY, {}),
    *each(
        RELEASES,
        "codecommit:GitPush codecommit:DeleteBranch",
        people.REPOSITORY,
        people.on("refs/heads/release/1.2"),
    ),
    *each(RELEASES, "codecommit:GitPush", people.REPOSITORY, people.on("refs/heads/main")),
    *each(OTHER_MIRROR, "iam:CreateServiceSpecificCredential", user(PIPELINES, "gitlab-shop"), {}),
    (
        OTHER_MIRROR[1],
        f"{people.MIRRORS[0]} under control",
        "codecommit:GitPush",
        people.REPOSITORY,
        people.PROTECTED[0],
    ),
    # Without a named principal, no principal is exempt.
    (
        control(),
        f"{anybody(role(PIPELINES, 'emergency'))} under control",
        "codecommit:GitPush",
        people.REPOSITORY,
        people.PROTECTED[0],
    ),
    *each(
        THIRD,
        people.CHANGE_A_BRANCH,
        regional("codecommit", "codecommit-tst-cfn-shop"),
        people.on("refs/heads/staging"),
        bound=OF_THE_THIRD,
    ),
    # A secret's ARN ends in a hyphen and six random characters.
    *[
        row
        for end in ("", "-AbC123")
        for row in each(
            EXACT_SECRET, people.READ_A_PASSWORD, regional("secretsmanager", f"secret:gitlab{end}"), {}
        )
    ],
    # Without named approvers, only the permission set's role approves, and only Identity Center changes that
    # role.
    *[
        approves(name)
        for name in (
            "administrator",
            people.PERMISSION_SET.rpartition("/")[2],
            people.PERMISSION_SET.replace("dev", "prd"),
            people.PERMISSION_SET.replace("dev", "dev2"),
            people.PERMISSION_SET.replace("dev-approvers", "AdministratorAccess"),
        )
    ],
    *[approves(name, user) for name in ("olivia", people.PERMISSION_SET)],
    (control(), UNDER_CONTROL, people.BECOME_A_ROLE, role(PIPELINES, people.PERMISSION_SET), {}),
    (TEAMS, people.POWER_USER, "codecommit:GitPush", regional("codecommit", "team-a"), people.PROTECTED[0]),
    (TEAMS, people.POWER_USER, f"{people.READ} codecommit:GitPush", people.REPOSITORY, people.FREE[0]),
    # The external ID is required in every network.
    (clone_role(), clone.INSTANCE_ROLE, ASSUME, clone.CLONE_ROLE, {}),
    (clone_role(), clone.CLONE_ROLE, "codecommit:GitPush", scene.FOREIGN_REPOSITORY, {}),
    # An account that is not named has no access.
    *[(artifacts(RepositoryAccountId=REPOSITORIES), *call) for call in OF_THE_IMAGE],
    *[(artifacts(ImageAccountId=IMAGES), *call) for call in OF_THE_REPOSITORY],
    # And if none is named any more, the retained resources admit no account.
    *[(artifacts(), *call) for call in (*OF_THE_REPOSITORY, *OF_THE_IMAGE)],
    # Repositories without a key of their own need no key.
    (WITHOUT_A_KEY, scene.SOURCE_ROLE, "kms:Decrypt", across.REPOSITORIES_KEY, across.THROUGH_CODECOMMIT),
    # An environment without another account in its parameters reaches none.
    *[
        (environment(), role(PIPELINES, name), actions, resource, keys)
        for name in (
            "role-dev-codepipeline-cfn",
            "role-dev-codebuild-cfn",
            "role-dev-codedeploy-cfn",
            "role-dev-cfn-gitops",
        )
        for actions, resource, keys in (
            (ASSUME, scene.SOURCE_ROLE, {}),
            ("s3:GetObject s3:PutObject", across.ARTIFACT, across.UNDER_THE_KEY),
            ("kms:Decrypt kms:GenerateDataKey", across.KEY, across.THROUGH_S3),
        )
    ],
    # Without a boundary no role is created, with any added policies.
    *[
        (stack, DEPLOY, NEW_ROLES_CALLS, NEW_ROLE, keys)
        for stack in (environment(), NO_DEPLOYED_ROLES)
        for keys in (
            {},
            {"iam:PermissionsBoundary": BOUNDARY},
            {"iam:PermissionsBoundary": DEPLOYED_BOUNDARY},
            {"iam:PermissionsBoundary": ""},
        )
    ],
    *[
        (WITH_GIVEN_BOUNDARY, DEPLOY, NEW_ROLES_CALLS, NEW_ROLE, {"iam:PermissionsBoundary": boundary})
        for boundary in (BOUNDARY, DEPLOYED_BOUNDARY)
    ],
    (
        environment(DeployedRolesBoundaryArn=OWN_BOUNDARY),
        DEPLOY,
        "iam:CreatePolicyVersion iam:DeletePolicy",
        OWN_BOUNDARY,
        {},
    ),
    (environment(), PIPELINE_ROLE, "sns:Publish", named.APPROVAL_TOPIC, {}),
    # Without a key, the function decrypts its own secrets.
    (
        environment(),
        FUNCTION_ROLE,
        "kms:Decrypt kms:Encrypt kms:GenerateDataKey",
        named.KEY,
        VIA_SECRETS_MANAGER,
    ),
    # Names outside of the parameters. A secret's full name has six more characters, neither seven nor another
    # word.
    *in_repository("codecommit-dev-website", OTHER_NAMES),
    (OTHER_NAMES, FUNCTION_ROLE, named.CREDENTIALS, FIRST_MIRROR, {}),
    *[row for name in ("gitlab-AbC1234", "gitlab-token-AbC123") for row in of_secret(name)],
    (OTHER_NAMES, FIRST_MIRROR, "codecommit:GitPush", people.REPOSITORY, {}),
    *[
        (
            OTHER_NAMES,
            PROVISIONING_ROLE,
            "iam:PassRole",
            role(PIPELINES, "role-dev-codepipeline-cfn"),
            passed_to(service),
        )
        for service in SERVICES_OF_PIPELINES
    ],
    # A build reads no secret and no parameter that no parameter names, and no mirror's secret in any case.
    *[
        (environment(), BUILD_ROLE, actions, resource, {})
        for actions, resource in (
            ("secretsmanager:GetSecretValue", regional("secretsmanager", "secret:build/dev/registry-AbC123")),
            ("ssm:GetParameters", regional("ssm", "parameter/build/dev/licence")),
            ("ecr:GetAuthorizationToken", "*"),
            ("ecr:InitiateLayerUpload ecr:PutImage", regional("ecr", "repository/ecr-dev-shop")),
        )
    ],
    (
        ANY_SECRET_OF_BUILDS,
        BUILD_ROLE,
        "secretsmanager:GetSecretValue",
        regional("secretsmanager", "secret:gitlab-AbC123"),
        {},
    ),
    # And roles that they create with it reach the machinery by no other name.
    *[
        (BOUNDED_BY_OTHER_NAMES, DEPLOYED, actions, resource, {})
        for actions, resource in (
            *[
                (
                    "secretsmanager:GetSecretValue secretsmanager:PutSecretValue",
                    regional("secretsmanager", f"secret:{name}"),
                )
                for name in ("gitlab", "gitlab-AbC123")
            ],
            ("codecommit:CreateCommit codecommit:GitPush", regional("codecommit", "team-a")),
            ("ecr:PutImage ecr:SetRepositoryPolicy", regional("ecr", "repository/images/shop")),
            ("iam:PassRole", role(PIPELINES, "role-dev-pipelines-build")),
        )
    ],
    # The machinery, by the names in its parameters.
    *[
        (OTHER_NAMES, DEPLOY, actions, resource, {})
        for actions, resource in (
            ("iam:CreateServiceSpecificCredential iam:CreateAccessKey", user(PIPELINES, "gitlab-a")),
            *[
                (
                    "secretsmanager:GetSecretValue secretsmanager:PutSecretValue",
                    regional("secretsmanager", f"secret:{name}"),
                )
                for name in ("gitlab", "gitlab-AbC123", "codecommit-mirror/user-dev-shop-mirror-AbC123")
            ],
            *[
                (
                    "codecommit:CreateCommit codecommit:DeleteRepository codecommit:GitPush",
                    regional("codecommit", name),
                )
                for name in ("team-a", "codecommit-dev-cfn-shop")
            ],
            ("ecr:PutImage ecr:SetRepositoryPolicy", regional("ecr", "repository/images/shop")),
            *[
                ("iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:PassRole", role(PIPELINES, name))
                for name in ("team-pipelines-build", "role-dev-codebuild-cfn")
            ],
        )
    ],
    # The bucket that a user of another --s3-bucket names.
    *[
        (
            OTHER_DEPLOYMENT_BUCKET,
            who,
            f"{ON_BUCKETS} s3:PutBucketPolicy",
            f"arn:aws:s3:::company-templates{key}",
            {},
        )
        for who in (DEPLOY, DEPLOYED)
        for key in ("", "/cfn-gitops-dev/0a1b2c")
    ],
    (
        OWN_ROLES,
        DEPLOY,
        "iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:PassRole",
        role(PIPELINES, "role-dev-pipelines-build"),
        {},
    ),
]


evaluated = cache(scene.world_with)


def name(row):
    stack, who, actions, resource, keys = row
    return f"{stack.name}: {who} {actions.split()[0]}... {resource} {keys}"


# claim: name-parameters-limit-the-function
@pytest.mark.parametrize(
    ("stack", "caller", "actions", "resource", "keys"), [*MAY, *STILL], ids=map(name, [*MAY, *STILL])
)
def test_parameter_allows_the_call(stack, caller, actions, resource, keys):
    world = evaluated(stack)
    assert [action for action in actions.split() if not world.may(caller, action, resource, keys)] == []


# claim: name-parameters-limit-the-function
# claim: no-role-is-created-without-a-boundary
# claim: roles-of-pipelines-never-have-the-machinerys-boundary
@pytest.mark.parametrize(("stack", "caller", "actions", "resource", "keys"), MAY_NOT, ids=map(name, MAY_NOT))
def test_call_is_denied_with_any_parameter(stack, caller, actions, resource, keys):
    world = evaluated(stack)
    assert [action for action in actions.split() if world.may(caller, action, resource, keys)] == []


@pytest.mark.parametrize("row", MAY, ids=map(name, MAY))
def test_call_is_denied_without_the_parameter(row):
    _, caller, actions, resource, keys = row
    assert [action for action in actions.split() if scene.world().may(caller, action, resource, keys)] == []


def test_function_has_no_statement_for_an_empty_parameter():
    """Neither an Allow nor a Deny: without a VPC or a key, its resource would be empty. Decryption needs no
    parameter."""
    its = [
        statement
        for policy in environment().policies()
        if FUNCTION_ROLE in policy.principals
        for statement in statements(policy)
    ]
    actions = {action for statement in its for action in as_list(statement["Action"])}
    assert {action for action in actions if action.startswith(("ec2:", "kms:"))} == {"kms:Decrypt"}
