"""template.yaml and templates/project.yaml: trust policies, the bucket, and the callers of the function.

rows_rights.py has the permissions of the environment's own roles and users.
"""

from tests.policies.scene import PIPELINES, UNNAMED
from tests.policies.tables import (
    ADMINISTRATOR,
    BUCKET,
    BUILD_ROLE,
    BUILDS,
    DEPLOY_ROLE,
    EVENTS,
    FIRST_REPOSITORY,
    FUNCTION,
    LAMBDA,
    MIRROR,
    PASSWORD,
    PIPELINE_ROLE,
    REPOSITORY,
    REVIEW_ROLE,
    collected,
    lent_to_a_service,
    regional,
    role,
)
from tests.templates.deployed import REGION
from tests.templates.named import A_BUILD, ANOTHER_BUILD, AS_A_BUILD

ARTIFACT = f"{BUCKET}/codepipeline-dev-cfn/Source/a"


def _rule(name, account=PIPELINES, region=REGION):
    return regional("events", f"rule/{name}", account, region)


def _project(name):
    return regional("codebuild", f"project/{name}")


def _roles_for(service, *names):
    return collected(
        *[lent_to_a_service(service, role(PIPELINES, name), PIPELINES, demands=()) for name in names]
    )


_EXEC = "event-rule-dev-codepipeline-exec-cfn-shop"
_RULES_OF_OTHERS = [
    *[
        _rule(name)
        for name in (_EXEC.replace("dev", "dev2"), _EXEC.replace("dev", "prd"), "event-rule-dev-nightly")
    ],
    _rule(_EXEC, UNNAMED),
    _rule(_EXEC, region="us-east-1"),
]

_GENERATED_MAY, _GENERATED_MAY_NOT = collected(
    _roles_for(LAMBDA, "role-dev-cfn-gitops", "role-dev-cfn-gitops-read"),
    _roles_for("cloudformation.amazonaws.com", "role-dev-codedeploy-cfn", "role-dev-cfn-gitops-provisioning"),
    _roles_for("codepipeline.amazonaws.com", "role-dev-codepipeline-cfn"),
    lent_to_a_service(
        BUILDS,
        BUILD_ROLE,
        PIPELINES,
        _project("codebuild-dev-cfn-shop"),
        others=[
            _project("codebuild-dev2-cfn-shop"),
            _project("codebuild-prd-cfn-shop"),
            _project("codebuild-dev-replication-shop"),
            _project("codebuild-dev-review-shop"),
        ],
    ),
    lent_to_a_service(
        BUILDS,
        REVIEW_ROLE,
        PIPELINES,
        _project("codebuild-dev-review-shop"),
        others=[
            _project("codebuild-dev2-review-shop"),
            _project("codebuild-prd-review-shop"),
            _project("codebuild-dev-cfn-shop"),
            _project("codebuild-dev-replication-shop"),
            _project("codebuild-dev-review"),
        ],
    ),
    lent_to_a_service(
        EVENTS,
        role(PIPELINES, "role-dev-eventbridge-codepipeline-exec"),
        PIPELINES,
        _rule(_EXEC),
        others=_RULES_OF_OTHERS,
    ),
    # The image's rule starts the same pipeline, and that of review branches their builds.
    *[
        lent_to_a_service(
            EVENTS,
            role(PIPELINES, "role-dev-eventbridge-codepipeline-exec"),
            PIPELINES,
            _rule(f"event-rule-dev-codepipeline-exec-{kind}-shop"),
        )
        for kind in ("ecr", "rev")
    ],
    lent_to_a_service(EVENTS, FUNCTION, PIPELINES, _rule(_EXEC), "lambda:InvokeFunction", _RULES_OF_OTHERS),
    *[
        lent_to_a_service(
            EVENTS, FUNCTION, PIPELINES, _rule(f"event-rule-dev-cfn-gitops-{name}"), "lambda:InvokeFunction"
        )
        for name in ("health", "report", "review")
    ],
    # The secret names the owner of its rotation.
    lent_to_a_service("secretsmanager.amazonaws.com", FUNCTION, PIPELINES, action="lambda:InvokeFunction"),
)

