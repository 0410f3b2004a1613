"""The policies of docs/how-to/allow-resources.md, and the deploy role with some of their statements."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.policies import scene
from tests.templates.named import function, regional

PAGE = Path(__file__).parents[2] / "docs/how-to/allow-resources.md"

TABLE, BUCKET = regional("dynamodb", "table/{}"), "arn:aws:s3:::{}"
QUEUE, TOPIC = regional("sqs", "{}"), regional("sns", "{}")
API = f"arn:aws:apigateway:{scene.REGION}::/"
MAPPING = regional("lambda", "event-source-mapping:0a1b2c3d")
OF_THE_FUNCTION = {"lambda:FunctionArn": function("cfnstack-dev-shop-X")}
_TOPICS, _APIS, _MAPPINGS = (
    ("TopicsAndTheirPolicies", "SubscriptionsOfTopics"),
    ("RestApisAndHttpApis",),
    ("FunctionsInvokedByQueuesAndStreams", "TagsOfEventSourceMappings"),
)
# The statements that a type needs, and its ARN with the place of its name.
TYPES = {
    "AWS::DynamoDB::Table": (("Tables",), TABLE),
    "AWS::S3::Bucket": (("BucketsAndTheirPolicies",), BUCKET),
    "AWS::S3::BucketPolicy": (("BucketsAndTheirPolicies",), BUCKET),
    "AWS::SQS::Queue": (("QueuesAndTheirPolicies",), QUEUE),
    "AWS::SQS::QueuePolicy": (("QueuesAndTheirPolicies",), QUEUE),
    "AWS::SNS::Topic": (_TOPICS, TOPIC),
    "AWS::SNS::TopicPolicy": (_TOPICS, TOPIC),
    "AWS::SNS::Subscription": (_TOPICS, TOPIC),
    "AWS::ApiGateway::RestApi": (_APIS, f"{API}restapis/a1b2c3d4e5"),
    "AWS::ApiGateway::Deployment": (_APIS, f"{API}restapis/a1b2c3d4e5/deployments/f6a7b8"),
    "AWS::ApiGateway::Stage": (_APIS, f"{API}restapis/a1b2c3d4e5/stages/live"),
    "AWS::ApiGateway::Resource": (_APIS, f"{API}restapis/a1b2c3d4e5/resources/f6a7b8"),
    "AWS::ApiGateway::Method": (_APIS, f"{API}restapis/a1b2c3d4e5/resources/f6a7b8/methods/GET"),
    "AWS::ApiGatewayV2::Api": (_APIS, f"{API}apis/a1b2c3d4e5"),
    "AWS::ApiGatewayV2::Stage": (_APIS, f"{API}apis/a1b2c3d4e5/stages/live"),
    "AWS::ApiGatewayV2::Route": (_APIS, f"{API}apis/a1b2c3d4e5/routes/f6a7b8"),
    "AWS::ApiGatewayV2::Integration": (_APIS, f"{API}apis/a1b2c3d4e5/integrations/f6a7b8"),
    "AWS::Lambda::EventSourceMapping": (_MAPPINGS, MAPPING),
}
# IAM has no resource for these actions.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
WITHOUT_RESOURCE = {
    "sns:Unsubscribe",
    "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes",
    "lambda:CreateEventSourceMapping",
}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@cache
def statements():
    """By their Sids."""
    return {each["Sid"]: each for block in blocks("json") for each in json.loads(block)["Statement"]}


def document(*sids):
    return {"Version": "2012-10-17", "Statement": [statements()[sid] for sid in sids]}


def deploy_role(*sids):
    caller = scene.world().caller(scene.stacks()["template"].deployed.arn("CodeDeployCFnRole"))
    return replace(caller, identity=(*caller.identity, document(*sids))) if sids else caller
