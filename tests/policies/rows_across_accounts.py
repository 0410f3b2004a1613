"""The calls of a source and of an image from another account, in their order.

cross-account-repository.yaml and cross-account-image.yaml on one side, cross-account-artifacts.yaml
and template.yaml on the other.
"""

from tests.policies import scene
from tests.policies.rows_environment import inputs_and_outputs_of_a_build, not_by_another_way
from tests.policies.scene import (
    FOREIGN_REPOSITORY,
    IMAGE_ROLE,
    IMAGES,
    PIPELINES,
    REPOSITORIES,
    SOURCE_ROLE,
    UNNAMED,
)
from tests.policies.tables import (
    ADMINISTRATOR,
    ASSUME,
    BUILD_ROLE,
    DEPLOY_ROLE,
    EVENTS,
    FUNCTION_ROLE,
    LAMBDA,
    PIPELINE_ROLE,
    THROUGH_CODECOMMIT,
    anybody,
    collected,
    lent_to_a_service,
    regional,
    role,
)
from tests.templates.deployed import REGION
from tests.templates.named import A_BUILD, AS_A_BUILD

FORWARD_ROLE = role(REPOSITORIES, "role-dev-eventbridge-forward")
IMAGE_FORWARD_ROLE = role(IMAGES, "role-dev-eventbridge-forward-ecr")

BUS = regional("events", "event-bus/default")
A_PUSH = {"events:source": ["aws.codecommit"], "events:detail-type": "CodeCommit Repository State Change"}
AN_IMAGE = {"events:source": ["aws.ecr"], "events:detail-type": "ECR Image Action"}

BUCKET = scene.stacks()["cross-account-artifacts"].deployed.arn("ArtifactBucket")
KEY = scene.stacks()["cross-account-artifacts"].deployed.arn("ArtifactKey")
ARTIFACT = f"{BUCKET}/codepipeline-dev-cfn/SourceArti/Xa3bC4d"
IMAGE_ARTIFACT = f"{BUCKET}/codepipeline-dev-cfn/ImageArtif/Xa3bC4d"
BUILD_ARTIFACT = f"{BUCKET}/codepipeline-dev-cfn/BuildArtif/Xa3bC4d"
CODE = f"{BUCKET}/code/{A_BUILD}/0a1b2c"
UNDER_THE_KEY = {
    "s3:x-amz-server-side-encryption": "aws:kms",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": KEY,
}
THROUGH_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
USE_OF_THE_KEY = """kms:DescribeKey kms:Encrypt kms:Decrypt kms:ReEncryptFrom kms:ReEncryptTo
    kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext"""
# The repositories' own key, if they have one.
REPOSITORIES_KEY = scene.KEY_OF_FOREIGN_REPOSITORIES
# The account that owns the bucket of this name.
FOREIGN_BUCKET = {"aws:ResourceAccount": UNNAMED}
IMAGE_REPOSITORY = regional("ecr", "repository/ecr-dev-image", IMAGES)
PULL = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
READ_SOURCE = """codecommit:GetRepository codecommit:GetBranch codecommit:GetCommit codecommit:UploadArchive
    codecommit:GetUploadArchiveStatus codecommit:CancelUploadArchive"""


def _forwarding(forward_role, account, name):
    own = regional("events", f"rule/{name}", account)
    others = [
        own.replace("-dev-", "-dev2-"),
        f"{own}s",
        own.replace(account, UNNAMED),
        own.replace(REGION, "us-east-1"),
    ]
    return lent_to_a_service(EVENTS, forward_role, account, own, others=others)


def _lost(kind, account):
    """The queue of undelivered events, which only one rule of the same stack sends to."""
    queue = regional("sqs", f"sqs-dev-forward-{kind}", account)
    rule = regional("events", f"rule/event-rule-dev-forward-{kind}", account)
    others = [
        rule + "2",
        rule.replace("-dev-", "-prd-"),
        rule.replace(account, UNNAMED),
        rule.replace(REGION, "us-east-1"),
    ]
    may, may_not = lent_to_a_service(EVENTS, queue, account, rule, "sqs:SendMessage", others)
    people = anybody(role(account, "administrator"))
    return (
        [*may, (people, "sqs:ReceiveMessage sqs:PurgeQueue", queue, {})],
        [
            *may_not,
            (
                people,
                "sqs:ReceiveMessage sqs:SendMessage sqs:PurgeQueue",
                queue,
                {"aws:SecureTransport": "false"},
            ),
        ],
    )


