"""Compares the roles of CloudFormation with the permissions that each type's handlers need.

handler_permissions.json contains the permissions in the CloudFormation registry. Each one is allowed on a
resource of the right name, or is listed below with the reason why no stack needs it. The types in
tests/policies/allowed.py need a policy of docs/how-to/allow-resources.md. The list handlers are left out:
they find resources to import, for the IaC generator. No stack operation calls them.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/generate-IaC.html
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

import json
from pathlib import Path

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.policies import allowed, scene
from tests.policies import rows_deployment as deployment
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
        **{
            resource_type: arn.format("cfnstack-dev-shop-X")
            for resource_type, (_, arn) in allowed.TYPES.items()
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

_KEYS = "KmsKeyArn: a customer managed key, which DeployPolicyArns may add"
_VPC = "VpcConfig, which DeployPolicyArns may add"
_FILES = "FileSystemConfigs, which DeployPolicyArns may add"
_SIGNING = "CodeSigningConfigArn, which DeployPolicyArns may add"
_CAPACITY = "CapacityProviderConfig and FunctionScalingConfig, which DeployPolicyArns may add"
_RUNTIME = "RuntimeManagementConfig or RuntimePolicy, which DeployPolicyArns may add"
_PROVISIONED = "ProvisionedConcurrencyConfig, which DeployPolicyArns may add"
_GRADUAL = "a gradual deployment through CodeDeploy, which DeployPolicyArns may add"
_NOT_SET = "a property that templates/pipeline.yaml never sets"
_ROLE = "a role that the service assumes"


def _each(reasons):
    return {action: reason for reason, actions in reasons.items() for action in actions.split()}


NOT_GRANTED = {
    "AWS::Lambda::Function": _each(
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
            "Layers, which DeployPolicyArns may add": "lambda:GetLayerVersion",
            "RecursiveLoop, which DeployPolicyArns may add": "lambda:PutFunctionRecursionConfig",
        }
    ),
    "AWS::Lambda::Version": _each(
        {
            _CAPACITY: "lambda:PutFunctionScalingConfig",
            _PROVISIONED: "lambda:PutProvisionedConcurrencyConfig",
            _RUNTIME: "lambda:PutRuntimeManagementConfig",
        }
    ),
    "AWS::Lambda::Alias": _each(
        {
            _GRADUAL: (
                """codedeploy:CreateDeployment codedeploy:GetDeployment codedeploy:GetDeploymentConfig
            codedeploy:GetDeploymentGroup codedeploy:StopDeployment"""
            ),
            _PROVISIONED: "lambda:DeleteProvisionedConcurrencyConfig lambda:PutProvisionedConcurrencyConfig",
        }
    ),
    "AWS::IAM::Role": _each(
        {
            "denied: a boundary is set with CreateRole and stays": (
                "iam:DeleteRolePermissionsBoundary iam:PutRolePermissionsBoundary"
            ),
        }
    ),
    "AWS::CloudFormation::Stack": _each(
        {
            "StackPolicyBody, which AWS documents for no template": "cloudformation:SetStackPolicy",
            "EnableTerminationProtection, which AWS documents for no template": (
                "cloudformation:UpdateTerminationProtection"
            ),
            "RoleARN: a nested stack has its root's role": "iam:PassRole",
        }
    ),
    "AWS::CodeCommit::Repository": _each(
        {
            f"Code: {_NOT_SET}": "codecommit:CreateCommit s3:GetObject s3:GetObjectVersion",
            f"KmsKeyId: {_NOT_SET}": "codecommit:UpdateRepositoryEncryptionKey",
        }
    ),
    "AWS::CodePipeline::Pipeline": _each(
        {
            f"DisableInboundStageTransitions: {_NOT_SET}": (
                "codepipeline:DisableStageTransition codepipeline:EnableStageTransition"
            ),
            f"RestartExecutionOnUpdate: {_NOT_SET}": "codepipeline:StartPipelineExecution",
            f"a source by connection: {_NOT_SET}": "codestar-connections:PassConnection",
        }
    ),
    "AWS::DynamoDB::Table": _each(
        {
            "SSESpecification with a customer managed key": (
                "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:ListAliases kms:RevokeGrant"
            ),
            "ContributorInsightsSpecification": "dynamodb:UpdateContributorInsights",
            "ResourcePolicy": "dynamodb:DeleteResourcePolicy dynamodb:PutResourcePolicy",
            "KinesisStreamSpecification": (
                """dynamodb:DisableKinesisStreamingDestination dynamodb:EnableKinesisStreamingDestination
            dynamodb:UpdateKinesisStreamingDestination kinesis:DescribeStream kinesis:PutRecords"""
            ),
            "replicas in other regions": (
                """dynamodb:AssociateTableReplica dynamodb:BatchWriteItem dynamodb:CreateTableReplica
            dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:Scan
            dynamodb:UpdateItem iam:CreateServiceLinkedRole"""
            ),
            "ImportSourceSpecification": (
                """dynamodb:ImportTable logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogGroups
            logs:DescribeLogStreams logs:PutLogEvents logs:PutRetentionPolicy s3:GetObjectMetadata
            s3:ListBucket"""
            ),
        }
    ),
    "AWS::Lambda::EventSourceMapping": _each({_KEYS: "kms:Decrypt kms:DescribeKey kms:GenerateDataKey"}),
    "AWS::S3::Bucket": _each(
        {
            _ROLE: "iam:PassRole",
            "not an action of IAM: the property's Put action allows it": (
                "s3:DeleteBucketCors s3:DeleteBucketEncryption s3:DeleteBucketLifecycle"
            ),
            "MetadataConfiguration and MetadataTableConfiguration": (
                """s3:CreateBucketMetadataTableConfiguration s3:DeleteBucketMetadataTableConfiguration
            s3:UpdateBucketMetadataAnnotationTableConfiguration
            s3:UpdateBucketMetadataInventoryTableConfiguration
            s3:UpdateBucketMetadataJournalTableConfiguration s3tables:CreateNamespace s3tables:CreateTable
            s3tables:CreateTableBucket s3tables:GetTable s3tables:GetTableMetadataLocation
            s3tables:PutTableBucketPolicy s3tables:PutTableEncryption s3tables:PutTablePolicy
            s3tables:UpdateTableMetadataLocation"""
            ),
            "AnalyticsConfigurations": "s3:DeleteBucketAnalyticsConfiguration s3:PutAnalyticsConfiguration",
            "MetricsConfigurations": "s3:DeleteBucketMetricsConfiguration s3:PutMetricsConfiguration",
            "InventoryConfigurations": "s3:PutInventoryConfiguration",
            "IntelligentTieringConfigurations": "s3:PutIntelligentTieringConfiguration",
            "ReplicationConfiguration": (
                "s3:DeleteBucketReplication s3:PutBucketReplication s3:PutReplicationConfiguration"
            ),
            "WebsiteConfiguration": "s3:DeleteBucketWebsite s3:PutBucketWebsite",
            "AccelerateConfiguration": "s3:PutAccelerateConfiguration",
            "ObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration s3:PutObjectLockConfiguration",
            "AbacStatus": "s3:PutBucketAbac",
            "AccessControl, which new buckets reject": "s3:PutBucketAcl s3:PutObjectAcl",
            "no property: CloudFormation deletes no object": "s3:DeleteObject",
        }
    ),
    "AWS::SNS::Topic": {"iam:PassRole": _ROLE, "sns:PutDataProtectionPolicy": "DataProtectionPolicy"},
    "AWS::SNS::Subscription": {"iam:PassRole": "SubscriptionRoleArn"},
    "AWS::ApiGateway::RestApi": {"apigateway:UpdateRestApiPolicy": "Policy", "iam:PassRole": _ROLE},
    "AWS::ApiGateway::Method": {"iam:PassRole": _ROLE},
    "AWS::ApiGatewayV2::Integration": {"iam:PassRole": _ROLE},
    "AWS::Logs::LogGroup": _each(
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

# The role of templates/deployment.yaml: by type, the resource, and the permissions that it does not have.
_NO_SUCH_PROPERTY = "a property that neither template.yaml nor templates/project.yaml has"
DEPLOYMENT = {
    "AWS::CloudWatch::Alarm": (deployment.ALARM, {}),
    "AWS::CloudWatch::Dashboard": (deployment.DASHBOARD, {}),
    "AWS::Events::Rule": (deployment.RULE, {}),
    "AWS::IAM::ManagedPolicy": (
        deployment.POLICIES[0],
        _each(
            {
                f"Groups, Users: {_NO_SUCH_PROPERTY}": (
                    "iam:AttachGroupPolicy iam:AttachUserPolicy iam:DetachGroupPolicy iam:DetachUserPolicy"
                )
            }
        ),
    ),
    "AWS::IAM::Policy": (
        deployment.FIRST_MIRROR,
        _each(
            {f"Groups: {_NO_SUCH_PROPERTY}": "iam:DeleteGroupPolicy iam:GetGroupPolicy iam:PutGroupPolicy"}
        ),
    ),
    "AWS::IAM::Role": (deployment.FUNCTION_ROLE, {}),
    "AWS::IAM::User": (
        deployment.FIRST_MIRROR,
        _each(
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
        _each(
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
            **{
                action: reason for action, reason in NOT_GRANTED["AWS::S3::Bucket"].items() if reason != _ROLE
            },
            **_each({_NO_SUCH_PROPERTY: "s3:PutBucketCORS s3:PutBucketLogging s3:PutBucketNotification"}),
        },
    ),
    "AWS::S3::BucketPolicy": (deployment.BUCKET, {}),
    "AWS::SecretsManager::RotationSchedule": (deployment.PASSWORD, {}),
}


def permissions(resource_type, published=PUBLISHED):
    return {action for actions in published[resource_type].values() for action in actions}


def keys(resource_type, action):
    """The request's condition keys."""
    if action == "iam:PassRole":
        return passed_to(PASSED_TO.get(resource_type, "cloudformation.amazonaws.com"))
    if resource_type == "AWS::Lambda::EventSourceMapping":
        return allowed.OF_THE_FUNCTION
    if action == "lambda:AddPermission":
        return {"lambda:Principal": "events.amazonaws.com"}
    return WITH_BOUNDARY if resource_type == "AWS::IAM::Role" else {}


