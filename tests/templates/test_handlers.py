"""Compares the roles of CloudFormation with the permissions that each type's handlers need.

Each permission is allowed on a resource of the right name, or is listed with the reason why no stack needs
it. The types in tests/policies/allowed.py need a policy of templates/deployed-services.yaml.
"""

import json
import re
from pathlib import Path

import pytest

from tests.policies import allowed, scene
from tests.policies import rows_deployment as deployment
from tests.policies.allowed import each, permissions
from tests.policies.rows_services import DEPLOYS
from tests.templates.deployed import TEMPLATES, source, translated
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

ROOT = Path(__file__).parents[2]
ALLOW = ROOT / "docs/how-to/allow-resources.md"
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
        **{
            resource_type: arn.format(*allowed.names(resource_type)[:1])
            for resource_type, (_, arn, _, _) in allowed.TYPES.items()
        },
    },
    PROVISION: {
        "AWS::CodeCommit::Repository": REPOSITORY,
        "AWS::CodePipeline::Pipeline": PIPELINE,
        "AWS::Events::Rule": PIPELINE_RULE,
        "AWS::Logs::LogGroup": BUILD_LOG,
    },
}
ELSEWHERE = {
    **dict.fromkeys(allowed.WITHOUT_RESOURCE, "*"),
    "s3:getObject": f"{BUCKET}/code.zip",  # as some schemas have it
    "s3:GetObject": f"{BUCKET}/code.zip",
    "s3:GetObjectVersion": f"{BUCKET}/code.zip",
    "codecommit:ListRepositories": "*",
    "iam:GetRole": allowed.ROLE,
    "iam:PassRole": allowed.ROLE,
    "lambda:GetLayerVersion": function("layer-dev-shop").replace("function", "layer"),
    "lambda:InvokeFunction": function("lambda-dev-shop"),
}
OF_CLUSTERS = {"iam:CreateServiceLinkedRole": allowed.ROLE_OF_ECS}
PASSED_TO = {
    "AWS::Lambda::Function": "lambda.amazonaws.com",
    "AWS::Events::Rule": "events.amazonaws.com",
    "AWS::CodePipeline::Pipeline": "codepipeline.amazonaws.com",
    **allowed.PASSED_TO,
}

# docs/how-to/allow-resources.md names them.
_KEYS, _VPC, _FILES = "a customer managed key", "VpcConfig", "FileSystemConfigs"
_SIGNING, _CAPACITY = "CodeSigningConfigArn", "CapacityProviderConfig"
_RUNTIME, _PROVISIONED = "RuntimeManagementConfig", "ProvisionedConcurrencyConfig"
_GRADUAL = "DeploymentPreference"
_NOT_SET = "a property that templates/pipeline.yaml never sets"


NOT_GRANTED = {
    "AWS::Lambda::Function": each(
        {
            _VPC: (
                "ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups ec2:DescribeSubnets"
                " ec2:DescribeVpcs"
            ),
            _FILES: "elasticfilesystem:DescribeMountTargets s3files:ListMountTargets",
            _KEYS: "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey",
            _SIGNING: (
                """lambda:DeleteFunctionCodeSigningConfig lambda:GetCodeSigningConfig
            lambda:PutFunctionCodeSigningConfig"""
            ),
            _CAPACITY: "lambda:PassCapacityProvider lambda:PutFunctionScalingConfig",
            _RUNTIME: "lambda:PutRuntimeManagementConfig",
            "RecursiveLoop": "lambda:PutFunctionRecursionConfig",
        }
    ),
    "AWS::Lambda::Version": each(
        {
            _CAPACITY: "lambda:PutFunctionScalingConfig",
            _PROVISIONED: "lambda:PutProvisionedConcurrencyConfig",
            _RUNTIME: "lambda:PutRuntimeManagementConfig",
        }
    ),
    "AWS::Lambda::Alias": each(
        {
            _GRADUAL: (
                """codedeploy:CreateDeployment codedeploy:GetDeployment codedeploy:GetDeploymentConfig
            codedeploy:GetDeploymentGroup codedeploy:StopDeployment"""
            ),
            _PROVISIONED: "lambda:DeleteProvisionedConcurrencyConfig lambda:PutProvisionedConcurrencyConfig",
        }
    ),
    "AWS::IAM::Role": each(
        {
            "denied: a boundary is set with CreateRole and stays": (
                "iam:DeleteRolePermissionsBoundary iam:PutRolePermissionsBoundary"
            ),
        }
    ),
    "AWS::CloudFormation::Stack": each(
        {
            "StackPolicyBody, which AWS documents for no template": "cloudformation:SetStackPolicy",
            "EnableTerminationProtection, which AWS documents for no template": (
                "cloudformation:UpdateTerminationProtection"
            ),
            "RoleARN: a nested stack has its root's role": "iam:PassRole",
        }
    ),
    "AWS::CodeCommit::Repository": each(
        {
            f"Code: {_NOT_SET}": "codecommit:CreateCommit s3:GetObject s3:GetObjectVersion",
            f"KmsKeyId: {_NOT_SET}": "codecommit:UpdateRepositoryEncryptionKey",
        }
    ),
    "AWS::CodePipeline::Pipeline": each(
        {
            f"DisableInboundStageTransitions: {_NOT_SET}": (
                "codepipeline:DisableStageTransition codepipeline:EnableStageTransition"
            ),
            f"RestartExecutionOnUpdate: {_NOT_SET}": "codepipeline:StartPipelineExecution",
            f"a source by connection: {_NOT_SET}": "codestar-connections:PassConnection",
        }
    ),
    "AWS::Logs::LogGroup": each(
        {
            f"DataProtectionPolicy: {_NOT_SET}": (
                "firehose:TagDeliveryStream logs:CreateLogDelivery logs:PutDataProtectionPolicy"
                " s3:REST.PUT.OBJECT"
            ),
            _NOT_SET: (
                """logs:AssociateKmsKey logs:DeleteIndexPolicy logs:DeleteResourcePolicy
            logs:DisassociateKmsKey logs:PutBearerTokenAuthentication logs:PutIndexPolicy
            logs:PutLogGroupDeletionProtection logs:PutResourcePolicy"""
            ),
        }
    ),
}
OF_SERVICES = {**NOT_GRANTED, **allowed.NOT_GRANTED}