_LOST_MAY, _LOST_MAY_NOT = collected(_lost("codecommit", REPOSITORIES), _lost("ecr", IMAGES))
_FORWARD_MAY, _FORWARD_MAY_NOT = collected(
    _forwarding(FORWARD_ROLE, REPOSITORIES, "event-rule-dev-forward-codecommit"),
    _forwarding(IMAGE_FORWARD_ROLE, IMAGES, "event-rule-dev-forward-ecr"),
)


def _function(name, account=PIPELINES):
    return {"aws:SourceArn": regional("lambda", f"function:{name}", account)}


# rows_rights.py has what the pipelines' roles do in this account.
MAY = [
    *_FORWARD_MAY,
    (FORWARD_ROLE, "events:PutEvents", BUS, A_PUSH),
    (SOURCE_ROLE, READ_SOURCE, FOREIGN_REPOSITORY, {}),
    (SOURCE_ROLE, "kms:DescribeKey kms:Decrypt kms:GenerateDataKey", REPOSITORIES_KEY, THROUGH_CODECOMMIT),
    (SOURCE_ROLE, USE_OF_THE_KEY, KEY, THROUGH_S3),
    (SOURCE_ROLE, "s3:PutObject s3:PutObjectAcl", ARTIFACT, UNDER_THE_KEY),
    # The build.
    (PIPELINE_ROLE, "s3:GetObject s3:GetObjectVersion", ARTIFACT, {}),
    (PIPELINE_ROLE, "s3:PutObject", ARTIFACT, UNDER_THE_KEY),
    *inputs_and_outputs_of_a_build(BUCKET, UNDER_THE_KEY),
    # An upload without an encryption header: the bucket's default is the key.
    (BUILD_ROLE, "s3:PutObject", CODE, AS_A_BUILD),
    # A key may be named by its ID.
    (
        BUILD_ROLE,
        "s3:PutObject",
        CODE,
        {**AS_A_BUILD, **UNDER_THE_KEY, "s3:x-amz-server-side-encryption-aws-kms-key-id": "ArtifactKey"},
    ),
    # The deployment.
    (DEPLOY_ROLE, "s3:GetObject s3:GetObjectVersion", CODE, {}),
    # An image.
    (IMAGE_FORWARD_ROLE, "events:PutEvents", BUS, AN_IMAGE),
    (IMAGE_ROLE, "ecr:DescribeImages", IMAGE_REPOSITORY, {}),
    (IMAGE_ROLE, USE_OF_THE_KEY, KEY, THROUGH_S3),
    (IMAGE_ROLE, "s3:PutObject s3:PutObjectAcl", IMAGE_ARTIFACT, UNDER_THE_KEY),
    # Deployed functions pull the image: with a role of the environment that may, and Lambda itself.
    *[
        (anybody(role(PIPELINES, name)), PULL, IMAGE_REPOSITORY, {})
        for name in ("role-dev-thumbnails", "cfnstack-dev-shop-Role-1A2B3C")
    ],
    *[
        (LAMBDA, "ecr:BatchGetImage ecr:GetDownloadUrlForLayer", IMAGE_REPOSITORY, _function(name))
        for name in ("lambda-dev-thumbnails", "cfnstack-dev-shop-Thumbnails-1A2B3C")
    ],
    *_LOST_MAY,
    # Both keys of an event as a string, and both as a list with one member.
    *[
        (
            sender,
            "events:PutEvents",
            BUS,
            {
                "events:source": of(event["events:source"][0]),
                "events:detail-type": of(event["events:detail-type"]),
            },
        )
        for sender, event in ((FORWARD_ROLE, A_PUSH), (IMAGE_FORWARD_ROLE, AN_IMAGE))
        for of in (str, lambda text: [text])
    ],
    # An administrator of the key's account keeps access: no policy locks them out.
    (ADMINISTRATOR, "kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:EnableKeyRotation", KEY, {}),
    (anybody(f"arn:aws:iam::{PIPELINES}:root"), "kms:PutKeyPolicy", KEY, {}),
    (ADMINISTRATOR, "s3:GetObject s3:DeleteObject", ARTIFACT, {}),
    (ADMINISTRATOR, "s3:ListBucket s3:GetBucketPolicy", BUCKET, {}),
]


