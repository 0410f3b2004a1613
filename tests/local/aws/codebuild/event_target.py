"""A build project as the target of an EventBridge rule.

"The event to send to CodeBuild. This will be the payload for the StartBuild API."
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_events_targets.CodeBuildProjectProps.html
"""

from __future__ import annotations

from typing import Any

from tests.local.aws.codebuild import started_builds
from tests.local.aws.events import targets
from tests.local.aws.events.targets import Busy, Undelivered


def install() -> None:
    targets.deliver_with("codebuild", _start_build)


def _start_build(target: dict, _event: dict, rule: dict, view: Any) -> None:
    targets.require(target, rule, "codebuild:StartBuild")
    name = target["Arn"].rpartition("/")[2]
    given = targets.request_of(target, rule, view)
    if given.get("projectName", name) != name:
        raise Undelivered("INVALID_PARAMETER", "the input names another project than the target")
    try:
        started_builds.start({**given, "projectName": name}, f"rule/{rule['Name']}")
    except started_builds.NotHere as missing:
        raise Undelivered("NO_RESOURCE", str(missing)) from None
    except started_builds.Invalid as invalid:
        raise Undelivered("INVALID_PARAMETER", str(invalid)) from None
    except started_builds.LimitReached:
        raise Busy from None
