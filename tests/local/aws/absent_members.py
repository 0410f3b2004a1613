"""MiniStack sends unknown, null or empty members where AWS sends none.

A member is absent if it is null, or empty although botocore's model does not allow this. Other members are
absent in the answers of AWS that LocalStack recorded (`tests/aws/services/{cloudformation,secretsmanager}` in
https://github.com/localstack/localstack).
"""

import json
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType

from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, lambda_svc, secretsmanager
from ministack.services.cloudformation import handlers

from tests.local.aws import service_shapes

_JSON: dict[tuple[str, ModuleType], dict[str, str]] = {
    ("cloudwatch", cloudwatch): {"_describe_alarms": "DescribeAlarms"},
    ("events", eventbridge): {"_list_rules": "ListRules"},
    ("lambda", lambda_svc): {
        "_create_function": "CreateFunction",
        "_update_code": "UpdateFunctionCode",
        "_update_config": "UpdateFunctionConfiguration",
        "_list_functions": "ListFunctions",
        "_get_function": "GetFunction",
        "_get_function_config": "GetFunctionConfiguration",
    },
    ("logs", cloudwatch_logs): {"_put_resource_policy": "PutResourcePolicy"},
    ("secretsmanager", secretsmanager): {
        "_describe_secret": "DescribeSecret",
        "_get_secret_value": "GetSecretValue",
        "_list_secret_version_ids": "ListSecretVersionIds",
    },
}
# Recorded: DescribeSecret omits these if they are empty or false.
_OMITTED = {"DescribeSecret": ("Description", "RotationEnabled", "Tags")}
_XML = ("DescribeStacks", "DescribeStackEvents", "DescribeChangeSet", "GetTemplateSummary", "ListChangeSets")
# Recorded. DescribeChangeSet has no type of the change set.
_ABSENT = re.compile(rb"<(\w*Description|\w*StatusReason)></\1>|<ChangeSetType>\w*</ChangeSetType>")


def install() -> None:
    for (service, module), names in _JSON.items():
        for name, operation in names.items():
            setattr(module, name, partial(_in_json, service, operation, getattr(module, name)))
    for operation in _XML:
        handlers._ACTION_HANDLERS[operation] = partial(_in_xml, handlers._ACTION_HANDLERS[operation])


def _in_json(
    service: str, operation: str, ministack_handler: Callable[..., tuple], *arguments: object, **named: object
) -> tuple:
    status, headers, body = ministack_handler(*arguments, **named)
    if status < 300:
        answer = service_shapes.present(service, operation, json.loads(body))
        for name in _OMITTED.get(operation, ()):
            if not answer.get(name):
                answer.pop(name, None)
        body = json.dumps(answer).encode()
    return status, headers, body


def _in_xml(ministack_handler: Callable[[dict], tuple], params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    return status, headers, _ABSENT.sub(b"", body)
