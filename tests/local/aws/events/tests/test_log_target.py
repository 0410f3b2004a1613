"""Events that reach a log group."""

import json

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import allow, eventually, policy

SERVICES = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]


@pytest.mark.parametrize(("services", "expected"), [(SERVICES, ["1"]), (SERVICES[:1], [])])
def test_log_group_gets_events_by_its_policy(
    aws: LocalAws, name: str, services: list[str], expected: list[str]
) -> None:
    logs, events, groups = (
        aws.client("logs"),
        aws.client("events"),
        [f"/aws/events/{name}", f"/aws/events/{name}-other"],
    )
    for group, principals in zip(groups, (services, SERVICES), strict=True):
        arn = f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{group}"
        logs.create_log_group(logGroupName=group)
        logs.put_resource_policy(
            policyName=group.rsplit("/", 1)[-1],
            policyDocument=policy(
                allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    f"{arn}:*",
                    Principal={"Service": principals},
                )
            ),
        )
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        events.put_targets(Rule=name, Targets=[{"Id": group.rsplit("/", 1)[-1], "Arn": arn}])
    events.put_events(Entries=[{"Source": name, "DetailType": "a test", "Detail": '{"number": "1"}'}])

    def numbers(group: str) -> list[str]:
        lines = logs.filter_log_events(logGroupName=group)["events"]
        return [json.loads(each["message"])["detail"]["number"] for each in lines]

    eventually(lambda: numbers(groups[1]))
    assert numbers(groups[0]) == expected
