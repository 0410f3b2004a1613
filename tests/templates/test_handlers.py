"""Compares the roles of CloudFormation with the permissions that each type's handlers need.

handler_permissions.json contains the permissions in the CloudFormation registry. Each one is allowed on a resource of
the right name, or is listed below with the reason why no stack needs it.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

import json
from pathlib import Path

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.policies import scene
from tests.templates.named import (
    BUCKET,
    BUILD_LOG,
    PIPELINE,
    PIPELINE_RULE,
    REPOSITORY,
    WITH_BOUNDARY,
    function,
    passed_to,
    role,
    rule,
    stack_arn,
)

PUBLISHED = json.loads((Path(__file__).parent / "handler_permissions.json").read_text())["types"]
DEPLOY, PROVISION = "CodeDeployCFnRole", "ProvisioningRole"

# The resource with which each type's permissions are evaluated: by service, or by action if that differs.
OWN = {
    DEPLOY: {
        "AWS::Lambda::Function": function("lambda-dev-shop"),
        "AWS::Lambda::Version": function("lambda-dev-shop:1"),
        "AWS::Lambda::Alias": function("lambda-dev-shop:live"),
        "AWS::Lambda::Permission": function("lambda-dev-shop"),
        "AWS::Lambda::EventInvokeConfig": function("lambda-dev-shop"),
        "AWS::Events::Rule": rule("event-rule-dev-nightly"),
        "AWS::IAM::Role": role("role-dev-shop"),
        "AWS::CloudFormation::Stack": stack_arn("cfnstack-dev-shop-Network-1A2B3C"),
    },
    PROVISION: {
        "AWS::CodeCommit::Repository": REPOSITORY,
        "AWS::CodePipeline::Pipeline": PIPELINE,
        "AWS::Events::Rule": PIPELINE_RULE,
        "AWS::Logs::LogGroup": BUILD_LOG,
    },
}
ELSEWHERE = {
    "s3:GetObject": f"{BUCKET}/code.zip",
    "s3:GetObjectVersion": f"{BUCKET}/code.zip",
    "codecommit:ListRepositories": "*",
    "logs:DescribeIndexPolicies": "*",
    "logs:DescribeLogGroups": "*",
    "logs:DescribeResourcePolicies": "*",
    "iam:GetRole": role("role-dev-shop"),
    "iam:PassRole": role("role-dev-shop"),
}
PASSED_TO = {
    "AWS::Lambda::Function": "lambda.amazonaws.com",
    "AWS::Events::Rule": "events.amazonaws.com",
    "AWS::CodePipeline::Pipeline": "codepipeline.amazonaws.com",
}

# The list handlers find resources to import, for the IaC generator. No stack operation calls them.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/generate-IaC.html
_LIST = "only the list handler, which no stack operation calls"
_KEYS = "KmsKeyArn: a customer managed key, which DeployPolicyArns may add"
_VPC = "VpcConfig, which DeployPolicyArns may add"
_FILES = "FileSystemConfigs, which DeployPolicyArns may add"
_SIGNING = "CodeSigningConfigArn, which DeployPolicyArns may add"
_CAPACITY = "CapacityProviderConfig and FunctionScalingConfig, which DeployPolicyArns may add"
_RUNTIME = "RuntimeManagementConfig or RuntimePolicy, which DeployPolicyArns may add"
_PROVISIONED = "ProvisionedConcurrencyConfig, which DeployPolicyArns may add"
_GRADUAL = "a gradual deployment through CodeDeploy, which DeployPolicyArns may add"
_NOT_SET = "a property that templates/pipeline.yaml never sets"

NOT_GRANTED = {
    "AWS::Lambda::Function": {
        "ec2:DescribeNetworkInterfaces": _VPC,
        "ec2:DescribeSecurityGroups": _VPC,
        "ec2:DescribeSubnets": _VPC,
        "ec2:DescribeVpcs": _VPC,
        "elasticfilesystem:DescribeMountTargets": _FILES,
        "kms:CreateGrant": _KEYS,
        "kms:Decrypt": _KEYS,
        "kms:DescribeKey": _KEYS,
        "kms:Encrypt": _KEYS,
        "kms:GenerateDataKey": _KEYS,
        "lambda:DeleteFunctionCodeSigningConfig": _SIGNING,
        "lambda:GetCodeSigningConfig": _SIGNING,
        "lambda:GetLayerVersion": "Layers, which DeployPolicyArns may add",
        "lambda:ListFunctions": _LIST,
        "lambda:PassCapacityProvider": _CAPACITY,
        "lambda:PutFunctionCodeSigningConfig": _SIGNING,
        "lambda:PutFunctionRecursionConfig": "RecursiveLoop, which DeployPolicyArns may add",
        "lambda:PutFunctionScalingConfig": _CAPACITY,
        "lambda:PutRuntimeManagementConfig": _RUNTIME,
        "s3files:ListMountTargets": _FILES,
    },
    "AWS::Lambda::Version": {
        "lambda:PutFunctionScalingConfig": _CAPACITY,
        "lambda:PutProvisionedConcurrencyConfig": _PROVISIONED,
        "lambda:PutRuntimeManagementConfig": _RUNTIME,
    },
    "AWS::Lambda::Alias": {
        "codedeploy:CreateDeployment": _GRADUAL,
        "codedeploy:GetDeployment": _GRADUAL,
        "codedeploy:GetDeploymentConfig": _GRADUAL,
        "codedeploy:GetDeploymentGroup": _GRADUAL,
        "codedeploy:StopDeployment": _GRADUAL,
        "lambda:DeleteProvisionedConcurrencyConfig": _PROVISIONED,
        "lambda:ListAliases": _LIST,
        "lambda:PutProvisionedConcurrencyConfig": _PROVISIONED,
    },
    "AWS::Lambda::EventInvokeConfig": {"lambda:ListFunctionEventInvokeConfigs": _LIST},
    "AWS::Events::Rule": {"events:ListRules": _LIST},
    "AWS::IAM::Role": {
        "iam:DeleteRolePermissionsBoundary": "denied: a boundary is set with CreateRole and stays",
        "iam:ListRoles": _LIST,
        "iam:PutRolePermissionsBoundary": "denied: a boundary is set with CreateRole and stays",
    },
    "AWS::CloudFormation::Stack": {
        "cloudformation:ListStacks": _LIST,
        "cloudformation:SetStackPolicy": "StackPolicyBody, which AWS documents for no template",
        "cloudformation:UpdateTerminationProtection": "EnableTerminationProtection, which AWS documents for no template",
        "iam:PassRole": "RoleARN: a nested stack has its root's role",
    },
    "AWS::CodeCommit::Repository": {
        "codecommit:CreateCommit": _NOT_SET,  # Code
        "codecommit:UpdateRepositoryEncryptionKey": _NOT_SET,  # KmsKeyId
        "s3:GetObject": _NOT_SET,  # Code
        "s3:GetObjectVersion": _NOT_SET,
    },
    "AWS::CodePipeline::Pipeline": {
        "codepipeline:DisableStageTransition": _NOT_SET,  # DisableInboundStageTransitions
        "codepipeline:EnableStageTransition": _NOT_SET,
        "codepipeline:ListPipelines": _LIST,
        "codepipeline:StartPipelineExecution": _NOT_SET,  # RestartExecutionOnUpdate
        "codestar-connections:PassConnection": _NOT_SET,  # a source by connection
    },
    "AWS::Logs::LogGroup": {
        "firehose:TagDeliveryStream": _NOT_SET,  # DataProtectionPolicy
        "logs:AssociateKmsKey": _NOT_SET,
        "logs:CreateLogDelivery": _NOT_SET,  # DataProtectionPolicy
        "logs:DeleteIndexPolicy": _NOT_SET,
        "logs:DeleteResourcePolicy": _NOT_SET,
        "logs:DisassociateKmsKey": _NOT_SET,
        "logs:PutBearerTokenAuthentication": _NOT_SET,
        "logs:PutDataProtectionPolicy": _NOT_SET,
        "logs:PutIndexPolicy": _NOT_SET,
        "logs:PutLogGroupDeletionProtection": _NOT_SET,
        "logs:PutResourcePolicy": _NOT_SET,
        "s3:REST.PUT.OBJECT": _NOT_SET,  # DataProtectionPolicy
    },
}


def permissions(resource_type, published=PUBLISHED):
    return {action for actions in published[resource_type].values() for action in actions}


def keys(resource_type, action):
    """The request's condition keys."""
    if action == "iam:PassRole":
        return passed_to(PASSED_TO.get(resource_type, "cloudformation.amazonaws.com"))
    if action == "lambda:AddPermission":
        return {"lambda:Principal": "events.amazonaws.com"}
    return WITH_BOUNDARY if resource_type == "AWS::IAM::Role" else {}


