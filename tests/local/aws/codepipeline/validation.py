"""A pipeline's declaration with its defaults, checked when the pipeline is created or updated.

tests/templates checks the actions of each rendered pipeline with cfn-lint, so they are not checked here. A mistake in a
variable fails the execution: `actions`.
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_CreatePipeline.html
"""

from __future__ import annotations

import re
from typing import Any

from tests.local.aws import json_api
from tests.local.aws.codepipeline import model as pipeline_model, stage_validation
from tests.local.aws.iam import service_roles
from tests.local.aws.json_api import Rejected

VARIABLE = re.compile(r"#\{([^{}]*)\}")
# The type of source revision with which a source action can be started.
# https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
REVISION_TYPES = {"CodeCommit": "COMMIT_ID", "ECR": "IMAGE_DIGEST"}


def checked(declaration: dict[str, Any], arn: str) -> dict[str, Any]:
    """The declaration with its defaults. Raises `Rejected`."""
    faults = pipeline_model.declaration_faults(declaration)
    if faults:
        raise json_api.validation_error(faults)
    made = {"pipelineType": "V1", "executionMode": "SUPERSEDED", **declaration}
    made["stages"] = [{**stage, "actions": [{"runOrder": 1, **action} for action in stage["actions"]]}
                      for stage in made["stages"]]
    stage_validation.check(made)
    try:
        service_roles.assume(made["roleArn"], "codepipeline.amazonaws.com", arn)
    except service_roles.NotAssumable:
        raise Rejected("InvalidStructureException", "CodePipeline is not authorized to perform AssumeRole on role "
                                                    f"{made['roleArn']}") from None
    return made
