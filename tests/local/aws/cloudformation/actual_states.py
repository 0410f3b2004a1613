"""The actual states of a stack's resources, for change sets that revert drift: MiniStack's readers, and
further ones.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html

"CloudFormation will read the configuration of resources in your account at the time of change set creation
via underlying service APIs." The read handler of a type's schema in the registry lists the permissions for
it.

A type without a reader here is UNSUPPORTED.
"""

import copy
import json
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import eventbridge
from ministack.services.cloudformation import drift, provisioners

from tests.local.aws.cloudformation import stack_permissions
from tests.local.aws.cloudformation.stack_permissions import Need
from tests.local.aws.iam.service_roles import Denied, Session

_RULE = {"Name", "Description", "EventPattern", "RoleArn", "ScheduleExpression", "State", "Tags", "Targets"}
# The actions of a read handler that this local AWS evaluates: without those for properties that no template
# here has.
_READS = {
    "AWS::Events::Rule": ("events:DescribeRule", "events:ListTargetsByRule", "events:ListTagsForResource"),
    "AWS::IAM::Role": ("iam:GetRole",),
    "AWS::Lambda::Function": ("lambda:GetFunction",),
    "AWS::Logs::LogGroup": ("logs:ListTagsForResource",),
    "AWS::SNS::Topic": ("sns:GetTopicAttributes", "sns:ListTagsForResource"),
    "AWS::SSM::Parameter": ("ssm:GetParameters", "ssm:ListTagsForResource"),
}


def install() -> None:
    drift._DRIFT_READERS["AWS::Events::Rule"] = (_rule, frozenset(_RULE))


class State:
    """The comparison of one resource with the last deployment. `status` is the ResourceDriftStatus."""

    def __init__(
        self, stack: dict[str, Any], logical_id: str, record: dict[str, Any], session: Session | None
    ) -> None:
        self.deployed: dict[str, Any] = record.get("Properties") or {}
        self.actual: dict[str, Any] = dict(self.deployed)
        self.physical_id: str = record["PhysicalResourceId"]
        self.drifted: list[str] = []
        self.read_at = now_iso()
        self.status = self._status(stack, logical_id, record, session)

    def _status(
        self, stack: dict[str, Any], logical_id: str, record: dict[str, Any], session: Session | None
    ) -> str:
        resource_type = record["ResourceType"]
        if not drift.supports_drift(resource_type):
            return "UNSUPPORTED"
        try:
            for need in _reads(resource_type, record):
                if session is not None:
                    session.require(need.action, need.resource)
        except Denied:
            # "Drift status could not be determined." That a denied read is such a case is not documented. (?)
            return "UNKNOWN"
        found = drift.detect_resource_drift(stack, logical_id, record, self.read_at)
        status = str(found["StackResourceDriftStatus"])
        if status == "MODIFIED":
            read = json.loads(found["ActualProperties"])
            # PropertyPath is `/Property/...`
            self.drifted = sorted(
                {each["PropertyPath"].split("/")[1] for each in found["PropertyDifferences"]}
            )
            for name in self.drifted:
                self.actual.pop(name, None)
            self.actual |= {name: read[name] for name in self.drifted if name in read}
        return status


def _reads(resource_type: str, record: dict[str, Any]) -> list[Need]:
    """The same resource as for the type's update."""
    change = stack_permissions.Change(
        record["PhysicalResourceId"], record.get("Properties") or {}, record.get("Properties") or {}
    )
    known = stack_permissions.needs(resource_type, change) or []
    services = {each.split(":")[0] for each in _READS.get(resource_type, ())}
    resource = next(
        (
            need.resource
            for need in reversed(known)
            if need.action.split(":")[0] in services and need.action != "iam:PassRole"
        ),
        "",
    )
    if resource_type == "AWS::Logs::LogGroup":
        # The tag operations have the bare ARN.
        resource = stack_permissions.arn_of("logs", f"log-group:{record['PhysicalResourceId']}")
    return [Need(action, resource) for action in _READS.get(resource_type, ()) if resource]


def _rule(physical_id: str, props: dict[str, Any]) -> dict[str, Any] | None:
    key = eventbridge._rule_key(physical_id, provisioners._eb_rule_bus_name(props))
    rule = eventbridge._rules.get(key)
    if rule is None:
        return None
    tags = eventbridge._tags.get(rule["Arn"]) or {}
    found = {
        name: rule[name]
        for name in ("Name", "Description", "RoleArn", "ScheduleExpression", "State")
        if rule.get(name)
    }
    if rule.get("EventPattern"):
        found["EventPattern"] = drift._json_or(rule["EventPattern"])
    return {
        **found,
        "Targets": copy.deepcopy(eventbridge._targets.get(key) or []),
        "Tags": provisioners._tag_map(tags),
    }