CASES = [(role_name, resource_type) for role_name, types in OWN.items() for resource_type in types]


@pytest.mark.parametrize(("role_name", "resource_type"), CASES)
def test_handler_permission_is_granted_or_has_a_reason(role_name, resource_type):
    caller = scene.stacks()["template"].deployed.arn(role_name)
    denied = {
        action for action in permissions(resource_type)
        if not scene.world().may(caller, action, ELSEWHERE.get(action, OWN[role_name][resource_type]), keys(resource_type, action))
    }
    assert denied == set(NOT_GRANTED.get(resource_type, {}))


def test_every_type_of_the_data_is_tried_with_a_role():
    """AWS::CodeBuild::Project publishes no handlers. This test fails when cfn-lint's schemas contain them."""
    assert {resource_type for _, resource_type in CASES} == {each for each in PUBLISHED if PUBLISHED[each]}
    assert [each for each in PUBLISHED if not PUBLISHED[each]] == ["AWS::CodeBuild::Project"]


@pytest.mark.parametrize("resource_type", PUBLISHED)
def test_installed_schema_has_no_permission_the_data_lacks(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    installed = {name: handler["permissions"] for name, handler in schema.get("handlers", {}).items()}
    assert permissions(resource_type, {resource_type: installed}) <= permissions(resource_type)
