"""notifications.yaml, repository.yaml's trigger, and replication.yaml."""

from tests.policies import scene
from tests.policies.scene import PIPELINES, REPLICA_REGION, TRIGGERED, UNNAMED
from tests.policies.tables import (
    ADMINISTRATOR,
    ASSUME,
    BUILD_ROLE,
    BUILDS,
    DEPLOY_ROLE,
    EVENTS,
    PIPELINE,
    PIPELINE_ROLE,
    REPOSITORY,
    anybody,
    collected,
    lent_to_a_service,
    regional,
    role,
)
from tests.templates.deployed import REGION

TOPIC = regional("sns", "sns-dev-notifications")
TOPIC_KEY = scene.stacks()["notifications"].deployed.arn("Key")
THROUGH_SNS = {"kms:ViaService": f"sns.{REGION}.amazonaws.com", "kms:CallerAccount": PIPELINES}
RULES_OF_NOTIFICATION = "codestar-notifications.amazonaws.com"
ALARMS, CODECOMMIT = "cloudwatch.amazonaws.com", "codecommit.amazonaws.com"
USE_OF_THE_KEY = "kms:Decrypt kms:GenerateDataKey"
CHAT_ROLE = role(PIPELINES, "role-dev-chat")
ALARM = regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-mirrors")
SITE = regional("codecommit", "codecommit-dev-site")
LOOK = "codepipeline:GetPipelineExecution codepipeline:GetPipelineState codepipeline:ListPipelineExecutions"


def _of_others(arn, name):
    return [
        arn.replace("-dev-", "-prd-"),
        arn.replace("-dev-", "-dev2-"),
        arn.replace(PIPELINES, UNNAMED),
        arn.replace(REGION, "us-east-1"),
        arn.replace(name, "unrelated"),
    ]


_PUBLISH = "sns:Publish"
_NOTIFY_MAY, _NOTIFY_MAY_NOT = collected(
    # AWS documents no key about the source for notification rules.
    lent_to_a_service(RULES_OF_NOTIFICATION, TOPIC, PIPELINES, action=_PUBLISH, demands=()),
    lent_to_a_service(
        ALARMS, TOPIC, PIPELINES, ALARM, _PUBLISH, _of_others(ALARM, "alarm-dev-cfn-gitops-mirrors")
    ),
    lent_to_a_service(CODECOMMIT, TOPIC, PIPELINES, SITE, _PUBLISH, _of_others(SITE, "codecommit-dev-site")),
    lent_to_a_service("chatbot.amazonaws.com", CHAT_ROLE, PIPELINES, demands=()),
    lent_to_a_service(
        CODECOMMIT,
        TRIGGERED,
        PIPELINES,
        SITE,
        "lambda:InvokeFunction",
        _of_others(SITE, "codecommit-dev-site"),
    ),
)

BUILD = regional("codebuild", "project/codebuild-dev-replication-shop")
COPY_ROLE = role(PIPELINES, "role-dev-codebuild-replication-shop")
EVENTS_ROLE = role(PIPELINES, "role-dev-eventbridge-replication-shop")
REPLICA = REPOSITORY.replace(REGION, REPLICA_REGION)
QUEUE = regional("sqs", "sqs-dev-replication-shop")
LOG = regional("logs", "log-group:/aws/codebuild/codebuild-dev-replication-shop:log-stream:a")
PUSH_RULE, DAILY_RULE, FAILED_RULE = [
    regional("events", f"rule/event-rule-dev-replication-shop{end}") for end in ("", "-daily", "-failed")
]
_OTHER_RULES = [
    PUSH_RULE + "2",
    PUSH_RULE.replace("-shop", "-site"),
    PUSH_RULE.replace("-dev-", "-prd-"),
    PUSH_RULE.replace(PIPELINES, UNNAMED),
]

_REPLICATION_MAY, _REPLICATION_MAY_NOT = collected(
    lent_to_a_service(
        BUILDS,
        COPY_ROLE,
        PIPELINES,
        BUILD,
        others=[
            BUILD + "2",
            BUILD.replace("-replication-", "-cfn-"),
            BUILD.replace("-dev-", "-prd-"),
            BUILD.replace(PIPELINES, UNNAMED),
        ],
    ),
    lent_to_a_service(EVENTS, EVENTS_ROLE, PIPELINES, PUSH_RULE, others=[*_OTHER_RULES, FAILED_RULE]),
    lent_to_a_service(EVENTS, EVENTS_ROLE, PIPELINES, DAILY_RULE),
    *[
        lent_to_a_service(EVENTS, QUEUE, PIPELINES, rule, "sqs:SendMessage", _OTHER_RULES)
        for rule in (PUSH_RULE, DAILY_RULE, FAILED_RULE)
    ],
)