def _not_the_role_of(account, name, another):
    """Principals that are not the other account's role and that have all permissions of their own account."""
    return [
        *[
            anybody(role(account, each))
            for each in ("administrator", name.replace("-dev-", "-dev2-"), f"{name}2", another)
        ],
        anybody(f"arn:aws:iam::{account}:user/{name}"),
        anybody(f"arn:aws:iam::{account}:root"),
        anybody(role(UNNAMED, name)),
        anybody(f"arn:aws:iam::{UNNAMED}:root"),
    ]


_NOT_THE_SOURCE_ROLE = _not_the_role_of(REPOSITORIES, "role-dev-codecommit-source", "role-dev-ecr-source")
_NOT_THE_IMAGE_ROLE = _not_the_role_of(IMAGES, "role-dev-ecr-source", "role-dev-codecommit-source")
_NOT_THE_FORWARD_ROLE = _not_the_role_of(
    REPOSITORIES, "role-dev-eventbridge-forward", "role-dev-eventbridge-forward-ecr"
)
_NOT_THE_IMAGE_FORWARD_ROLE = _not_the_role_of(
    IMAGES, "role-dev-eventbridge-forward-ecr", "role-dev-eventbridge-forward"
)
_NOT_THE_PIPELINE = [
    ADMINISTRATOR,
    anybody(BUILD_ROLE),
    anybody(DEPLOY_ROLE),
    anybody(f"arn:aws:iam::{PIPELINES}:root"),
    anybody(f"arn:aws:iam::{PIPELINES}:user/role-dev-codepipeline-cfn"),
    *[anybody(role(PIPELINES, f"role-{env}-codepipeline-cfn")) for env in ("dev2", "prd")],
    *[anybody(role(UNNAMED, f"role-dev-{name}")) for name in ("codepipeline-cfn", "cfn-gitops")],
]

