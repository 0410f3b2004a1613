"""The function's policy, held against what the other tests here made it do: it needs them to have run."""

from __future__ import annotations

from local_aws import LocalAws
from local_deploy import steps
from local_deploy.conftest import Witness
from local_deploy.steps import Environment


def test_every_action_of_the_policy_is_used(aws: LocalAws, environment: Environment, witness: Witness) -> None:
    # logs:* among them: the platform uses those, in the role's name, whenever the function runs.
    used = {decision["action"] for decision in aws.decisions(environment.function_role) if decision["allowed"]}
    granted = witness.granted | steps.granted_actions(aws, environment.function_role)
    assert granted - used == set()
    print(f"{len(granted)} actions granted, all used")


def test_nothing_was_denied_that_the_tests_did_not_mean_to_be(aws: LocalAws, environment: Environment,
                                                            witness: Witness) -> None:
    denied = [decision for decision in aws.decisions(environment.function_role) if not decision["allowed"]]
    assert [decision for decision in denied if decision not in witness.denials_meant] == []
    assert witness.denials_meant
