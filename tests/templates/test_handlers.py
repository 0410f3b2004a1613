"""The provisioning role against the registry's schemas, which say what each type's handlers call.

The schemas are those that cfn-lint carries. AWS::CodeBuild::Project has no handlers there, and
cfn-lint leaves those of AWS::CodeCommit::Repository out.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from deployed import REGION, as_list
from permissions import statements

# What handlers call for properties that a pipeline's stack never sets.
NEVER_ASKED = {
    "AWS::CodePipeline::Pipeline": {
        "codepipeline:DisableStageTransition", "codepipeline:EnableStageTransition",
        "codepipeline:StartPipelineExecution",  # RestartExecutionOnUpdate
        "codestar-connections:PassConnection",
    },
    "AWS::Events::Rule": set(),
    "AWS::Logs::LogGroup": {
        "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
        "logs:PutDataProtectionPolicy", "logs:CreateLogDelivery", "s3:REST.PUT.OBJECT", "firehose:TagDeliveryStream",
        "logs:PutResourcePolicy", "logs:DeleteResourcePolicy",
        "logs:PutIndexPolicy", "logs:DeleteIndexPolicy",
        "logs:PutLogGroupDeletionProtection", "logs:PutBearerTokenAuthentication",
    },
}


def handlers(resource_type):
    """The permissions of every handler that a stack calls."""
    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema["handlers"]
    return {action for name, handler in found.items() if name != "list" for action in handler["permissions"]}


@pytest.mark.parametrize("resource_type", NEVER_ASKED)
def test_what_a_types_handlers_need_is_granted_or_is_for_what_is_never_set(dev, resource_type):
    granted = {action for statement in statements(dev, "ProvisioningRole") for action in as_list(statement["Action"])}
    assert handlers(resource_type) - granted == NEVER_ASKED[resource_type]
