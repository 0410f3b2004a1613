"""The actions of AWS: parliament's list of 2025, joined with the operations of the botocore that is
installed.

`tools/requirements/` pins botocore by its hash, so an action becomes visible here in the commit that updates
botocore. Parliament's list has the access levels and the actions that no operation has, such as iam:PassRole.
"""

import fnmatch
import re
from functools import cache

import botocore.session
import parliament

from tests.local.policies.statements import as_list

# The models of botocore whose operations have an IAM prefix. By default a prefix is the name of its only
# model. The Cloud Control API has the prefix of CloudFormation, and S3 Control that of S3:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudcontrolapi.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html API Gateway's actions
# are the verbs of HTTP:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
MODELS = {"apigateway": (), "cloudformation": ("cloudformation", "cloudcontrol"), "s3": ("s3", "s3control")}

# Operations whose IAM action has another name, or none of its own. Every other operation is an action of the
# same name. S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html, and
# the model's text.
_S3 = {
    "CompleteMultipartUpload CopyObject CreateMultipartUpload UploadPart UploadPartCopy": "PutObject",
    "CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
    "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "DeleteBucketAnalyticsConfiguration PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "DeleteBucketCors PutBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketIntelligentTieringConfiguration PutBucketIntelligentTieringConfiguration": (
        "PutIntelligentTieringConfiguration"
    ),
    "DeleteBucketInventoryConfiguration PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketLifecycle PutBucketLifecycle PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    # S3 Control's operations for buckets on Outposts have the prefix s3-outposts.
    "DeleteBucketLifecycleConfiguration": None,
    "DeleteBucketMetricsConfiguration PutBucketMetricsConfiguration": "PutMetricsConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketAbac": "PutBucketABAC",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetBucketAbac": "GetBucketABAC",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAnalyticsConfiguration ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration ListBucketIntelligentTieringConfigurations": (
        "GetIntelligentTieringConfiguration"
    ),
    "GetBucketInventoryConfiguration ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "GetBucketLifecycle GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketMetricsConfiguration ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket ListObjects ListObjectsV2": "ListBucket",
    "HeadObject SelectObjectContent": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListParts": "ListMultipartUploadParts",
    # Of directory buckets, with the prefix s3express, and of Object Lambda and Outposts, with prefixes of
    # their own.
    "CreateSession ListDirectoryBuckets ListAccessPointsForDirectoryBuckets RenameObject": None,
    "DeleteAccessPointScope GetAccessPointScope PutAccessPointScope": None,
    "GetBucket ListRegionalBuckets WriteGetObjectResponse": None,
}
OTHER_NAMES = {
    **{
        f"s3:{operation}": action and f"s3:{action}"
        for operations, action in _S3.items()
        for operation in operations.split()
    },
    # The model: "This operation requires permission for the lambda:InvokeFunction action."
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion",
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
    "kms:ReEncrypt": "kms:ReEncryptFrom",
    # "To add permissions for batch calls, use the action of the single call":
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    # https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sns:PublishBatch": "sns:Publish",
}

# Documented, and neither in parliament's list nor an operation of botocore 1.43.127.
# AssociateRuntimeAlias is only in the create and update handlers of AWS::Lambda::Function, and the tags of
# API Gateway only in those of AWS::ApiGatewayV2::Stage.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SetAlias.html
DOCUMENTED_ACTIONS = frozenset(
    """apigateway:TagResource apigateway:UntagResource cloudformation:RemoveAlias cloudformation:SetAlias
    lambda:AssociateRuntimeAlias""".split()
)

# The verbs of reads. A call that starts or exports something is not a read, and a new verb is a change until
# it is known.
_READS = re.compile(r"(BatchDescribe|BatchGet|Describe|Get|Head|List|Lookup|Search)[A-Z]")
# Reads by AWS's list whose verb does not show it.
OTHER_READS = frozenset(
    {
        "cloudformation:EstimateTemplateCost",
        "cloudformation:ValidateTemplate",
        "cloudwatch:GenerateQuery",
        "codecommit:EvaluatePullRequestApprovalRules",
        "codecommit:GitPull",
        "ecr:BatchCheckLayerAvailability",
        "ecr:ValidatePullThroughCacheRule",
        "events:TestEventPattern",
        "iam:GenerateCredentialReport",
        "iam:GenerateOrganizationsAccessReport",
        "iam:GenerateServiceLastAccessedDetails",
        "iam:SimulateCustomPolicy",
        "iam:SimulatePrincipalPolicy",
        "logs:FilterLogEvents",
        "logs:TestMetricFilter",
        "logs:TestTransformer",
        "sns:CheckIfPhoneNumberIsOptedOut",
    }
)


@cache
def of_parliament(service):
    """Parliament's actions of a service, with their access levels."""
    return {
        f"{service}:{privilege['privilege']}": privilege["access_level"]
        for entry in parliament.iam_definition
        if entry["prefix"] == service
        for privilege in entry["privileges"]
    }


@cache
def operations(service):
    """The operations of a service in the installed botocore, as if each were an action."""
    session = botocore.session.get_session()
    models = set(MODELS.get(service, (service,))) & set(session.get_available_services())
    return frozenset(
        f"{service}:{operation}"
        for model in models
        for operation in session.get_service_model(model).operation_names
    )


@cache
def actions(service):
    """Every action of a service, with its prefix: `s3` gives s3:GetObject and so on. IAM ignores the case of
    an action."""
    known = {action.lower() for action in of_parliament(service)}
    younger = {OTHER_NAMES.get(operation, operation) for operation in operations(service)} - {None}
    younger |= {action for action in DOCUMENTED_ACTIONS if action.startswith(f"{service}:")}
    return frozenset(of_parliament(service)) | {action for action in younger if action.lower() not in known}


@cache
def changes(service):
    """Every action of a service except reads. A read is one by its verb, and by AWS's list if that has the
    action."""
    return frozenset(
        action
        for action in actions(service) - OTHER_READS
        if of_parliament(service).get(action, "Read") not in ("Read", "List")
        or not _READS.match(action.split(":")[1])
    )


def expanded(patterns):
    """All actions that the patterns match."""
    return {
        action
        for pattern in as_list(patterns)
        for action in actions(pattern.split(":")[0])
        if fnmatch.fnmatchcase(action.lower(), pattern.lower())
    }