MAY = [
    *_NOTIFY_MAY,
    *_REPLICATION_MAY,
    *[
        (service, USE_OF_THE_KEY, TOPIC_KEY, THROUGH_SNS)
        for service in (RULES_OF_NOTIFICATION, ALARMS, CODECOMMIT)
    ],
    # AWS does not document whether an alarm or a trigger sends the calling service's and the source's keys.
    *[
        (service, USE_OF_THE_KEY, TOPIC_KEY, keys)
        for service in (ALARMS, CODECOMMIT)
        for keys in ({}, {"aws:SourceAccount": PIPELINES})
    ],
    # A pipeline notifies of a waiting approval.
    (PIPELINE_ROLE, _PUBLISH, TOPIC, {}),
    (PIPELINE_ROLE, USE_OF_THE_KEY, TOPIC_KEY, THROUGH_SNS),
    (ADMINISTRATOR, "kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:Decrypt", TOPIC_KEY, {}),
    (ADMINISTRATOR, "sns:Publish sns:Subscribe sns:SetTopicAttributes", TOPIC, {}),
    (CHAT_ROLE, LOOK, PIPELINE, {}),
    # The source first, then the replica.
    (COPY_ROLE, "codecommit:GetRepository codecommit:GitPull codecommit:ListTagsForResource", REPOSITORY, {}),
    (
        COPY_ROLE,
        (
            "codecommit:GetRepository codecommit:GitPull codecommit:GitPush codecommit:ListTagsForResource"
            " codecommit:UpdateDefaultBranch"
        ),
        REPLICA,
        {},
    ),
    (COPY_ROLE, "logs:CreateLogStream logs:PutLogEvents", LOG, {}),
    (COPY_ROLE, "codebuild:RetryBuild", BUILD, {}),
    (EVENTS_ROLE, "codebuild:StartBuild", BUILD, {}),
    (ADMINISTRATOR, "sqs:ReceiveMessage sqs:PurgeQueue sqs:SendMessage", QUEUE, {}),
]

MAY_NOT = [
    *_NOTIFY_MAY_NOT,
    *_REPLICATION_MAY_NOT,
    # The topic and its key: through SNS, for these services and one role.
    (RULES_OF_NOTIFICATION, USE_OF_THE_KEY, TOPIC_KEY, {}),
    *[
        (service, USE_OF_THE_KEY, TOPIC_KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
        for service in (RULES_OF_NOTIFICATION, ALARMS, CODECOMMIT)
    ],
    *[
        (service, USE_OF_THE_KEY, TOPIC_KEY, {**keys, "aws:SourceAccount": UNNAMED})
        for service in (ALARMS, CODECOMMIT)
        for keys in ({}, THROUGH_SNS)
    ],
    ("s3.amazonaws.com", USE_OF_THE_KEY, TOPIC_KEY, THROUGH_SNS),
    (PIPELINE_ROLE, USE_OF_THE_KEY, TOPIC_KEY, {"kms:CallerAccount": PIPELINES}),
    (PIPELINE_ROLE, USE_OF_THE_KEY, TOPIC_KEY, {**THROUGH_SNS, "kms:CallerAccount": UNNAMED}),
    *[
        (who, USE_OF_THE_KEY, TOPIC_KEY, THROUGH_SNS)
        for who in (
            BUILD_ROLE,
            DEPLOY_ROLE,
            anybody(role(UNNAMED, "role-dev-codepipeline-cfn")),
            anybody(role(UNNAMED, "administrator")),
        )
    ],
    *[(who, _PUBLISH, TOPIC, {"aws:SecureTransport": "false"}) for who in (PIPELINE_ROLE, ADMINISTRATOR)],
    (
        RULES_OF_NOTIFICATION,
        _PUBLISH,
        TOPIC,
        {"aws:SourceAccount": PIPELINES, "aws:SecureTransport": "false"},
    ),
    # The role of Slack and Teams only reads.
    (CHAT_ROLE, LOOK, PIPELINE.replace("codepipeline-dev-cfn-shop", "unrelated"), {}),
    (CHAT_ROLE, "sns:Publish logs:GetLogEvents secretsmanager:GetSecretValue", "*", {}),
    # The source is never written, and only this replica is.
    (COPY_ROLE, "codecommit:GitPush codecommit:UpdateDefaultBranch", REPOSITORY, {}),
    *[
        (
            COPY_ROLE,
            "codecommit:GitPull codecommit:GitPush codecommit:GetRepository",
            other.replace("-shop", "-infra"),
            {},
        )
        for other in (REPOSITORY, REPLICA)
    ],
    (COPY_ROLE, "logs:PutLogEvents", LOG.replace("-replication-", "-cfn-"), {}),
    (COPY_ROLE, "codebuild:RetryBuild", BUILD.replace("-shop", "-site"), {}),
    (COPY_ROLE, "s3:GetObject sqs:SendMessage iam:PassRole sts:AssumeRole", "*", {}),
    *[
        (EVENTS_ROLE, "codebuild:StartBuild", other, {})
        for other in (BUILD + "2", BUILD.replace("-replication-", "-cfn-"))
    ],
    (EVENTS_ROLE, ASSUME, COPY_ROLE, {}),
    # The queue of failures.
    (
        ADMINISTRATOR,
        "sqs:ReceiveMessage sqs:SendMessage sqs:PurgeQueue",
        QUEUE,
        {"aws:SecureTransport": "false"},
    ),
]