def installed(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    return {
        resource_type: {
            name: handler["permissions"]
            for name, handler in schema.get("handlers", {}).items()
            if name != "list"
        }
    }


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
        **dict.fromkeys([*allowed.WITHOUT_RESOURCE, *deployment.LOOKS_OF_HANDLERS.split()], "*"),
    }
    keys_of_all = passed_to("lambda.amazonaws.com")
    denied = {
        action
        for action in permissions(resource_type, installed(resource_type))
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
    caller = scene.stacks()["template"].deployed.arn(role_name)
    if resource_type in allowed.TYPES:
        caller = allowed.deploy_role(*allowed.TYPES[resource_type][0])
    denied = {
        action
        for action in permissions(resource_type)
        if not scene.world().may(
            caller, action, ELSEWHERE.get(action, OWN[role_name][resource_type]), keys(resource_type, action)
        )
    }
    assert denied == set(NOT_GRANTED.get(resource_type, {}))


def test_every_type_of_the_data_is_tried_with_a_role():
    """AWS::CodeBuild::Project publishes no handlers. This test fails when cfn-lint's schemas contain them."""
    assert {resource_type for _, resource_type in CASES} == {each for each in PUBLISHED if PUBLISHED[each]}
    assert [each for each in PUBLISHED if not PUBLISHED[each]] == ["AWS::CodeBuild::Project"]


@pytest.mark.parametrize("resource_type", PUBLISHED)
def test_installed_schema_has_no_permission_the_data_lacks(resource_type):
    assert permissions(resource_type, installed(resource_type)) <= permissions(resource_type)