_PULL_AND_PUSH = "codecommit:GitPull codecommit:GitPush"


_OF_AN_OBJECT = "s3:GetObject s3:PutObject s3:DeleteObject s3:DeleteObjectVersion"
_OF_THE_BUCKET = "s3:ListBucket s3:GetBucketPolicy s3:PutBucketPolicy s3:DeleteBucket"
_SECRET_OF_BUILDS = regional("secretsmanager", "secret:build/dev/registry-AbC123")
_PARAMETER_OF_BUILDS = regional("ssm", "parameter/build/dev/licence")
# BuildImageNames is shop* in the scene.
_IMAGES_OF_BUILDS = regional("ecr", "repository/ecr-dev-shop")
_PUSH_OF_AN_IMAGE = (
    "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:InitiateLayerUpload "
    "ecr:PutImage ecr:UploadLayerPart"
)


def inputs_and_outputs_of_a_build(bucket, put_keys=None):
    """The calls of one build in an artifact bucket. `put_keys` are the condition keys of an upload."""
    return [
        (BUILD_ROLE, "s3:GetBucketAcl s3:GetBucketLocation", bucket, AS_A_BUILD),
        *[
            (
                BUILD_ROLE,
                "s3:GetObject s3:GetObjectVersion",
                f"{bucket}/codepipeline-dev-cfn/{name}/Xa3bC4d",
                AS_A_BUILD,
            )
            for name in ("SourceArti", "ImageArtif")
        ],
        (
            BUILD_ROLE,
            "s3:PutObject",
            f"{bucket}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
            {**AS_A_BUILD, **(put_keys or {})},
        ),
        (BUILD_ROLE, "s3:PutObject", f"{bucket}/code/{A_BUILD}/0a1b2c", {**AS_A_BUILD, **(put_keys or {})}),
    ]


def what_is_not_the_builds(bucket):
    """A build that knows every key: other builds' packages, the source action's artifacts, and the list of
    keys."""
    touch = "s3:PutObject s3:GetObject s3:GetObjectVersion s3:DeleteObject s3:PutObjectAcl s3:RestoreObject"
    return [
        (BUILD_ROLE, "s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads", bucket, AS_A_BUILD),
        *[
            (BUILD_ROLE, touch, f"{bucket}/{key}", AS_A_BUILD)
            for key in (
                f"code/{ANOTHER_BUILD}/0a1b2c",
                f"code/{A_BUILD}2/0a1b2c",
                "code/0a1b2c",
                f"{A_BUILD}/0a1b2c",
                "0a1b2c.zip",
            )
        ],
        (BUILD_ROLE, touch, f"{bucket}/code/{A_BUILD}/0a1b2c", {"aws:userid": ANOTHER_BUILD}),
        (BUILD_ROLE, touch, f"{bucket}/code/{A_BUILD}/0a1b2c", {}),
        (
            BUILD_ROLE,
            "s3:DeleteObject s3:GetObject s3:PutObjectTagging",
            f"{bucket}/code/{A_BUILD}/0a1b2c",
            AS_A_BUILD,
        ),
        *[
            (
                BUILD_ROLE,
                "s3:PutObject s3:DeleteObject",
                f"{bucket}/codepipeline-dev-cfn/{name}/Xa3bC4d",
                AS_A_BUILD,
            )
            for name in ("SourceArti", "ImageArtif")
        ],
        (
            BUILD_ROLE,
            "s3:GetObject s3:GetObjectVersion s3:DeleteObject",
            f"{bucket}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d",
            AS_A_BUILD,
        ),
    ]


