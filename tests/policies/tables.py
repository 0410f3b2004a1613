"""The form of a table, and the shared names of its rows.

A row contains the caller, the actions, the resource and the condition keys. Rows of MAY have to be allowed
by all policies of both sides. Rows of MAY_NOT have to be denied.
"""

from tests.local.policies.source_keys import ACCOUNT, ARN, source_keys
from tests.policies.scene import PIPELINES, UNNAMED
from tests.templates.deployed import REGION

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


# The environment's roles, and the project shop.
FUNCTION_ROLE, PROVISIONING_ROLE, PIPELINE_ROLE, BUILD_ROLE, DEPLOY_ROLE, REVIEW_ROLE = [
    role(PIPELINES, f"role-dev-{name}")
    for name in (
        "cfn-gitops",
        "cfn-gitops-provisioning",
        "codepipeline-cfn",
        "codebuild-cfn",
        "codedeploy-cfn",
        "review-codebuild-cfn",
    )
]
ADMINISTRATOR = anybody(role(PIPELINES, "administrator"))
FUNCTION = regional("lambda", "function:cfn-gitops-dev")
BUCKET = f"arn:aws:s3:::s3-dev-codepipeline-artifact-{PIPELINES}-{REGION}"
REPOSITORY, FIRST_REPOSITORY = [
    regional("codecommit", f"codecommit-dev-cfn-{name}") for name in ("shop", "infra")
]
PIPELINE = regional("codepipeline", "codepipeline-dev-cfn-shop")
DEPLOYED_STACK, PIPELINE_STACK = [
    regional("cloudformation", f"stack/{name}-dev-shop/0a1b") for name in ("cfnstack", "gitops")
]
FIRST_MIRROR, MIRROR = (
    user(PIPELINES, "user-dev-codecommit-mirroring"),
    user(PIPELINES, "user-dev-shop-mirror"),
)
PASSWORD = regional("secretsmanager", "secret:codecommit-mirror/user-dev-shop-mirror-AbC123")
OUTPUT_OF_A_REVIEW = f"{BUCKET}/review/shop/0a1b/template.yaml"
# The change set of the pipeline itself, which waits for an approval.
WAITING = "changeset-dev-shop"
THROUGH_CODECOMMIT = {"kms:ViaService": f"codecommit.{REGION}.amazonaws.com"}


def from_source(account, arn=None):
    """Both keys about a service's source, whether or not the service sends them."""
    return {ACCOUNT: account, **({ARN: arn} if arn else {})}


def lent_to_a_service(service, lent, account, source=None, action=ASSUME, others=(), demands=None):
    """Rows for a role, queue, topic or function that one service may use, for one source of one account.

    `others` are sources that it must not serve. `demands` are the keys that the policy requires in the
    request. By default a role's trust policy requires both, and another resource's policy the source's ARN,
    which holds the account. With none, the policy denies only a request that names another account.
    """
    if demands is None:
        demands = ((ACCOUNT, ARN) if action == ASSUME else (ARN,)) if source else (ACCOUNT,)
    complete = from_source(account, source)
    as_sent = source_keys(service, action, source, account)
    # A service that later sends both keys is still allowed.
    may = [
        (service, action, lent, keys) for keys in ([as_sent, complete] if as_sent != complete else [complete])
    ]
    may_not = [
        # A source of another account, for any account key of the request.
        *[(service, action, lent, from_source(account, other)) for other in others],
        *[(other, action, lent, complete) for other in ("ec2.amazonaws.com", "s3.amazonaws.com")],
        (anybody(role(UNNAMED, "administrator")), action, lent, complete),
        (anybody(f"arn:aws:iam::{UNNAMED}:root"), action, lent, complete),
    ]
    if ARN in demands:
        may_not.append((service, action, lent, from_source(UNNAMED, source.replace(account, UNNAMED))))
    if demands != (ARN,):
        may_not.append((service, action, lent, from_source(UNNAMED, source)))
    if action == ASSUME:
        # Only the service may assume the role, not even the account's administrator.
        may_not.append((anybody(role(account, "administrator")), action, lent, complete))
    for key in demands:
        may_not.append(
            (service, action, lent, {name: value for name, value in complete.items() if name != key})
        )
    if demands:
        may_not.append((service, action, lent, {}))
    if not demands and as_sent:
        may.append((service, action, lent, {}))
    return may, may_not


def collected(*pairs):
    """Several pairs of (MAY, MAY_NOT) as one pair."""
    return [row for may, _ in pairs for row in may], [row for _, may_not in pairs for row in may_not]
