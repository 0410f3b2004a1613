"""A build project as the target of an EventBridge rule.

"The event to send to CodeBuild. This will be the payload for the StartBuild API."
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_events_targets.CodeBuildProjectProps.html
"""

from __future__ import annotations

from typing import Any

from tests.local.aws.codebuild import started_builds
from tests.local.aws.events import targets


def install() -> None:
    targets.deliver_with("codebuild", _start_build)


def _start_build(target: dict, _event: dict, rule: dict, view: Any) -> None:
    targets.require(target, rule, "codebuild:StartBuild")
    name = target["Arn"].rpartition("/")[2]
    given = targets.request_of(target, rule, view)
    started_builds.start({**given, "projectName": name}, f"rule/{rule['Name']}")
