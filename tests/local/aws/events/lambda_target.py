"""EventBridge's Lambda targets: invoked asynchronously, and only if the function's resource policy allows the
rule.

"For Lambda ... EventBridge relies on resource-based policies": the function's policy has to let
`events.amazonaws.com` invoke it.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

import json
import logging
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge, lambda_svc

from tests.local.aws.events.targets import SERVICE
from tests.local.aws.iam import service_principals
from tests.local.aws.settings import settings

_log = logging.getLogger("events")
_rule: ContextVar[str] = ContextVar("local_aws_rule", default="")


def install() -> None:
    ministack_invoke = eventbridge._invoke_target

    def invoke(target: dict, event: dict, rule: dict, view: Any = None) -> None:
        token = _rule.set(rule.get("Arn", ""))
        try:
            ministack_invoke(target, event, rule, view)
        finally:
            _rule.reset(token)

    eventbridge._invoke_target = invoke
    eventbridge._dispatch_to_lambda = _invoke_function
    _retry_as_set(lambda_svc.invoke_async_with_retry)


def _invoke_function(arn: str, payload: str) -> None:
    record, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not record or not config:
        _log.warning("%s: the target %s is not there", _rule.get(), name)
        return
    if not service_principals.admits(
        record.get("policy"), SERVICE, "lambda:InvokeFunction", arn, _rule.get()
    ):
        _log.warning("%s may not invoke %s", _rule.get(), arn)
        return
    lambda_svc.invoke_async_with_retry(
        lambda_svc._execution_record_for_config(record, config), json.loads(payload)
    )


def _retry_as_set(ministack_invoke: Any) -> None:
    """A failed asynchronous invocation is retried twice, after the delays in `settings`.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """

    def invoke(function: dict, event: Any) -> None:
        lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = settings.first_retry_after_seconds
        lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = settings.second_retry_after_seconds
        ministack_invoke(function, event)

    lambda_svc.invoke_async_with_retry = invoke