MAY_NOT = [
    *_FORWARD_MAY_NOT,
    *_LOST_MAY_NOT,
    # The bucket was deleted, and another account has created one with its name.
    *[
        (writer, "s3:PutObject s3:PutObjectAcl", key, {**UNDER_THE_KEY, **FOREIGN_BUCKET})
        for writer, key in ((SOURCE_ROLE, ARTIFACT), (IMAGE_ROLE, IMAGE_ARTIFACT))
    ],
    (
        PIPELINE_ROLE,
        "s3:GetObject s3:GetObjectVersion s3:PutObject",
        ARTIFACT,
        {**UNDER_THE_KEY, **FOREIGN_BUCKET},
    ),
    *[
        (who, actions, resource, {**keys, **FOREIGN_BUCKET})
        for who, actions, resource, keys in inputs_and_outputs_of_a_build(BUCKET, UNDER_THE_KEY)
        if "Object" in actions
    ],
    # `aws cloudformation package` without --kms-key-id.
    (BUILD_ROLE, "s3:PutObject", CODE, {**AS_A_BUILD, "s3:x-amz-server-side-encryption": "AES256"}),
    (DEPLOY_ROLE, "s3:GetObject s3:GetObjectVersion", CODE, FOREIGN_BUCKET),
    # The repositories' own key: to read through CodeCommit.
    (SOURCE_ROLE, "kms:Decrypt kms:GenerateDataKey kms:DescribeKey", REPOSITORIES_KEY, {}),
    (SOURCE_ROLE, "kms:Decrypt kms:GenerateDataKey", REPOSITORIES_KEY, THROUGH_S3),
    (
        SOURCE_ROLE,
        "kms:Encrypt kms:ReEncryptFrom kms:CreateGrant kms:PutKeyPolicy",
        REPOSITORIES_KEY,
        THROUGH_CODECOMMIT,
    ),
    (SOURCE_ROLE, "kms:Decrypt", REPOSITORIES_KEY + "2", THROUGH_CODECOMMIT),
    # The roles for other accounts: one for two roles of one account, and one for one.
    *[(who, ASSUME, SOURCE_ROLE, {}) for who in _NOT_THE_PIPELINE],
    *[(who, ASSUME, IMAGE_ROLE, {}) for who in [*_NOT_THE_PIPELINE, FUNCTION_ROLE]],
    ("codepipeline.amazonaws.com", ASSUME, SOURCE_ROLE, {"aws:SourceAccount": PIPELINES}),
    # The pipelines' account reaches the repository only with the role.
    *[
        (
            anybody(role(PIPELINES, name)),
            f"{READ_SOURCE} codecommit:GitPull codecommit:GitPush",
            FOREIGN_REPOSITORY,
            {},
        )
        for name in ("administrator", "role-dev-codepipeline-cfn")
    ],
    # The role allows only that repository.
    *[
        (SOURCE_ROLE, READ_SOURCE, other, {})
        for other in (FOREIGN_REPOSITORY + "2", FOREIGN_REPOSITORY.replace("shop", "other"))
    ],
    (IMAGE_ROLE, "ecr:DescribeImages", IMAGE_REPOSITORY + "2", {}),
    # Artifacts: both roles write them under the pipelines' names, and never read, list or delete them.
    *[
        row
        for writer, others, own, other in (
            (SOURCE_ROLE, _NOT_THE_SOURCE_ROLE, ARTIFACT, IMAGE_ARTIFACT),
            (IMAGE_ROLE, _NOT_THE_IMAGE_ROLE, IMAGE_ARTIFACT, ARTIFACT),
        )
        for row in (
            (writer, "s3:GetObject s3:GetObjectVersion s3:DeleteObject s3:DeleteObjectVersion", own, {}),
            # The artifact of a build, which may wait for an approval, and that of the other account's action.
            *[
                (writer, "s3:PutObject s3:PutObjectAcl", key, UNDER_THE_KEY)
                for key in (BUILD_ARTIFACT, other)
            ],
            (writer, "s3:PutObject s3:PutObjectAcl", f"{BUCKET}/0a1b2c.zip", UNDER_THE_KEY),
            (writer, "s3:ListBucket s3:GetBucketPolicy s3:PutBucketPolicy s3:GetBucketLocation", BUCKET, {}),
            (
                writer,
                "s3:PutObject",
                f"arn:aws:s3:::s3-dev-codepipeline-artifact-{PIPELINES}-{REGION}/codepipeline-a",
                UNDER_THE_KEY,
            ),
            (writer, "s3:PutObject", own, {**UNDER_THE_KEY, "aws:SecureTransport": "false"}),
            (writer, USE_OF_THE_KEY, KEY + "2", THROUGH_S3),
            *[(who, "s3:PutObject s3:PutObjectAcl", own, UNDER_THE_KEY) for who in others],
            *[(who, USE_OF_THE_KEY, KEY, THROUGH_S3) for who in others],
        )
    ],
    # Unencrypted, without KMS, or with another key, also for this account's own roles.
    *[
        (who, *call)
        for who in (BUILD_ROLE, PIPELINE_ROLE, ADMINISTRATOR)
        for call in (
            ("s3:GetObject s3:PutObject", ARTIFACT, {**UNDER_THE_KEY, "aws:SecureTransport": "false"}),
            ("s3:GetBucketLocation", BUCKET, {"aws:SecureTransport": "false"}),
            # With aws:kms alone it would be AWS's own key for S3, with which no other account can read.
            *[
                ("s3:PutObject", ARTIFACT, {"s3:x-amz-server-side-encryption": algorithm})
                for algorithm in ("AES256", "aws:kms:dsse", "aws:kms")
            ],
            *[
                (
                    "s3:PutObject",
                    ARTIFACT,
                    {**UNDER_THE_KEY, "s3:x-amz-server-side-encryption-aws-kms-key-id": key},
                )
                for key in (regional("kms", "key/other"), KEY.replace(PIPELINES, UNNAMED))
            ],
        )
    ],
    *not_by_another_way(BUCKET),
    (DEPLOY_ROLE, "s3:PutObject", f"{BUCKET}/0a1b2c.zip", UNDER_THE_KEY),
    # Events: one role, one event type, one bus.
    *[
        row
        for sender, event, other_event, others in (
            (FORWARD_ROLE, A_PUSH, AN_IMAGE, _NOT_THE_FORWARD_ROLE),
            (IMAGE_FORWARD_ROLE, AN_IMAGE, A_PUSH, _NOT_THE_IMAGE_FORWARD_ROLE),
        )
        for row in (
            (sender, "events:PutEvents", BUS, {**event, "events:source": ["aws.codecommit", "aws.ecr"]}),
            (sender, "events:PutEvents", BUS, {**event, "events:source": ["aws.ec2"]}),
            (sender, "events:PutEvents", BUS, {**event, "events:source": []}),
            (sender, "events:PutEvents", BUS, {"events:detail-type": event["events:detail-type"]}),
            (
                sender,
                "events:PutEvents",
                BUS,
                {**event, "events:detail-type": "EC2 Instance State-change Notification"},
            ),
            (sender, "events:PutEvents", BUS, {"events:source": event["events:source"]}),
            (sender, "events:PutEvents", BUS, {**event, "events:detail-type": []}),
            (
                sender,
                "events:PutEvents",
                BUS,
                {
                    **event,
                    "events:detail-type": [event["events:detail-type"], other_event["events:detail-type"]],
                },
            ),
            (sender, "events:PutEvents", BUS.replace("default", "other"), event),
            *[(who, "events:PutEvents", BUS, event) for who in others],
        )
    ],
    # Pulls: of the environment's roles and functions.
    *[
        (anybody(who), PULL, IMAGE_REPOSITORY, {})
        for who in (
            role(PIPELINES, "administrator"),
            role(PIPELINES, "role-dev2-thumbnails"),
            role(PIPELINES, "role-prd-thumbnails"),
            role(PIPELINES, "cfnstack-prd-shop-Role-1A2B3C"),
            role(UNNAMED, "role-dev-thumbnails"),
            f"arn:aws:iam::{PIPELINES}:root",
        )
    ],
    *[
        (LAMBDA, "ecr:BatchGetImage ecr:GetDownloadUrlForLayer", IMAGE_REPOSITORY, keys)
        for keys in (
            {},
            _function("lambda-prd-thumbnails"),
            _function("lambda-dev2-thumbnails"),
            _function("thumbnails"),
            _function("lambda-dev-thumbnails", UNNAMED),
        )
    ],
    # A build that pulls has a role of its own. The environment's build role may not pull.
    (BUILD_ROLE, PULL, IMAGE_REPOSITORY, {}),
    *[
        (anybody(role(PIPELINES, "role-dev-thumbnails")), action, IMAGE_REPOSITORY, {})
        for action in (
            "ecr:PutImage",
            "ecr:BatchDeleteImage",
            "ecr:DescribeImages",
            "ecr:SetRepositoryPolicy",
            "ecr:InitiateLayerUpload",
        )
    ],
    ("ecs.amazonaws.com", PULL, IMAGE_REPOSITORY, _function("lambda-dev-thumbnails")),
]

