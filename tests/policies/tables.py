"""What a table is, and words that several of them use.

A row is: who, the actions, on what, with which condition keys. Rows of MAY have to be allowed, with
all policies of both sides; rows of MAY_NOT have to be refused.
"""

from deployed import REGION

from .scene import NOBODY, PIPELINES

BUILDS, EVENTS, LAMBDA = "codebuild.amazonaws.com", "events.amazonaws.com", "lambda.amazonaws.com"
ASSUME = "sts:AssumeRole"


def role(account, name):
    return f"arn:aws:iam::{account}:role/{name}"


def user(account, name):
    return f"arn:aws:iam::{account}:user/{name}"


def group(name, account=PIPELINES):
    return f"arn:aws:iam::{account}:group/{name}"


def regional(service, rest, account=PIPELINES, region=REGION):
    return f"arn:aws:{service}:{region}:{account}:{rest}"


def anybody(arn):
    return f"anybody {arn}"


def from_source(account, arn=None):
    """What a service says of the resource that it works for."""
    return {"aws:SourceAccount": account, **({"aws:SourceArn": arn} if arn else {})}


def lent_to_a_service(service, lent, account, source=None, action=ASSUME, others=(), says_for_whom=True):
    """Rows for a role, queue or function that one service may use, for one source of one account.

    `others` are sources that it must not serve. Of some services AWS does not document that they say
    for whom they work: there the policy only refuses what says somebody else.
    """
    may = [(service, action, lent, from_source(account, source))]
    may_not = [
        (service, action, lent, from_source(NOBODY, source)),
        # A source of another account, whatever account is said beside it.
        *[(service, action, lent, from_source(account, other)) for other in others],
        *[(other, action, lent, from_source(account, source)) for other in ("ec2.amazonaws.com", "s3.amazonaws.com")],
        (anybody(role(NOBODY, "administrator")), action, lent, from_source(account, source)),
        (anybody(f"arn:aws:iam::{NOBODY}:root"), action, lent, from_source(account, source)),
    ]
    if action == ASSUME:
        # A role is for its service, not for the account's administrator either.
        may_not.append((anybody(role(account, "administrator")), action, lent, from_source(account, source)))
    (may_not if says_for_whom else may).append((service, action, lent, {}))
    if says_for_whom and source:
        may_not += [(service, action, lent, from_source(account)), (service, action, lent, {"aws:SourceArn": source})]
    return may, may_not


def collected(*pairs):
    """Several pairs of (MAY, MAY_NOT) as one."""
    return [row for may, _ in pairs for row in may], [row for _, may_not in pairs for row in may_not]