def not_by_another_way(bucket):
    """By S3 replication and through an access point: no principal may, including the environment's own
    roles."""
    through_an_access_point = {"s3:DataAccessPointArn": regional("s3", "accesspoint/a")}
    key = f"{bucket}/codepipeline-dev-cfn/Source/a"
    calls = [
        ("s3:ReplicateObject s3:ReplicateDelete s3:ReplicateTags", key, {}),
        ("s3:GetObject s3:PutObject s3:DeleteObject", key, through_an_access_point),
        ("s3:ListBucket s3:GetBucketLocation", bucket, through_an_access_point),
    ]
    return [(who, *call) for who in (ADMINISTRATOR, DEPLOY_ROLE, PIPELINE_ROLE) for call in calls]


MAY = [
    *_GENERATED_MAY,
    # CloudFormation names functions and roles that a template does not name.
    (
        DEPLOY_ROLE,
        "lambda:AddPermission",
        regional("lambda", "function:cfnstack-dev-shop-F-1A2B3C"),
        {"lambda:Principal": "events.amazonaws.com"},
    ),
    (
        DEPLOY_ROLE,
        "iam:GetRole iam:UpdateAssumeRolePolicy iam:DeleteRole",
        role(PIPELINES, "cfnstack-dev-shop-Role-1A2B3C"),
        {},
    ),
    *inputs_and_outputs_of_a_build(BUCKET),
    (DEPLOY_ROLE, "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/code/{A_BUILD}/0a1b2c", {}),
    (BUILD_ROLE, "ssm:GetParameters", _PARAMETER_OF_BUILDS, {}),
    (BUILD_ROLE, "secretsmanager:GetSecretValue", _SECRET_OF_BUILDS, {}),
    (BUILD_ROLE, _PUSH_OF_AN_IMAGE, _IMAGES_OF_BUILDS, {}),
    (BUILD_ROLE, "ecr:GetAuthorizationToken", "*", {}),
    (ADMINISTRATOR, _OF_AN_OBJECT, ARTIFACT, {}),
    (ADMINISTRATOR, _OF_THE_BUCKET, BUCKET, {}),
    (MIRROR, _PULL_AND_PUSH, REPOSITORY, {}),
]

MAY_NOT = [
    *_GENERATED_MAY_NOT,
    # With any other permissions of the role: a mirror's secret, and a secret that is a GitLab token.
    (f"{BUILD_ROLE} with everything", "secretsmanager:GetSecretValue", PASSWORD, {}),
    *[
        (
            who,
            "secretsmanager:GetSecretValue",
            _SECRET_OF_BUILDS,
            {"secretsmanager:ResourceTag/cfn-gitops:gitlab-url": "https://gitlab.example.com"},
        )
        for who in (BUILD_ROLE, f"{BUILD_ROLE} with everything")
    ],
    # Unencrypted.
    (ADMINISTRATOR, _OF_AN_OBJECT, ARTIFACT, {"aws:SecureTransport": "false"}),
    (ADMINISTRATOR, _OF_THE_BUCKET, BUCKET, {"aws:SecureTransport": "false"}),
    *not_by_another_way(BUCKET),
    # A pipeline's build pushes to the repositories of the parameter alone.
    *[
        (BUILD_ROLE, _PUSH_OF_AN_IMAGE, regional("ecr", f"repository/{name}"), {})
        for name in ("ecr-dev-site", "shop")
    ],
    # Its stored objects are never deployed, with any policy in DeployPolicyArns.
    *[
        (who, "s3:GetObject s3:GetObjectVersion", f"{BUCKET}/{key}", {})
        for who in (DEPLOY_ROLE, f"{DEPLOY_ROLE} with everything")
        for key in (
            "review/shop/0a1b/template.yaml",
            "code/ReviewCodeBuildCFnRole.RoleId:AWSCodeBuild-5f1d/0a1b2c",
        )
    ],
    # A project's user has no access to another project.
    (MIRROR, _PULL_AND_PUSH, FIRST_REPOSITORY, {}),
    (MIRROR, "codecommit:DeleteBranch codecommit:DeleteRepository iam:CreateAccessKey", REPOSITORY, {}),
]
