"""Types that the policies of templates/deployed-services.yaml allow, with their names, and the actions of the
handlers that they leave out."""

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.policies import scene
from tests.policies.scene import PIPELINES
from tests.templates.named import function, regional, role

TABLE, BUCKET = regional("dynamodb", "table/{}"), "arn:aws:s3:::{}"
QUEUE, TOPIC = regional("sqs", "{}"), regional("sns", "{}")
API = f"arn:aws:apigateway:{scene.REGION}::/"
MAPPING, LOGS = regional("lambda", "event-source-mapping:0a1b2c3d"), regional("logs", "log-group:{}")
ALARM, KEY, SECRET = (
    regional("cloudwatch", "alarm:{}"),
    regional("kms", "key/of-a-template"),
    regional("secretsmanager", "secret:{}-AbC123"),
)
ALIAS = regional("kms", "alias/{}")
OF_THE_FUNCTION = {"lambda:FunctionArn": function("cfnstack-dev-shop-X")}
BY_CLOUDFORMATION = "cfnstack-{}-shop-X"
# The names that a policy allows: CloudFormation's beside one of one's own, one of one's own alone, or any.
BOTH, OWN_ALONE, NAMELESS = "both", "own", "none"
# By type: the policy, the ARN with the place of its name, the names, and the first word of one's own.
TYPES = {
    "AWS::DynamoDB::Table": ("data", TABLE, BOTH, "table"),
    "AWS::S3::Bucket": ("data", BUCKET, BOTH, "bucket"),
    "AWS::S3::BucketPolicy": ("data", BUCKET, BOTH, "bucket"),
    "AWS::SQS::Queue": ("messages", QUEUE, BOTH, "queue"),
    "AWS::SQS::QueuePolicy": ("messages", QUEUE, BOTH, "queue"),
    "AWS::SNS::Topic": ("messages", TOPIC, BOTH, "topic"),
    "AWS::SNS::TopicPolicy": ("messages", TOPIC, BOTH, "topic"),
    "AWS::SNS::Subscription": ("messages", TOPIC, BOTH, "topic"),
    "AWS::Kinesis::Stream": ("messages", regional("kinesis", "stream/{}"), BOTH, "stream"),
    "AWS::ApiGateway::RestApi": ("functions", f"{API}restapis/a1b2c3d4e5", NAMELESS, ""),
    "AWS::ApiGateway::Deployment": ("functions", f"{API}restapis/a1b2/deployments/f6a7b8", NAMELESS, ""),
    "AWS::ApiGateway::Stage": ("functions", f"{API}restapis/a1b2/stages/live", NAMELESS, ""),
    "AWS::ApiGateway::Resource": ("functions", f"{API}restapis/a1b2/resources/f6a7b8", NAMELESS, ""),
    "AWS::ApiGateway::Method": ("functions", f"{API}restapis/a1b2/resources/f6/methods/GET", NAMELESS, ""),
    "AWS::ApiGatewayV2::Api": ("functions", f"{API}apis/a1b2c3d4e5", NAMELESS, ""),
    "AWS::ApiGatewayV2::Stage": ("functions", f"{API}apis/a1b2c3d4e5/stages/live", NAMELESS, ""),
    "AWS::ApiGatewayV2::Route": ("functions", f"{API}apis/a1b2c3d4e5/routes/f6a7b8", NAMELESS, ""),
    "AWS::ApiGatewayV2::Integration": ("functions", f"{API}apis/a1b2/integrations/f6a7b8", NAMELESS, ""),
    "AWS::Lambda::EventSourceMapping": ("functions", MAPPING, NAMELESS, ""),
    "AWS::Lambda::LayerVersion": ("functions", regional("lambda", "layer:{}"), OWN_ALONE, "layer"),
    "AWS::Scheduler::Schedule": (
        "functions",
        regional("scheduler", "schedule/default/{}"),
        BOTH,
        "schedule",
    ),
    "AWS::StepFunctions::StateMachine": (
        "functions",
        regional("states", "stateMachine:{}"),
        OWN_ALONE,
        "state-machine",
    ),
    "AWS::Logs::LogGroup": ("observation", LOGS, BOTH, "log"),
    "AWS::Logs::MetricFilter": ("observation", LOGS, BOTH, "log"),
    "AWS::Logs::SubscriptionFilter": ("observation", LOGS, BOTH, "log"),
    "AWS::CloudWatch::Alarm": ("observation", ALARM, BOTH, "alarm"),
    "AWS::CloudWatch::CompositeAlarm": ("observation", ALARM, BOTH, "alarm"),
    "AWS::CloudWatch::Dashboard": (
        "observation",
        f"arn:aws:cloudwatch::{PIPELINES}:dashboard/{{}}",
        OWN_ALONE,
        "dashboard",
    ),
    "AWS::SSM::Parameter": ("configuration", regional("ssm", "parameter/{}"), OWN_ALONE, "parameter"),
    "AWS::SecretsManager::Secret": ("configuration", SECRET, OWN_ALONE, "secret"),
    "AWS::SecretsManager::RotationSchedule": ("configuration", SECRET, OWN_ALONE, "secret"),
    "AWS::KMS::Key": ("configuration", KEY, NAMELESS, ""),
    "AWS::KMS::Alias": ("configuration", ALIAS, OWN_ALONE, "key"),
    "AWS::ECR::Repository": ("containers", regional("ecr", "repository/{}"), BOTH, "repository"),
    "AWS::ECS::Cluster": ("containers", regional("ecs", "cluster/{}"), BOTH, "cluster"),
    "AWS::ECS::Service": ("containers", regional("ecs", "service/{}/web"), BOTH, "cluster"),
    "AWS::ECS::TaskDefinition": ("containers", regional("ecs", "task-definition/{}:1"), BOTH, "task"),
}
# Usual kinds of templates, and their types without AWS::.
KINDS = {
    "table": "DynamoDB::Table",
    "bucket with a policy": "S3::Bucket S3::BucketPolicy",
    "queue with a dead-letter queue": "SQS::Queue SQS::QueuePolicy",
    "topic with a subscription": "SNS::Topic SNS::TopicPolicy SNS::Subscription",
    "stream": "Kinesis::Stream",
    "function with a role and a rule": (
        """Lambda::Function Lambda::Version Lambda::Alias Lambda::Permission Lambda::EventInvokeConfig
        IAM::Role Events::Rule"""
    ),
    "schedule": "Scheduler::Schedule",
    "HTTP API": "ApiGatewayV2::Api ApiGatewayV2::Stage ApiGatewayV2::Route ApiGatewayV2::Integration",
    "REST API": (
        """ApiGateway::RestApi ApiGateway::Deployment ApiGateway::Stage ApiGateway::Resource
        ApiGateway::Method"""
    ),
    "state machine": "StepFunctions::StateMachine",
    "function with a source of events": "Lambda::EventSourceMapping",
    "layer": "Lambda::LayerVersion",
    "log group with filters": "Logs::LogGroup Logs::MetricFilter Logs::SubscriptionFilter",
    "alarm": "CloudWatch::Alarm CloudWatch::CompositeAlarm",
    "dashboard": "CloudWatch::Dashboard",
    "parameter": "SSM::Parameter",
    "secret with a rotation": "SecretsManager::Secret SecretsManager::RotationSchedule",
    "key with an alias": "KMS::Key KMS::Alias",
    "repository of images": "ECR::Repository",
    "cluster with a service": "ECS::Cluster ECS::Service ECS::TaskDefinition",
}
# IAM has no resource for these actions.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
WITHOUT_RESOURCE = set(
    """cloudwatch:DescribeAlarms ecs:DeregisterTaskDefinition ecs:DescribeTaskDefinition kms:CreateKey
    kms:ListAliases lambda:CreateEventSourceMapping logs:DescribeIndexPolicies logs:DescribeLogGroups
    logs:DescribeResourcePolicies secretsmanager:GetRandomPassword sns:GetSubscriptionAttributes
    sns:SetSubscriptionAttributes sns:Unsubscribe""".split()
)
ROLE, ROLE_OF_ECS = role("role-dev-shop"), role("aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
PASSED_TO = {
    "AWS::S3::Bucket": "s3.amazonaws.com",
    **dict.fromkeys(("AWS::SNS::Topic", "AWS::SNS::Subscription"), "sns.amazonaws.com"),
    **dict.fromkeys(
        ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Integration"),
        "apigateway.amazonaws.com",
    ),
    "AWS::Scheduler::Schedule": "scheduler.amazonaws.com",
    "AWS::StepFunctions::StateMachine": "states.amazonaws.com",
    "AWS::Logs::SubscriptionFilter": "logs.amazonaws.com",
    "AWS::ECS::TaskDefinition": "ecs-tasks.amazonaws.com",
}

_KEYS = "a customer managed key"


def each(reasons):
    return {action: reason for reason, actions in reasons.items() for action in actions.split()}


NOT_GRANTED = {
    "AWS::DynamoDB::Table": each(
        {
            _KEYS: "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:RevokeGrant",
            "KinesisStreamSpecification": (
                """dynamodb:DisableKinesisStreamingDestination dynamodb:EnableKinesisStreamingDestination
            dynamodb:UpdateKinesisStreamingDestination kinesis:DescribeStream kinesis:PutRecords"""
            ),
            "replicas": (
                """dynamodb:AssociateTableReplica dynamodb:BatchWriteItem dynamodb:CreateTableReplica
            dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:Scan
            dynamodb:UpdateItem iam:CreateServiceLinkedRole"""
            ),
            "ImportSourceSpecification": (
                """dynamodb:DescribeImport dynamodb:ImportTable logs:CreateLogGroup logs:CreateLogStream
            logs:DescribeLogStreams logs:PutLogEvents logs:PutRetentionPolicy
            s3:GetObjectMetadata s3:ListBucket"""
            ),
        }
    ),
    "AWS::S3::Bucket": each(
        {
            "not an action of IAM: the property's Put action allows it": (
                """s3:DeleteBucketAnalyticsConfiguration s3:DeleteBucketCors s3:DeleteBucketEncryption
            s3:DeleteBucketLifecycle s3:DeleteBucketMetricsConfiguration s3:DeleteBucketReplication
            s3:PutBucketReplication s3:PutObjectLockConfiguration"""
            ),
            "MetadataConfiguration MetadataTableConfiguration": (
                """s3:CreateBucketMetadataTableConfiguration s3:DeleteBucketMetadataTableConfiguration
            s3:UpdateBucketMetadataAnnotationTableConfiguration
            s3:UpdateBucketMetadataInventoryTableConfiguration
            s3:UpdateBucketMetadataJournalTableConfiguration s3tables:CreateNamespace s3tables:CreateTable
            s3tables:CreateTableBucket s3tables:GetTable s3tables:GetTableMetadataLocation
            s3tables:PutTableBucketPolicy s3tables:PutTableEncryption s3tables:PutTablePolicy
            s3tables:UpdateTableMetadataLocation"""
            ),
            "AccessControl": "s3:PutBucketAcl s3:PutObjectAcl",
            "no property: CloudFormation deletes no object": "s3:DeleteObject",
        }
    ),
    "AWS::Kinesis::Stream": each(
        {"DesiredShardLevelMetrics": "kinesis:DisableEnhancedMonitoring kinesis:EnableEnhancedMonitoring"}
    ),
    **dict.fromkeys(
        ("AWS::Lambda::EventSourceMapping", "AWS::StepFunctions::StateMachine"),
        each({_KEYS: "kms:Decrypt kms:DescribeKey kms:GenerateDataKey"}),
    ),
    "AWS::Logs::LogGroup": each(
        {
            "log of a data protection policy": (
                """firehose:TagDeliveryStream logs:CreateLogDelivery logs:DeleteResourcePolicy
            logs:PutResourcePolicy s3:REST.PUT.OBJECT"""
            ),
            "BearerTokenAuthenticationEnabled": "logs:PutBearerTokenAuthentication",
            "FieldIndexPolicies": "logs:DeleteIndexPolicy logs:PutIndexPolicy",
            _KEYS: "logs:AssociateKmsKey logs:DisassociateKmsKey",
        }
    ),
    "AWS::ECR::Repository": each({_KEYS: "kms:CreateGrant kms:DescribeKey kms:RetireGrant"}),
    "AWS::ECS::Cluster": each(
        {
            _KEYS: "kms:DescribeKey",
            "no property: settings of the account": "ecs:PutAccountSetting ecs:PutAccountSettingDefault",
        }
    ),
    "AWS::ECS::Service": each({"ServiceConnectConfiguration VolumeConfigurations": "iam:PassRole"}),
    "AWS::SecretsManager::RotationSchedule": each({"HostedRotationLambda": "iam:PassRole"}),
}


def handlers(resource_type):
    """The permissions of the handlers in the CloudFormation registry, as cfn-lint has them.

    The list handlers are left out: they find resources to import, for the IaC generator. No stack operation
    calls them.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/generate-IaC.html
    """
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    return {
        name: handler["permissions"] for name, handler in schema.get("handlers", {}).items() if name != "list"
    }


def permissions(resource_type):
    return {action for actions in handlers(resource_type).values() for action in actions}


def names(resource_type, env="dev"):
    """The names that the policies allow."""
    _, _, forms, word = TYPES[resource_type]
    own = [f"{word}-{env}-orders"] if word else []
    return [*([BY_CLOUDFORMATION.format(env)] if forms == BOTH else []), *own]


def granted(resource_type):
    return permissions(resource_type) - NOT_GRANTED.get(resource_type, {}).keys()
