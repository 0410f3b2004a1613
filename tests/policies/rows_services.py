"""The deploy role with the policies of templates/deployed-services.yaml.

The rows are those of CloudFormation's handlers: allowed.py has the types, with their names.
"""

from tests.policies import allowed, scene
from tests.policies.allowed import (
    ALIAS,
    API,
    BUCKET,
    KEY,
    LOGS,
    MAPPING,
    OF_THE_FUNCTION,
    PASSED_TO,
    QUEUE,
    ROLE,
    ROLE_OF_ECS,
    TOPIC,
    TYPES,
    WITHOUT_RESOURCE,
)
from tests.policies.rows_limits import KEY_OF_NOTIFICATIONS
from tests.policies.scene import PIPELINES
from tests.policies.tables import BUCKET as ARTIFACTS
from tests.policies.tables import DEPLOY_ROLE, regional, role
from tests.templates.named import APPROVAL_TOPIC, FOREIGN_BUCKET, function, passed_to

DEPLOYS = f"{DEPLOY_ROLE} with deployed services"
# The calls that other policies of the deploy role allow, or that have resources of their own.
ELSEWHERE = {"iam:CreateServiceLinkedRole", "iam:GetRole", "iam:PassRole", "lambda:InvokeFunction"}
INVOKERS = [
    f"{service}.amazonaws.com"
    for service in "apigateway lambda.alarms.cloudwatch logs s3 secretsmanager sns".split()
]


def of_type(resource_type):
    """The actions of its handlers on a resource of its own."""
    return {
        action
        for action in allowed.granted(resource_type) - ELSEWHERE - WITHOUT_RESOURCE
        if not action.startswith("s3:") or resource_type.startswith("AWS::S3::")
    }


def _on(resource_type, resource):
    keys = OF_THE_FUNCTION if resource == MAPPING else {}
    return DEPLOYS, " ".join(sorted(of_type(resource_type))), resource, keys


def _of_names(env, forms):
    for resource_type, (_, arn, _, word) in TYPES.items():
        for name in forms(resource_type, env) if word else ():
            yield _on(resource_type, arn.format(name))


def _not_by_cloudformation(resource_type, _env):
    """CloudFormation's name of a type whose policy allows only one of one's own."""
    return [allowed.BY_CLOUDFORMATION.format("dev")] if TYPES[resource_type][2] == allowed.OWN_ALONE else []


ON_ALIASES = "kms:CreateAlias kms:DeleteAlias kms:UpdateAlias"
_OWN_LOGS = [LOGS.format(f"/aws/lambda/{name}-dev-shop") for name in ("cfnstack", "lambda")]
_NAMELESS = [name for name, (_, _, forms, _) in TYPES.items() if forms == allowed.NAMELESS]
_APIS = [
    API + path for path in ("restapis", "apis/a1b2/routes/c3", "tags/arn%3Aaws%3Aapigateway", "restapis/a1b2")
]
_ON_APIS = " ".join(sorted(of_type("AWS::ApiGateway::RestApi") | of_type("AWS::ApiGatewayV2::Stage")))

MAY = [
    *_of_names("dev", allowed.names),
    *[_on(each, TYPES[each][1]) for each in _NAMELESS],
    *[_on("AWS::Logs::LogGroup", log) for log in _OWN_LOGS],
    (DEPLOYS, " ".join(sorted(WITHOUT_RESOURCE)), "*", OF_THE_FUNCTION),
    (DEPLOYS, ON_ALIASES, KEY, {}),
    (DEPLOYS, "iam:CreateServiceLinkedRole", ROLE_OF_ECS, {}),
    *[(DEPLOYS, _ON_APIS, api, {}) for api in _APIS],
    *[
        (DEPLOYS, "iam:PassRole", passed, passed_to(service))
        for passed in (ROLE, role(PIPELINES, "cfnstack-dev-shop-X"))
        for service in set(PASSED_TO.values())
    ],
    *[
        (DEPLOYS, "lambda:AddPermission", function(name), {"lambda:Principal": service})
        for name in ("cfnstack-dev-shop-X", "lambda-dev-shop")
        for service in INVOKERS
    ],
    (DEPLOYS, "lambda:CreateEventSourceMapping", "*", {"lambda:FunctionArn": function("lambda-dev-shop")}),
]

_OTHER_FUNCTIONS = [function(name) for name in ("cfnstack-prd-shop-X", "orders", "cfn-gitops-dev")]
_OF_CFN_GITOPS = {
    "AWS::S3::Bucket": [ARTIFACTS, FOREIGN_BUCKET, BUCKET.format("orders")],
    "AWS::SNS::Topic": [TOPIC.format("sns-dev-notifications"), APPROVAL_TOPIC],
    "AWS::SQS::Queue": [QUEUE.format("sqs-dev-forward-1"), QUEUE.format("sqs-dev-replication-1")],
    "AWS::Logs::LogGroup": [LOGS.format("/aws/lambda/cfn-gitops-dev")],
    "AWS::ECR::Repository": [regional("ecr", "repository/ecr-dev-image")],
    "AWS::CloudWatch::Alarm": [regional("cloudwatch", "alarm:alarm-dev-cfn-gitops-mirrors")],
}

MAY_NOT = [
    *[row for env in ("prd", "dev2", "d") for row in _of_names(env, allowed.names)],
    *_of_names("dev", _not_by_cloudformation),
    *[
        (DEPLOYS, " ".join(a for a in sorted(of_type(each)) if not a.startswith("s3:Get")), resource, {})
        for each, resources in _OF_CFN_GITOPS.items()
        for resource in resources
    ],
    (DEPLOYS, ON_ALIASES, ALIAS.format("key-prd-orders"), {}),
    (
        DEPLOYS,
        "kms:ScheduleKeyDeletion kms:PutKeyPolicy",
        KEY_OF_NOTIFICATIONS,
        {"kms:ResourceAliases": ["alias/cfn-gitops-dev-notifications"]},
    ),
    *[
        (DEPLOYS, _ON_APIS, API + other, {})
        for other in ("account", "domainnames/shop.example.com", "usageplans", "vpclinks")
    ],
    *[
        (DEPLOYS, "iam:PassRole", passed, passed_to(service))
        for passed, services in (
            (role(PIPELINES, "administrator"), set(PASSED_TO.values())),
            (role(PIPELINES, "role-dev-cfn-gitops"), set(PASSED_TO.values())),
            (ROLE, ("ec2.amazonaws.com", "codebuild.amazonaws.com", "cloudformation.amazonaws.com")),
        )
        for service in services
    ],
    *[
        (DEPLOYS, "lambda:AddPermission", other, {"lambda:Principal": service})
        for other in _OTHER_FUNCTIONS
        for service in INVOKERS
    ],
    *[
        (DEPLOYS, "lambda:AddPermission", function("lambda-dev-shop"), {"lambda:Principal": principal})
        for principal in (scene.UNNAMED, "*")
    ],
    *[
        (
            DEPLOYS,
            "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping lambda:DeleteEventSourceMapping",
            resource,
            {"lambda:FunctionArn": other},
        )
        for resource in ("*", MAPPING)
        for other in _OTHER_FUNCTIONS
    ],
    (DEPLOYS, "iam:CreateServiceLinkedRole", role(PIPELINES, "aws-service-role/ec2.amazonaws.com/X"), {}),
]
