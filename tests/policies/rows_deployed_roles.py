"""A role that a pipeline created, with a policy that allows everything: the limits of its boundary.

A pipeline may not make these calls, even if DeployPolicyArns allows them. Such a role may not either, in any
environment.
"""

import re

from tests.policies import rows_limits as limits
from tests.policies.scene import PIPELINES
from tests.policies.tables import regional, role

DEPLOYED = f"{role(PIPELINES, 'role-dev-thumbnails')} under the boundary"


def _in(environment, text):
    return re.sub(r"(?<![A-Za-z0-9])dev(?![A-Za-z0-9])", environment, text)


def of_other_environments(rows):
    for caller, actions, resource, keys in rows:
        for environment in ("prd", "dev2"):
            yield (
                caller,
                actions,
                _in(environment, resource),
                {
                    key: _in(environment, value) if isinstance(value, str) else value
                    for key, value in keys.items()
                },
            )


_LIMITS = [(DEPLOYED, *row[1:]) for row in limits.MAY_NOT if row[0] == limits.DEPLOY]

MAY_NOT = [
    *_LIMITS,
    *of_other_environments(_LIMITS),
    # The machinery's resources in another region.
    (DEPLOYED, "lambda:InvokeFunction", limits.FUNCTION.replace("eu-central-1", "eu-west-1"), {}),
    # No IAM role is created or changed, with or without a boundary, under any name.
    (
        DEPLOYED,
        limits.IN_IAM.replace("iam:PassRole ", "").replace(" sts:AssumeRole", ""),
        role(PIPELINES, "role-dev-thumbnails"),
        limits.WITH_BOUNDARY,
    ),
    # The pipelines' own stacks are updated with the deploy role.
    (DEPLOYED, limits.CHANGED_STACKS, regional("cloudformation", "stack/cfnstack-dev-shop/0a1b"), {}),
    (DEPLOYED, "cloudformation:ExecuteStackRefactor", "*", {}),
    # Rules and notifications of any name.
    (DEPLOYED, "events:PutRule", regional("events", "rule/any"), {"events:source": ["aws.codepipeline"]}),
    (DEPLOYED, "codestar-notifications:CreateNotificationRule", "*", {}),
    (DEPLOYED, "sts:AssumeRole", role(PIPELINES, "administrator"), {"aws:ResourceAccount": None}),
]

MAY = [
    (
        DEPLOYED,
        "s3:GetObject s3:PutObject s3:PutBucketPolicy s3:DeleteObject",
        "arn:aws:s3:::thumbnails/a",
        {},
    ),
    (
        DEPLOYED,
        "secretsmanager:GetSecretValue secretsmanager:PutSecretValue",
        regional("secretsmanager", "secret:thumbnails-AbC123"),
        {},
    ),
    (
        DEPLOYED,
        "secretsmanager:CreateSecret secretsmanager:TagResource secretsmanager:UntagResource",
        regional("secretsmanager", "secret:thumbnails-AbC123"),
        {"aws:TagKeys": ["team"]},
    ),
    (
        DEPLOYED,
        "lambda:InvokeFunction lambda:UpdateFunctionCode",
        regional("lambda", "function:lambda-dev-thumbnails"),
        {},
    ),
    (
        DEPLOYED,
        "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping",
        "*",
        {"lambda:FunctionArn": regional("lambda", "function:lambda-dev-thumbnails")},
    ),
    (DEPLOYED, "sqs:SendMessage sqs:ReceiveMessage", regional("sqs", "sqs-dev-thumbnails"), {}),
    (DEPLOYED, "sns:Publish", regional("sns", "sns-dev-thumbnails"), {}),
    (DEPLOYED, "sns:Subscribe", regional("sns", "sns-dev-thumbnails"), {}),
    *[
        (DEPLOYED, "events:PutRule", regional("events", "rule/tenant"), keys)
        for keys in ({}, {"events:source": ["aws.s3"]})
    ],
    (DEPLOYED, "s3:ListBucket s3:PutObject", "arn:aws:s3:::aws-sam-cli-of-another-team", {}),
    (DEPLOYED, limits.READS_OF_IMAGES, regional("ecr", "repository/ecr-dev-shop"), {}),
    *[(DEPLOYED, limits.READS_OF_LOGS, log, {}) for log in limits.LOGS],
    *[
        (DEPLOYED, "s3:GetObject s3:GetObjectVersion", f"{bucket}/0a1b2c.zip", {})
        for bucket in (limits.environment.BUCKET, limits.SECOND_BUCKET)
    ],
    *[(DEPLOYED, limits.USE_OF_KEYS, key, keys) for key, keys in limits.PROTECTED_KEYS[1:]],
    (DEPLOYED, "events:PutEvents", regional("events", "event-bus/default"), {}),
    (
        DEPLOYED,
        "logs:PutLogEvents logs:PutRetentionPolicy",
        regional("logs", "log-group:/aws/lambda/lambda-dev-thumbnails"),
        {},
    ),
    # Cloud Control API: each resource's own actions are denied as they are without it.
    (
        DEPLOYED,
        "cloudformation:CreateResource cloudformation:UpdateResource cloudformation:DeleteResource",
        "*",
        {},
    ),
    (DEPLOYED, "kms:PutKeyPolicy", regional("kms", "key/thumbnails"), {}),
    (
        DEPLOYED,
        (
            "cloudformation:CreateStack cloudformation:DescribeStacks cloudformation:DescribeChangeSet"
            " cloudformation:GetStackPolicy cloudformation:DetectStackDrift"
        ),
        regional("cloudformation", "stack/tenant/0a1b"),
        {},
    ),
    (DEPLOYED, "cloudformation:ListStacks cloudformation:ValidateTemplate", "*", {}),
    (
        DEPLOYED,
        "iam:GetRole iam:ListRolePolicies iam:GenerateServiceLastAccessedDetails iam:SimulatePrincipalPolicy",
        role(PIPELINES, "role-dev-thumbnails"),
        {},
    ),
    *[
        (DEPLOYED, "iam:PassRole sts:AssumeRole", role(PIPELINES, name), {})
        for name in ("role-dev-steps", "cfnstack-dev-shop-Role-1A2B3C")
    ],
]
