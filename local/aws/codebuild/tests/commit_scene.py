"""The scene of builds of a repository's commits: a project with the source type CODECOMMIT and artifacts in S3.

Its role has exactly the permissions that a build uses. A rule starts a build for each push to some branches.
"""

from __future__ import annotations

import json
from typing import Any

from local.aws.codebuild.tests.test_started_builds import a_queue, ended, received, until
from local.aws.codepipeline.tests.pipeline_scene import Scene

PATH = "review/shop"
BUILDSPEC = """version: 0.2
env: {exported-variables: [MADE]}
phases: {build: {commands: ['mkdir -p out/deep', 'cp given out/deep/', 'env | sort > out/environment', 'MADE=yes']}}
artifacts: {base-directory: out, files: ['**/*']}
"""


class CommitScene(Scene):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        rights = self.rights["build"]
        self.rights = {
            "build": {
                "codecommit:GitPull": (self.arn("codecommit", self.repository), {}),
                "s3:PutObject": (f"arn:aws:s3:::{self.bucket}/review/*", {}),
                **{action: right for action, right in rights.items() if action.startswith("logs:")}},
            "events": {"codebuild:StartBuild": (self.arn("codebuild", f"project/{self.project}"), {})},
        }
        self.codebuild = self.aws.client("codebuild")

    def files(self) -> dict[str, str]:
        return {"buildspec.yml": BUILDSPEC, "given": "given\n"}

    def prepare(self, files: dict[str, str] | None = None, buildspec: str = BUILDSPEC) -> None:
        super().prepare(files, buildspec)

    def project_settings(self) -> dict[str, Any]:
        metadata = self.aws.client("codecommit").get_repository(repositoryName=self.repository)["repositoryMetadata"]
        return {**super().project_settings(),
                "source": {"type": "CODECOMMIT", "location": metadata["cloneUrlHttp"]},
                "artifacts": {"type": "S3", "location": self.bucket, "path": PATH, "namespaceType": "BUILD_ID",
                              "name": "/", "packaging": "NONE"}}

    def started(self, version: str = "") -> dict[str, Any]:
        """A build of this version, after its end."""
        request = {"projectName": self.project, **({"sourceVersion": version} if version else {})}
        return ended(self.aws, self.codebuild.start_build(**request)["build"]["id"])

    def phase(self, build: dict[str, Any], name: str) -> dict[str, Any]:
        return next(each for each in build["phases"] if each["phaseType"] == name)

    def objects(self, build: dict[str, Any]) -> dict[str, str]:
        """The build's artifacts by their names below its `artifacts.location`."""
        bucket, _, prefix = build["artifacts"]["location"].removeprefix("arn:aws:s3:::").partition("/")
        s3 = self.aws.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])]
        return {key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
                for key in keys}

    def build_pushes_to(self, branches: str, **target: Any) -> None:
        """A rule for pushes to these branches. By default, its build is of the pushed commit."""
        events = self.aws.client("events")
        given = target or {"InputTransformer": {
            "InputPathsMap": {"branch": "$.detail.referenceName", "commit": "$.detail.commitId"},
            "InputTemplate": '{"sourceVersion":"refs/heads/<branch>^{<commit>}"}'}}
        events.put_rule(Name=self.name, EventPattern=json.dumps({
            "source": ["aws.codecommit"], "resources": [self.arn("codecommit", self.repository)],
            "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceType": ["branch"],
                       "referenceName": [{"wildcard": branches}]}}))
        events.put_targets(Rule=self.name, Targets=[{
            "Id": "build", "Arn": self.arn("codebuild", f"project/{self.project}"),
            "RoleArn": self.role_arn("events"), **given}])

    def builds(self) -> list[str]:
        found: list[str] = self.codebuild.list_builds_for_project(projectName=self.project)["ids"]
        return found

    def queue_of_events(self) -> str:
        """The URL of a queue that gets the events of the project's builds."""
        url, arn = a_queue(self.aws, self.name)
        events, rule = self.aws.client("events"), f"{self.name}-state"
        events.put_rule(Name=rule, EventPattern=json.dumps({
            "source": ["aws.codebuild"], "detail-type": ["CodeBuild Build State Change"],
            "detail": {"project-name": [self.project]}}))
        events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def events(self, url: str, number: int) -> list[dict[str, Any]]:
        """Waits for this number of events, and returns them in their order."""
        found = until(lambda: [each for each in [received(self.aws, url)] if len(each) == number])[0]
        sent = [json.loads(message["Body"]) for message in found]
        return sorted(sent, key=lambda event: event["detail"]["additional-information"]["build-complete"])