# The role of templates/deployment.yaml: by type, the resource, and the permissions that it does not have.
_NO_SUCH_PROPERTY = "a property that neither template.yaml nor templates/project.yaml has"
DEPLOYMENT = {
    "AWS::CloudWatch::Alarm": (deployment.ALARM, {}),
    "AWS::CloudWatch::Dashboard": (deployment.DASHBOARD, {}),
    "AWS::Events::Rule": (deployment.RULE, {}),
    "AWS::IAM::ManagedPolicy": (
        deployment.POLICIES[0],
        each(
            {
                f"Groups, Users: {_NO_SUCH_PROPERTY}": (
                    "iam:AttachGroupPolicy iam:AttachUserPolicy iam:DetachGroupPolicy iam:DetachUserPolicy"
                )
            }
        ),
    ),
    "AWS::IAM::Policy": (
        deployment.FIRST_MIRROR,
        each({f"Groups: {_NO_SUCH_PROPERTY}": "iam:DeleteGroupPolicy iam:GetGroupPolicy iam:PutGroupPolicy"}),
    ),
    "AWS::IAM::Role": (deployment.FUNCTION_ROLE, {}),
    "AWS::IAM::User": (
        deployment.FIRST_MIRROR,
        each(
            {
                f"Groups, LoginProfile, ManagedPolicyArns, Path: {_NO_SUCH_PROPERTY}": (
                    """iam:AddUserToGroup iam:AttachUserPolicy iam:CreateLoginProfile
            iam:DeleteLoginProfile iam:DetachUserPolicy iam:RemoveUserFromGroup iam:UpdateLoginProfile
            iam:UpdateUser"""
                ),
                "no property: the user has no access key": "iam:DeleteAccessKey",
            }
        ),
    ),
    "AWS::Lambda::EventInvokeConfig": (deployment.FUNCTION, {}),
    "AWS::Lambda::Function": (
        deployment.FUNCTION,
        each(
            {
                _NO_SUCH_PROPERTY: (
                    """elasticfilesystem:DescribeMountTargets s3files:ListMountTargets kms:CreateGrant
            kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey
            lambda:DeleteFunctionCodeSigningConfig lambda:GetCodeSigningConfig lambda:GetLayerVersion
            lambda:PassCapacityProvider lambda:PublishVersion lambda:PutFunctionCodeSigningConfig
            lambda:PutFunctionRecursionConfig lambda:PutFunctionScalingConfig
            lambda:PutRuntimeManagementConfig"""
                ),
                "`sam deploy` names no version of the code": "s3:GetObjectVersion",
            }
        ),
    ),
    "AWS::Lambda::Permission": (deployment.FUNCTION, {}),
    "AWS::Logs::LogGroup": (deployment.LOGS[0], NOT_GRANTED["AWS::Logs::LogGroup"]),
    "AWS::S3::Bucket": (
        deployment.BUCKET,
        {
            **allowed.NOT_GRANTED["AWS::S3::Bucket"],
            **each(
                {
                    _NO_SUCH_PROPERTY: (
                        """s3:DeleteBucketWebsite s3:PutAccelerateConfiguration s3:PutAnalyticsConfiguration
            s3:PutBucketAbac s3:PutBucketCORS s3:PutBucketLogging s3:PutBucketNotification
            s3:PutBucketObjectLockConfiguration s3:PutBucketWebsite s3:PutIntelligentTieringConfiguration
            s3:PutInventoryConfiguration s3:PutMetricsConfiguration s3:PutReplicationConfiguration"""
                    )
                }
            ),
        },
    ),
    "AWS::S3::BucketPolicy": (deployment.BUCKET, {}),
    "AWS::SecretsManager::RotationSchedule": (deployment.PASSWORD, {}),
}


