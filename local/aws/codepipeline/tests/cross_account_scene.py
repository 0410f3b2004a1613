"""A pipeline whose code is in another account, created with API calls only.

B is the pipeline's account, the local AWS's own. A is the repository's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.aws import LocalAws
from local.aws.codepipeline.tests.account_grants import AcrossAccounts, Table, allowed
from local.aws.codepipeline.tests.pipeline_scene import BRANCH, BUILDSPEC, Scene, eventually

_TRANSFORMER = {"InputPathsMap": {"commit": "$.detail.commitId"}, "InputTemplate": json.dumps({"sourceRevisions": [
    {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "<commit>"}]})}


class CrossAccountScene(AcrossAccounts):
    assumed, event_source, event_type = "source", "aws.codecommit", "CodeCommit Repository State Change"

    def __init__(self, aws: LocalAws, name: str, directory: Path) -> None:
        super().__init__(aws, name, directory)
        (directory / "there").mkdir()
        self.there = Scene(self.account_a, name, directory / "there")

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = "") -> None:
        self.make_surroundings()
        self.there.aws.client("codecommit").create_repository(repositoryName=self.repository)
        self.there.clone()
        self.grant()
        self._make_rules()

    def prepare_to_build(self) -> None:
        """The same with the files of a build, and a first push that can be built."""
        self.prepare()
        self.aws.client("logs").create_log_group(logGroupName=self.log_group)
        self.make_project()
        self.push_first()

    def push_first(self) -> None:
        self.there.push({"buildspec.yml": BUILDSPEC, **self.files()})
        # Otherwise its event would arrive after the pipeline's creation and start it again.
        eventually(lambda: self.aws.decisions(f"assumed-role/{self.role_name('events')}/"), bool)

    def runs_of(self, commit: str) -> list[dict[str, Any]]:
        return [each for each in self.executions()
                if commit in [revision["revisionId"] for revision in each.get("sourceRevisions", [])]]

    def all_grants(self) -> dict[str, Table]:
        made, objects = super().all_grants(), f"arn:aws:s3:::{self.bucket}/*"
        made[self.assumed].update(allowed(
            "codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive",
            "codecommit:GetUploadArchiveStatus", resource=self.there.arn("codecommit", self.repository)))
        made["bucket"].update({
            "TlsOnly": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": objects,
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            "KmsOnly": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects,
                        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}})
        # The pipeline's role does not take part in the source's and the build's use of the key.
        return {
            **made,
            "pipeline": {**allowed("sts:AssumeRole", resource=self.source_role),
                         **allowed("s3:GetObject", "s3:PutObject", resource=objects),
                         **allowed("codebuild:StartBuild", "codebuild:BatchGetBuilds",
                                   resource=self.arn("codebuild", f"project/{self.project}"))},
            "build": {**allowed("s3:GetObject", "s3:PutObject", resource=objects),
                      **allowed("kms:GenerateDataKey", "kms:Decrypt", resource=self.key),
                      **allowed("logs:CreateLogStream", "logs:PutLogEvents",
                                resource=self.arn("logs", f"log-group:{self.log_group}:*"))},
            "events": allowed("codepipeline:StartPipelineExecution", resource=self.arn("codepipeline", self.pipeline)),
        }

    def _make_rules(self) -> None:
        """A's rule forwards to B's bus. B's rule starts the pipeline with the pushed commit."""
        pattern = {
            "source": [self.event_source], "detail-type": [self.event_type],
            "resources": [self.there.arn("codecommit", self.repository)],
            "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": [BRANCH]}}
        self.forward(pattern)
        events = self.aws.client("events")
        events.put_rule(Name=f"start-{self.name}", EventPattern=json.dumps(pattern))
        events.put_targets(Rule=f"start-{self.name}", Targets=[{
            "Id": "pipeline", "Arn": self.arn("codepipeline", self.pipeline), "RoleArn": self.role_arn("events"),
            "InputTransformer": _TRANSFORMER}])

    def source(self, **configuration: str) -> dict[str, Any]:
        return {**super().source(**configuration), "roleArn": self.source_role}
