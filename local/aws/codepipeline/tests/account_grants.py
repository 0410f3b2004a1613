"""The grants between a pipeline's account and a source's account, as tables whose statements a test can remove:
`with scene.lacking("bucket", "s3:PutObjectAcl"): ...`.

B is the pipeline's account, the local AWS's own. A is the account of the source, code or image.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from local.aws import LocalAws
from local.aws.codepipeline.tests.pipeline_scene import Scene, trust
from local.aws.testing import policy

A = "111122223333"
# A policy needs at least one statement. These name a resource that does not exist, and allow no caller.
_NOTHING = {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
_NO_PRINCIPAL = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}

Table = dict[str, dict[str, Any]]  # an action, or a name -> its statement


def of(account: str, role: str) -> dict[str, Any]:
    return {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Condition": {"ArnEquals": {"aws:PrincipalArn": role}}}


def allowed(*actions: str, resource: str, **more: Any) -> Table:
    """One statement for each action. No two actions share one."""
    return {action: {"Effect": "Allow", "Action": action, "Resource": resource, **copy.deepcopy(more)}
            for action in actions}


class AcrossAccounts(Scene):
    # Name and events of the role in A that the pipeline assumes, and of A's rule.
    assumed, event_source, event_type = "", "", ""

    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        self.account_a = aws.in_account(A)
        self.iam_there, self.events_there = (self.account_a.client(each) for each in ("iam", "events"))
        self.source_role, self.forward_role = (f"arn:aws:iam::{A}:role/{each}-{name}" for each in (
            self.assumed, "forward"))
        self.forward_rule = f"arn:aws:events:{self.region}:{A}:rule/forward-{name}"
        self.bus = self.arn("events", "event-bus/default")
        self.key = ""
        self.grants: dict[str, Table] = {}

    def grant(self) -> None:
        """The key, the roles in A, and every grant."""
        self.key = self.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        for role in (self.assumed, "forward"):
            self.iam_there.create_role(RoleName=self.role_name(role),
                                       AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
        self.grants = self.all_grants()
        for place, table in self.grants.items():
            self._write(place, table)

    def all_grants(self) -> dict[str, Table]:
        """The grants of every source. A subclass adds those for its reads."""
        objects = f"arn:aws:s3:::{self.bucket}/*"
        return {
            "trust": {"sts:AssumeRole": {"Effect": "Allow", "Action": "sts:AssumeRole",
                                         **of(self.account, self.role_arn("pipeline"))}},
            self.assumed: {**allowed("s3:PutObject", "s3:PutObjectAcl", resource=objects),
                          **allowed("kms:GenerateDataKey", "kms:Decrypt", resource=self.key)},
            "bucket": allowed("s3:PutObject", "s3:PutObjectAcl", resource=objects, **of(A, self.source_role)),
            "key": {"delegation": {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {
                "AWS": f"arn:aws:iam::{self.account}:root"}},
                **allowed("kms:GenerateDataKey", "kms:Decrypt", resource="*", **of(A, self.source_role))},
            "forward trust": {"sts:AssumeRole": {
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
                "Condition": {"ArnEquals": {"aws:SourceArn": self.forward_rule},
                              "StringEquals": {"aws:SourceAccount": A}}}},
            "forward": allowed("events:PutEvents", resource=self.bus),
            "bus": {"events:PutEvents": {
                "Sid": self.name, "Effect": "Allow", "Action": "events:PutEvents", "Resource": self.bus,
                "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                "Condition": {"ArnEquals": {"aws:PrincipalArn": self.forward_role},
                              "StringEquals": {"events:source": self.event_source,
                                               "events:detail-type": self.event_type}}}},
        }

    def _write(self, place: str, table: Table) -> None:
        is_trust = place.endswith("trust")
        document = policy(*(table or {"nothing": _NO_PRINCIPAL if is_trust else _NOTHING}).values())
        if is_trust:
            role = "forward" if place == "forward trust" else self.assumed
            self.iam_there.update_assume_role_policy(RoleName=self.role_name(role), PolicyDocument=document)
        elif place == "bucket":
            self.aws.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=document)
        elif place == "key":
            self.aws.client("kms").put_key_policy(KeyId=self.key, PolicyName="default", Policy=document)
        elif place == "bus" and table:
            self.aws.client("events").put_permission(Policy=document)
        elif place == "bus":
            self.aws.client("events").remove_permission(RemoveAllPermissions=True)
        else:
            iam = self.aws.client("iam") if place in self.rights else self.iam_there
            iam.put_role_policy(RoleName=self.role_name(place), PolicyName="rights", PolicyDocument=document)

    @contextmanager
    def instead(self, place: str, table: Table) -> Iterator[None]:
        self._write(place, table)
        try:
            yield
        finally:
            self._write(place, self.grants[place])

    @contextmanager
    def lacking(self, place: str, grant: str) -> Iterator[None]:
        """Removes one grant within the block."""
        left = {name: statement for name, statement in self.grants[place].items() if name != grant}
        assert len(left) < len(self.grants[place])
        with self.instead(place, left):
            yield

    @contextmanager
    def with_condition(self, place: str, grant: str, operator: str, **keys: str) -> Iterator[None]:
        """Adds a condition to one statement within the block. Keys have `__` for `:` and `_` for `-`."""
        table = copy.deepcopy(self.grants[place])
        condition = table[grant].setdefault("Condition", {}).setdefault(operator, {})
        condition.update({key.replace("__", ":").replace("_", "-"): value for key, value in keys.items()})
        with self.instead(place, table):
            yield

    def forward(self, pattern: dict[str, Any]) -> None:
        """A's rule, which sends matching events to B's bus."""
        self.events_there.put_rule(Name=f"forward-{self.name}", EventPattern=json.dumps(pattern))
        self.events_there.put_targets(Rule=f"forward-{self.name}", Targets=[
            {"Id": "bus", "Arn": self.bus, "RoleArn": self.forward_role}])

    def declaration(self, *stages: list[dict[str, Any]], mode: str = "QUEUED") -> dict[str, Any]:
        made = super().declaration(*stages, mode=mode)
        made["artifactStore"]["encryptionKey"] = {"id": self.key, "type": "KMS"}
        return made

    def push_first(self) -> None:
        """The revision that the pipeline's first execution used."""
        raise NotImplementedError


Kind = TypeVar("Kind", bound=AcrossAccounts)


@contextmanager
def shared_scene(kind: type[Kind], running: LocalAws, directory: Path) -> Iterator[Kind]:
    """One scene for many tests, each of which restores the grants that it removes. Its pipeline ends in an approval, so
    that an execution with complete sources waits there and blocks no other one."""
    made = kind(running, f"t-{uuid.uuid4().hex[:10]}", directory)
    made.prepare()
    made.push_first()
    made.create([made.approval()], mode="PARALLEL")
    yield made
    running.reset()


def for_one_test(scene: Kind) -> Kind:
    scene.aws.set(credential_accepted_after_seconds=0)
    scene.aws.forget()
    return scene
