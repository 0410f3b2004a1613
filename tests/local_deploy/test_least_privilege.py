"""The function's policy, held against what the other tests here made it do."""

from __future__ import annotations

from local_aws import LocalAws
from local_deploy.conftest import Witness
from local_deploy.steps import Environment


def granted(aws: LocalAws, role: str) -> set[str]:
    [name] = aws.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    statements = aws.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    return {action for statement in statements
            for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])}


def test_every_action_of_the_policy_is_used(aws: LocalAws, environment: Environment) -> None:
    # The statement about the key is there while there is a key.
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    with_key = environment.deploy(MirrorSecretKmsKeyArn=key)
    assert with_key.succeeded, with_key.output
    used = {decision["action"] for decision in aws.decisions(environment.function_role) if decision["allowed"]}
    policy = granted(aws, environment.function_role)
    assert policy - used == set()
    print(f"{len(policy)} actions granted, all used")


def test_nothing_was_denied_that_the_tests_did_not_mean_to_be(aws: LocalAws, environment: Environment,
                                                            witness: Witness) -> None:
    denied = [decision for decision in aws.decisions(environment.function_role) if not decision["allowed"]]
    assert [decision for decision in denied if decision not in witness.denials_meant] == []
    assert witness.denials_meant
