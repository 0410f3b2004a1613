"""Each AWS service in a resource policy is allowed with the condition keys that it sends."""

import copy
import re

import pytest

from tests.local.policies.source_keys import ACCOUNT, ARN, SENT, sent, source_keys
from tests.local.policies.statements import as_list
from tests.policies import scene

# Sent with every request, or documented at the statement.
_EVERY_REQUEST = {"aws:securetransport"}
# "kms:ViaService": https://docs.aws.amazon.com/dtconsole/latest/userguide/troubleshooting.html
_DOCUMENTED = {("codestar-notifications.amazonaws.com", "kms"): {"kms:viaservice"}}


def allowed_services():
    """Every statement of a resource policy that allows a service, by service."""
    for policy in scene.world().policies:
        if policy.side not in ("resource", "trust"):
            continue
        for number, statement in enumerate(as_list(policy.document["Statement"])):
            principal = statement["Principal"]
            if statement["Effect"] == "Allow" and isinstance(principal, dict):
                for service in as_list(principal.get("Service", [])):
                    yield pytest.param(policy, number, service, id=f"{policy.place} {service}")


def conditions(statement):
    return {
        (operator, key.lower()): as_list(values)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    }


def requests(policy, statement, service):
    """The service's condition keys, for each source and action that the statement names."""
    owner = scene.world().owner(policy.resource)
    arns = [values for (_, key), values in conditions(statement).items() if key == ARN.lower()]
    others = {"kms:ViaService": f"sns.{scene.REGION}.amazonaws.com"} if ":kms:" in policy.resource else {}
    for pattern in arns[0] if arns else [f"arn:aws:any:{scene.REGION}:{owner}:source"]:
        arn = re.sub(r"[*?]", "x", pattern)
        for action in as_list(statement["Action"]):
            yield action, {**source_keys(service, action, arn, arn.split(":")[4]), **others}


def with_source_account(policy, number):
    """The policy with the account as a further requirement."""
    document = copy.deepcopy(policy.document)
    statement = as_list(document["Statement"])[number]
    required = statement.setdefault("Condition", {}).setdefault("StringEquals", {})
    required[ACCOUNT] = scene.world().owner(policy.resource)
    return scene.world().with_(policy, document)


STATEMENTS = list(allowed_services())


@pytest.mark.parametrize(("policy", "number", "service"), STATEMENTS)
def test_required_condition_key_is_one_the_service_sends(policy, number, service):
    statement = as_list(policy.document["Statement"])[number]
    for action in as_list(statement["Action"]):
        known = {key.lower() for key in sent(service, action)} | _DOCUMENTED.get(
            (service, action.split(":")[0]), set()
        )
        required = {key for operator, key in conditions(statement) if not operator.endswith("IfExists")}
        assert required <= known | _EVERY_REQUEST


# claim: request-with-the-keys-aws-sends-is-allowed
@pytest.mark.parametrize(("policy", "number", "service"), STATEMENTS)
def test_request_with_the_keys_aws_sends_is_allowed(policy, number, service):
    statement = as_list(policy.document["Statement"])[number]
    for action, keys in requests(policy, statement, service):
        assert scene.world().may(service, action, policy.resource, keys), (action, keys)


WITHOUT_ACCOUNT = [
    each
    for each in STATEMENTS
    if not any(
        ACCOUNT in sent(each.values[2], action)
        for action in as_list(as_list(each.values[0].document["Statement"])[each.values[1]]["Action"])
    )
]
assert {"events.amazonaws.com", "cloudwatch.amazonaws.com", "codestar-notifications.amazonaws.com"} <= {
    each.values[2] for each in WITHOUT_ACCOUNT
}


@pytest.mark.parametrize(("policy", "number", "service"), WITHOUT_ACCOUNT)
def test_required_source_account_denies_service_without_one(policy, number, service):
    changed = with_source_account(policy, number)
    statement = as_list(policy.document["Statement"])[number]
    for action, keys in requests(policy, statement, service):
        assert not changed.may(service, action, policy.resource, keys), (action, keys)


@pytest.mark.parametrize("row", SENT.values())
def test_sent_key_has_the_aws_page_that_shows_it(row):
    assert row.keys and set(row.keys) <= {ACCOUNT, ARN}
    assert row.page.startswith("https://docs.aws.amazon.com/")