def keys(resource_type, action):
    """The request's condition keys."""
    if action == "iam:PassRole":
        return passed_to(PASSED_TO.get(resource_type, "cloudformation.amazonaws.com"))
    if resource_type == "AWS::Lambda::EventSourceMapping":
        return allowed.OF_THE_FUNCTION
    if action == "lambda:AddPermission":
        return {"lambda:Principal": "events.amazonaws.com"}
    return WITH_BOUNDARY if resource_type == "AWS::IAM::Role" else {}


@pytest.mark.parametrize("resource_type", DEPLOYMENT)
def test_deployment_has_each_permission_or_a_reason(resource_type):
    resource, reasons = DEPLOYMENT[resource_type]
    elsewhere = {
        "s3:GetObject": deployment.UPLOAD,
        "lambda:InvokeFunction": deployment.FUNCTION,
        **{
            f"iam:{verb}Role{end}": deployment.FUNCTION_ROLE
            for verb in ("Attach", "Delete", "Detach", "Get", "Pass", "Put")
            for end in ("", "Policy")
        },
        **dict.fromkeys(deployment.LOOKS_OF_HANDLERS.split(), "*"),
    }
    keys_of_all = passed_to("lambda.amazonaws.com")
    denied = {
        action
        for action in permissions(resource_type)
        if not scene.world().may(deployment.ROLE, action, elsewhere.get(action, resource), keys_of_all)
    }
    assert denied == set(reasons)


def test_every_type_of_an_environment_is_tried_with_the_role():
    made = {
        resource["Type"]
        for template in (translated(), source(TEMPLATES / "project.yaml"))
        for resource in template["Resources"].values()
    }
    assert {each for each in made if each.startswith("AWS::")} == set(DEPLOYMENT)


CASES = [(role_name, resource_type) for role_name, types in OWN.items() for resource_type in types]


@pytest.mark.parametrize(("role_name", "resource_type"), CASES)
def test_handler_permission_is_granted_or_has_a_reason(role_name, resource_type):
    caller = DEPLOYS if role_name == DEPLOY else scene.stacks()["template"].deployed.arn(role_name)
    elsewhere = {**ELSEWHERE, **OF_CLUSTERS} if resource_type == "AWS::ECS::Cluster" else ELSEWHERE
    denied = {
        action
        for action in permissions(resource_type)
        if not scene.world().may(
            caller, action, elsewhere.get(action, OWN[role_name][resource_type]), keys(resource_type, action)
        )
    }
    reasons = OF_SERVICES if caller == DEPLOYS else NOT_GRANTED
    assert denied == set(reasons.get(resource_type, {}))


def test_fake_aws_has_the_same_schemas():
    """cargo test runs without cfn-lint, so the types of the Rust tests are in a file."""
    held = json.loads((ROOT / "tests/fake-aws/src/services/stacks/handlers.json").read_text())
    assert held == {
        each: {name: sorted(actions) for name, actions in allowed.handlers(each).items()} for each in held
    }


def test_every_type_of_a_usual_template_is_tried():
    types = {f"AWS::{each}" for types in allowed.KINDS.values() for each in types.split()}
    assert types | {"AWS::CloudFormation::Stack"} == OWN[DEPLOY].keys()


def test_page_names_what_is_missing():
    missing = ALLOW.read_text().partition("### What is missing")[2].partition("\n## ")[0]
    reasons = {
        reason
        for resource_type, of_type in OF_SERVICES.items()
        if resource_type in OWN[DEPLOY]
        for reason in of_type.values()
    }
    named = {
        reason
        for reason in reasons
        if not re.match("denied|no property|not an action|.*(: |, which)", reason)
    }
    assert {word for each in named for word in re.split(" (?=[A-Z])", each) if word not in missing} == set()