_S3_ROLE = role(PIPELINES, "role-dev-codepipeline-s3-site")
_S3_EVENT_ROLE = role(PIPELINES, "role-dev-eventbridge-codepipeline-s3-site")
_SITE = f"arn:aws:s3:::{scene.SITE}"
_S3_RULE = regional("events", "rule/event-rule-dev-codepipeline-exec-s3-site")
_S3_MAY, _S3_MAY_NOT = collected(
    lent_to_a_service("codepipeline.amazonaws.com", _S3_ROLE, PIPELINES, demands=()),
    lent_to_a_service(
        EVENTS,
        _S3_EVENT_ROLE,
        PIPELINES,
        _S3_RULE,
        others=[_S3_RULE + "2", _S3_RULE.replace("-s3-", "-cfn-"), _S3_RULE.replace(PIPELINES, UNNAMED)],
    ),
)
MAY += [
    *_S3_MAY,
    (_S3_ROLE, ASSUME, SOURCE_ROLE, {}),
    (_S3_ROLE, "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", BUCKET, {}),
    (_S3_ROLE, "s3:GetObject s3:GetObjectVersion", ARTIFACT, {}),
    (_S3_ROLE, "kms:DescribeKey kms:Decrypt", KEY, THROUGH_S3),
    (_S3_ROLE, "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning", _SITE, {}),
    (_S3_ROLE, "s3:PutObject", f"{_SITE}/release/a/b.html", {}),
    (
        _S3_EVENT_ROLE,
        "codepipeline:StartPipelineExecution",
        regional("codepipeline", "codepipeline-dev-s3-site"),
        {},
    ),
]
MAY_NOT += [
    *_S3_MAY_NOT,
    (_S3_ROLE, "s3:PutObject s3:DeleteObject", ARTIFACT, UNDER_THE_KEY),
    (_S3_ROLE, "s3:GetObject", CODE, {}),
    (_S3_ROLE, "s3:PutObject", f"{_SITE}/index.html", {}),
    (_S3_ROLE, "s3:PutObject", f"{_SITE}/released/index.html", {}),
    (_S3_ROLE, "s3:PutObject", f"{_SITE}2/release/index.html", {}),
    # A bucket that had this name and that another account owns now.
    (_S3_ROLE, "s3:PutObject", f"{_SITE}/release/index.html", {"aws:ResourceAccount": UNNAMED}),
    (
        _S3_ROLE,
        "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning",
        _SITE,
        {"aws:ResourceAccount": UNNAMED},
    ),
    (_S3_ROLE, "s3:DeleteObject s3:GetObject s3:PutObjectAcl", f"{_SITE}/release/index.html", {}),
]
