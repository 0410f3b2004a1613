"""A pipeline whose source is in another account, made with the plain API, and every grant that it takes as a table to
take one out of: `with scene.without("bucket", "s3:PutObjectAcl"): ...`.

B is the pipeline's account, the local AWS's own; A is the repository's.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws import LocalAws
from local_aws.conftest import policy
from local_aws.pipeline_scene import BRANCH, Scene, trust

A = "111122223333"
_TRANSFORMER = {"InputPathsMap": {"commit": "$.detail.commitId"}, "InputTemplate": json.dumps({"sourceRevisions": [
    {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "<commit>"}]})}

Table = dict[str, dict[str, Any]]  # an action, or a name, -> its statement


class CrossAccountScene(Scene):
    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        (directory / "there").mkdir()
        self.there = Scene(aws.in_account(A), name, directory / "there")
        self.source_role = f"arn:aws:iam::{A}:role/source-{name}"
        self.forward_role = f"arn:aws:iam::{A}:role/forward-{name}"
        self.forward_rule = f"arn:aws:events:{self.region}:{A}:rule/forward-{name}"
        self.bus = f"arn:aws:events:{self.region}:{self.account}:event-bus/default"
        self.key = ""
        self.grants: dict[str, Table] = {}

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = "") -> None:
        self.aws.set(credential_accepted_after_seconds=0)
        self.there.aws.client("codecommit").create_repository(repositoryName=self.repository)
        self.there.clone()
        self.key = self.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.make_surroundings()
        for role in ("source", "forward"):
            self.there.aws.client("iam").create_role(RoleName=f"{role}-{self.name}",
                                                     AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
        self.grants = self._all_grants()
        for place in self.grants:
            self._write(place)
        self._make_rules()

    def _all_grants(self) -> dict[str, Table]:
        objects = f"arn:aws:s3:::{self.bucket}/*"
        pipeline_role = self.role_arn("pipeline")
        repository = self.there.arn("codecommit", self.repository)

        def allow(*actions: str, resource: str, **more: Any) -> Table:
            return {action: {"Effect": "Allow", "Action": action, "Resource": resource, **copy.deepcopy(more)}
                    for action in actions}

        def of(account: str, role: str) -> dict[str, Any]:
            return {"Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Condition": {"ArnEquals": {"aws:PrincipalArn": role}}}

        delegated = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"}, "Action": "kms:*",
                     "Resource": "*"}
        # The pipeline's role takes no part in what the source's and the build's write and read under the key.
        return {
            "pipeline": {**allow("sts:AssumeRole", resource=self.source_role),
                         **allow("s3:GetObject", "s3:PutObject", resource=objects),
                         **allow("codebuild:StartBuild", "codebuild:BatchGetBuilds",
                                 resource=self.arn("codebuild", f"project/{self.project}"))},
            "build": {**allow("s3:GetObject", "s3:PutObject", resource=objects),
                      **allow("kms:GenerateDataKey", "kms:Decrypt", resource=self.key),
                      **allow("logs:CreateLogStream", "logs:PutLogEvents",
                              resource=self.arn("logs", f"log-group:{self.log_group}:*"))},
            "trust": {"sts:AssumeRole": {"Effect": "Allow", "Action": "sts:AssumeRole",
                                         **of(self.account, pipeline_role)}},
            "source": {**allow("codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive",
                               "codecommit:GetUploadArchiveStatus", resource=repository),
                       **allow("s3:PutObject", "s3:PutObjectAcl", resource=objects),
                       **allow("kms:GenerateDataKey", "kms:Decrypt", resource=self.key)},
            "bucket": {**allow("s3:PutObject", "s3:PutObjectAcl", resource=objects, **of(A, self.source_role)),
                       "TlsOnly": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": objects,
                                   "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                       "KmsOnly": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects,
                                   "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}},
            "key": {"delegation": delegated,
                    **allow("kms:GenerateDataKey", "kms:Decrypt", resource="*", **of(A, self.source_role))},
            "forward trust": {"sts:AssumeRole": {
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
                "Condition": {"ArnEquals": {"aws:SourceArn": self.forward_rule},
                              "StringEquals": {"aws:SourceAccount": A}}}},
            "forward": allow("events:PutEvents", resource=self.bus),
            "bus": {"events:PutEvents": {
                "Sid": self.name, "Effect": "Allow", "Action": "events:PutEvents", "Resource": self.bus,
                "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                "Condition": {"ArnEquals": {"aws:PrincipalArn": self.forward_role},
                              "StringEquals": {"events:source": "aws.codecommit",
                                               "events:detail-type": "CodeCommit Repository State Change"}}}},
            "events": allow("codepipeline:StartPipelineExecution", resource=self.arn("codepipeline", self.pipeline)),
        }

    def _write(self, place: str, table: Table | None = None) -> None:
        statements = list((self.grants[place] if table is None else table).values())
        document = policy(*statements)
        here, there = self.aws.client("iam"), self.there.aws.client("iam")
        if place in ("pipeline", "build", "events"):
            here.put_role_policy(RoleName=self.role_name(place), PolicyName="rights", PolicyDocument=document)
        elif place in ("source", "forward"):
            there.put_role_policy(RoleName=f"{place}-{self.name}", PolicyName="rights", PolicyDocument=document)
        elif place == "trust":
            there.update_assume_role_policy(RoleName=f"source-{self.name}", PolicyDocument=document)
        elif place == "forward trust":
            there.update_assume_role_policy(RoleName=f"forward-{self.name}", PolicyDocument=document)
        elif place == "bucket":
            self.aws.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=document)
        elif place == "key":
            self.aws.client("kms").put_key_policy(KeyId=self.key, PolicyName="default", Policy=document)
        elif statements:
            self.aws.client("events").put_permission(Policy=document)
        else:
            self.aws.client("events").remove_permission(RemoveAllPermissions=True)

    @contextmanager
    def without(self, place: str, grant: str) -> Iterator[None]:  # type: ignore[override]
        """While one grant is not there."""
        left = {name: statement for name, statement in self.grants[place].items() if name != grant}
        assert len(left) < len(self.grants[place])
        with self.instead(place, left):
            yield

    @contextmanager
    def instead(self, place: str, table: Table) -> Iterator[None]:
        # A policy has a statement at least; this one is about nobody's resource.
        nothing = {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        trusts = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        empty = {} if place == "bus" else {"nothing": trusts if place.endswith("trust") else nothing}
        self._write(place, table or empty)
        try:
            yield
        finally:
            self._write(place)

    @contextmanager
    def with_condition(self, place: str, grant: str, operator: str, **keys: str) -> Iterator[None]:
        """While one statement has a further condition; keys are written with `__` for `:` and `_` for `-`."""
        table = copy.deepcopy(self.grants[place])
        condition = table[grant].setdefault("Condition", {}).setdefault(operator, {})
        condition.update({key.replace("__", ":").replace("_", "-"): value for key, value in keys.items()})
        with self.instead(place, table):
            yield

    def _make_rules(self) -> None:
        """A's rule forwards to B's bus; B's rule starts the pipeline with the commit that was pushed."""
        pattern = json.dumps({
            "source": ["aws.codecommit"], "detail-type": ["CodeCommit Repository State Change"],
            "resources": [self.there.arn("codecommit", self.repository)],
            "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": [BRANCH]}})
        there, here = self.there.aws.client("events"), self.aws.client("events")
        there.put_rule(Name=f"forward-{self.name}", EventPattern=pattern)
        there.put_targets(Rule=f"forward-{self.name}", Targets=[
            {"Id": "bus", "Arn": self.bus, "RoleArn": self.forward_role}])
        here.put_rule(Name=f"start-{self.name}", EventPattern=pattern)
        here.put_targets(Rule=f"start-{self.name}", Targets=[{
            "Id": "pipeline", "Arn": self.arn("codepipeline", self.pipeline), "RoleArn": self.role_arn("events"),
            "InputTransformer": _TRANSFORMER}])

    def source(self, **configuration: str) -> dict[str, Any]:
        return {**super().source(**configuration), "roleArn": self.source_role}

    def declaration(self, *stages: list[dict[str, Any]], mode: str = "QUEUED") -> dict[str, Any]:
        made = super().declaration(*stages, mode=mode)
        made["artifactStore"]["encryptionKey"] = {"id": self.key, "type": "KMS"}
        return made
