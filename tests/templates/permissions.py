"""Evaluates permissions with an existing policy evaluator (MiniStack's, with conditions)."""

import json

from ministack.core.iam_evaluator import (
    EvalContext,
    evaluate,
    evaluate_resource_policy,
    parse_policy_document,
)

from tests.templates.deployed import ACCOUNT, as_list


def is_documented_for_a_vpc(finding):
    """parliament has neither Lambda's key nor `*/*` for all resource IDs of EC2, which Lambda's guide uses.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    detail = str(finding.detail)
    return (finding.issue == "RESOURCE_MISMATCH" and ":ec2:" in detail) or (
        finding.issue == "UNKNOWN_CONDITION_FOR_ACTION" and "lambda:SourceFunctionArn for action ec2:" in detail)


def documents(stack, principal):
    """Every policy document of a role or user, inline or attached, also in another stack."""
    properties = stack.properties(principal)
    found = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    attached = set(properties.get("ManagedPolicyArns", []))
    for name in stack.of_type("AWS::IAM::ManagedPolicy"):
        if stack.is_made(name) and (stack.arn(name) in attached or stack.name(principal) in stack.properties(name).get("Roles", [])):
            found.append(stack.properties(name)["PolicyDocument"])
    for name in stack.of_type("AWS::IAM::Policy"):
        if stack.name(principal) in stack.properties(name).get("Users", []):
            found.append(stack.properties(name)["PolicyDocument"])
    assert found, f"{principal} has no policy"
    return found


def statements(stack, principal, effect="Allow"):
    for document in documents(stack, principal):
        yield from (s for s in document["Statement"] if s["Effect"] == effect)


def allowed(stack, principal, action, resource, keys=None, extra=()):
    """Whether the principal may make the call. `extra` are documents that an administrator attaches."""
    context = _context(stack, action, resource, keys)
    parsed = [parse_policy_document(_of_user(d, keys)) for d in [*documents(stack, principal), *extra]]
    return evaluate(context, parsed).decision == "Allow"


def _of_user(document, keys):
    """Replaces the variable of the caller's ID, which this evaluator does not support."""
    user_id = (keys or {}).get("aws:userid", "${aws:userid}")
    return json.loads(json.dumps(document).replace("${aws:userid}", user_id))


def assumable(stack, role, service, keys):
    """Whether a service may assume the role with these context keys."""
    trust = stack.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    ours = [s for s in trust if service in as_list(s["Principal"].get("Service", []))]
    context = _context(stack, "sts:AssumeRole", "*", keys)
    return evaluate(context, [parse_policy_document({"Statement": ours})]).decision == "Allow"


def bucket_denies(stack, action, resource, tls):
    """Whether the artifact bucket's own policy denies an administrator's call."""
    policy = stack.properties("ArtifactBucketPolicy")["PolicyDocument"]
    context = _context(stack, action, resource, {}, tls)
    return evaluate_resource_policy(policy, context).decision == "Deny"


def _context(stack, action, resource, keys, tls=True):
    return EvalContext(
        principal_arn=f"arn:aws:iam::{ACCOUNT}:role/caller",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=stack.region,
        secure_transport=tls,
        source_ip="192.0.2.1",
        service_context={key.lower(): value for key, value in (keys or {}).items()},
    )
