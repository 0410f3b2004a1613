"""The condition keys that an AWS service sends about the source of its request.

A condition on a key that the request lacks never matches: AWS denies the request, and no log shows it. A key
therefore counts as sent only if an AWS page shows it for that service and target. A service that is not
listed sends neither key.
"""

from typing import NamedTuple

ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"

_EVENTBRIDGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"
_CODECOMMIT = "https://docs.aws.amazon.com/codecommit/latest/userguide"


class Sent(NamedTuple):
    keys: tuple[str, ...]
    page: str


# By the calling service and the service of the resource.
SENT = {
    # "If the output contains a SourceAccount field, then you need to remove it. A SourceAccount setting
    # prevents EventBridge from being able to invoke the function."
    ("events.amazonaws.com", "lambda"): Sent((ARN,), f"{_EVENTBRIDGE}/eb-troubleshooting.html"),
    # The queue policies on these pages have only aws:SourceArn.
    ("events.amazonaws.com", "sqs"): Sent(
        (ARN,), f"{_EVENTBRIDGE}/eb-use-resource-based.html#eb-sqs-permissions"
    ),
    ("events.amazonaws.com", "sts"): Sent(
        (ACCOUNT, ARN), f"{_EVENTBRIDGE}/cross-service-confused-deputy-prevention.html"
    ),
    # With the credentials of the target's role, if the target is an event bus.
    ("events.amazonaws.com", "events"): Sent((ACCOUNT, ARN), f"{_EVENTBRIDGE}/eb-use-conditions.html"),
    ("codebuild.amazonaws.com", "sts"): Sent(
        (ACCOUNT, ARN), "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html"
    ),
    ("codecommit.amazonaws.com", "lambda"): Sent(
        (ACCOUNT, ARN), f"{_CODECOMMIT}/how-to-notify-lambda-cc.html"
    ),
    ("codecommit.amazonaws.com", "sns"): Sent(
        (ACCOUNT, ARN), f"{_CODECOMMIT}/auth-and-access-control-iam-identity-based-access-control.html"
    ),
    ("cloudwatch.amazonaws.com", "sns"): Sent(
        (ARN,), "https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"
    ),
    ("lambda.amazonaws.com", "ecr"): Sent(
        (ARN,), "https://docs.aws.amazon.com/lambda/latest/dg/images-create.html"
    ),
    ("secretsmanager.amazonaws.com", "lambda"): Sent(
        (ACCOUNT, ARN),
        "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html",
    ),
}


def sent(service: str, action: str) -> tuple[str, ...]:
    """The keys that `service` sends when it calls `action`, such as `lambda:InvokeFunction`."""
    found = SENT.get((service, action.split(":")[0]))
    return found.keys if found else ()


def source_keys(service: str, action: str, source_arn: str | None, account: str) -> dict[str, str]:
    """These keys with their values, for a source in `account`. Without a source, only the account can be
    sent."""
    values = {ACCOUNT: account, ARN: source_arn}
    return {key: value for key in sent(service, action) if (value := values[key])}
