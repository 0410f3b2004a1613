"""A pipeline whose image is in another account, with every grant that it takes as a table to take one out of.

B is the pipeline's account, the local AWS's own; A is the image's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws import LocalAws
from local_aws.conftest import policy
from local_aws.image_scene import BUILDSPEC, TAG, ImageScene, push_image
from local_aws.pipeline_scene import trust

A = "111122223333"
_KEY = {"AccessKeyId": A, "SecretAccessKey": "local"}
_NOBODY = {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
_NO_TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}

Table = dict[str, dict[str, Any]]  # what a statement is for -> the statement


def of(account: str, role: str) -> dict[str, Any]:
    return {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Condition": {"ArnEquals": {"aws:PrincipalArn": role}}}


def allowed(*actions: str, resource: str, **more: Any) -> Table:
    return {action: {"Effect": "Allow", "Action": action, "Resource": resource, **more} for action in actions}


class ImageAccountScene(ImageScene):
    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        self.ecr, self.iam_there, self.events_there = (aws.client(each, _KEY) for each in ("ecr", "iam", "events"))
        self.image_arn = f"arn:aws:ecr:{self.region}:{A}:repository/{self.images}"
        self.image_role, self.forward_role = (f"arn:aws:iam::{A}:role/{each}-{name}" for each in ("image", "forward"))
        self.bus = self.arn("events", "event-bus/default")
        self.key = ""
        self.grants: dict[str, Table] = {}

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = BUILDSPEC) -> None:
        super().prepare(files, buildspec)
        self.key = self.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        for role in ("image", "forward"):
            self.iam_there.create_role(RoleName=f"{role}-{self.name}",
                                       AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
        self.grants = self._grants()
        for place in self.grants:
            self._write(place, self.grants[place])
        for role in ("pipeline", "build"):  # both use the key on artifacts of their own account
            self.rights[role].update({f"kms:{action}": (self.key, {}) for action in ("GenerateDataKey", "Decrypt")})
        self.rights["pipeline"].pop("ecr:DescribeImages")
        self.rights["pipeline"]["sts:AssumeRole"] = (self.image_role, {})
        for role in ("pipeline", "build"):
            self.allow(role, self.rights[role])

    def _grants(self) -> dict[str, Table]:
        objects = f"arn:aws:s3:::{self.bucket}/*"
        rule = f"arn:aws:events:{self.region}:{A}:rule/forward-{self.name}"
        return {
            "trust": {"sts:AssumeRole": {"Effect": "Allow", "Action": "sts:AssumeRole",
                                         **of(self.account, self.role_arn("pipeline"))}},
            "image": {**allowed("ecr:DescribeImages", resource=self.image_arn),
                      **allowed("s3:PutObject", "s3:PutObjectAcl", resource=objects),
                      **allowed("kms:GenerateDataKey", "kms:Decrypt", resource=self.key)},
            "bucket": allowed("s3:PutObject", "s3:PutObjectAcl", resource=objects, **of(A, self.image_role)),
            "key": {"own account": {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {
                "AWS": f"arn:aws:iam::{self.account}:root"}},
                **allowed("kms:GenerateDataKey", "kms:Decrypt", resource="*", **of(A, self.image_role))},
            "forward trust": {"sts:AssumeRole": {
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "events.amazonaws.com"},
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}},
            "forward": allowed("events:PutEvents", resource=self.bus),
            "bus": {"events:PutEvents": {
                "Sid": self.name, "Effect": "Allow", "Action": "events:PutEvents", "Resource": self.bus,
                "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                "Condition": {"ArnEquals": {"aws:PrincipalArn": self.forward_role},
                              "StringEquals": {"events:source": "aws.ecr", "events:detail-type": "ECR Image Action"}}}},
        }

    def _write(self, place: str, table: Table) -> None:
        document = policy(*(table or {"none": _NO_TRUST if place.endswith("trust") else _NOBODY}).values())
        if place in ("image", "forward"):
            self.iam_there.put_role_policy(RoleName=f"{place}-{self.name}", PolicyName="rights",
                                           PolicyDocument=document)
        elif place.endswith("trust"):
            role = "forward" if place == "forward trust" else "image"
            self.iam_there.update_assume_role_policy(RoleName=f"{role}-{self.name}", PolicyDocument=document)
        elif place == "bucket":
            self.aws.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=document)
        elif place == "key":
            self.aws.client("kms").put_key_policy(KeyId=self.key, PolicyName="default", Policy=document)
        elif table:
            self.aws.client("events").put_permission(Policy=document)
        else:
            self.aws.client("events").remove_permission(RemoveAllPermissions=True)

    @contextmanager
    def lacking(self, place: str, grant: str) -> Iterator[None]:
        """While one grant is not there."""
        left = {name: statement for name, statement in self.grants[place].items() if name != grant}
        assert len(left) < len(self.grants[place])
        self._write(place, left)
        try:
            yield
        finally:
            self._write(place, self.grants[place])

    def push_image(self, word: str, tag: str | None = TAG) -> str:
        return push_image(self.ecr, self.images, word, tag)

    def start_on_push(self, account: str = A, role: str = "events") -> None:
        """A's rule forwards to B's bus, where the rule waits that starts the pipeline."""
        super().start_on_push(account, role)
        self.events_there.put_rule(Name=f"forward-{self.name}", EventPattern=json.dumps({
            "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
            "detail": {"action-type": ["PUSH"], "repository-name": [self.images], "image-tag": [TAG]}}))
        self.events_there.put_targets(Rule=f"forward-{self.name}", Targets=[
            {"Id": "bus", "Arn": self.bus, "RoleArn": self.forward_role}])

    def image(self, **configuration: str) -> dict[str, Any]:
        return {**super().image(**configuration), "roleArn": self.image_role}

    def declaration(self, *stages: list[dict[str, Any]], mode: str = "QUEUED") -> dict[str, Any]:
        made = super().declaration(*stages, mode=mode)
        made["artifactStore"]["encryptionKey"] = {"id": self.key, "type": "KMS"}
        return made
