"""A build project and a pipeline as the targets of EventBridge rules.

"The event to send to CodeBuild. This will be the payload for the StartBuild API."
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_events_targets.CodeBuildProjectProps.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from typing import Any

from ministack.core.responses import get_account_id, get_region

from tests.local.aws import service_shapes
from tests.local.aws.codebuild import started_builds
from tests.local.aws.codepipeline import api as codepipeline_api
from tests.local.aws.events import targets
from tests.local.aws.events.targets import Undelivered
from tests.local.aws.json_api import Rejected


def install() -> None:
    targets.deliver_with("codebuild", _start_build)
    targets.deliver_with("codepipeline", _start_pipeline)


def _start_build(target: dict, _event: dict, rule: dict, view: Any) -> None:
    targets.require(target, rule, "codebuild:StartBuild")
    name = target["Arn"].rpartition("/")[2]
    given = targets.request_of(target, rule, view)
    started_builds.start({**given, "projectName": name}, f"rule/{rule['Name']}")


def _start_pipeline(target: dict, _event: dict, rule: dict, view: Any) -> None:
    name = target["Arn"].removeprefix(f"arn:aws:codepipeline:{get_region()}:{get_account_id()}:")
    if name == target["Arn"]:
        raise Undelivered("NO_RESOURCE", "the target is another account's or region's")
    targets.require(target, rule, "codepipeline:StartPipelineExecution")
    given = targets.request_of(target, rule, view)
    request = {"name": name, **{key: given[key] for key in ("sourceRevisions", "variables") if key in given}}
    if faults := service_shapes.request_faults("codepipeline", "StartPipelineExecution", request):
        raise Undelivered("INVALID_PARAMETER", "; ".join(faults))
    try:
        codepipeline_api.start(request, "CloudWatchEvent", rule["Arn"])
    except Rejected as rejected:
        raise Undelivered("INVALID_PARAMETER", f"{rejected.code}: {rejected.message}") from None
