"""CloudFormation's side of the custom-resource protocol, in place of MiniStack's.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

import contextvars
import json
import logging
import queue
import secrets
import string
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ministack.core.responses import get_region, new_uuid
from ministack.services import cloudformation, lambda_svc
from ministack.services.cloudformation import custom_resource, handlers, provisioners

from tests.local.aws.cloudformation import response_urls
from tests.local.aws.settings import settings

_log = logging.getLogger("custom-resources")
_lock = threading.Lock()
_exchanges: list[dict[str, Any]] = []  # requests and responses, for tests


def install() -> None:
    custom_resource.invoke_custom_resource = _invoke
    provisioners._custom_resource_delete = _delete


def exchanges() -> list[dict[str, Any]]:
    with _lock:
        return [dict(exchange) for exchange in _exchanges]


def forget() -> None:
    with _lock:
        _exchanges.clear()


class CreateFailed(RuntimeError):
    """A failed Create. A Delete with this ID follows."""

    def __init__(self, reason: str, physical_id: str) -> None:
        super().__init__(reason)
        self.physical_id = physical_id


def _invented_id(stack_name: str, logical_id: str) -> str:
    """CloudFormation's own form of a physical ID, which it generates if the provider responded with none."""
    alphabet = string.ascii_uppercase + string.digits
    return f"{stack_name}-{logical_id}-{''.join(secrets.choice(alphabet) for _ in range(12))}"


def _delete(
    physical_id: str,
    props: dict,
    stack_name: str | None = None,
    logical_id: str | None = None,
    resource_type: str = "AWS::CloudFormation::CustomResource",
) -> None:
    """Every ID gets its Delete. MiniStack leaves out some of the IDs that the CDK generates."""
    name = stack_name or ""
    _invoke(
        "Delete",
        logical_id or physical_id,
        props,
        name,
        provisioners._cr_stack_id(name),
        resource_type,
        physical_id=physical_id,
    )


def _invoke(
    request_type: str,
    logical_id: str,
    props: dict,
    stack_name: str,
    stack_id: str,
    resource_type: str,
    physical_id: str | None = None,
    old_props: dict | None = None,
) -> tuple[str, dict]:
    """Sends one request and waits for its response. Runs on a worker thread, like MiniStack's own."""
    function = _function_of(props.get("ServiceToken", ""))
    request_id = new_uuid()
    answers: queue.Queue[bytes | None] = queue.Queue()
    url = response_urls.issue(get_region(), stack_id, logical_id, request_id, answers)
    request: dict[str, Any] = {
        "RequestType": request_type,
        "ServiceToken": props.get("ServiceToken", ""),
        "ResponseURL": url,
        "StackId": stack_id,
        "RequestId": request_id,
        "LogicalResourceId": logical_id,
        "ResourceType": resource_type,
        "ResourceProperties": custom_resource._normalise_resource_properties(props),
    }
    if physical_id is not None:
        request["PhysicalResourceId"] = physical_id
    if old_props is not None:
        request["OldResourceProperties"] = custom_resource._normalise_resource_properties(old_props)
    exchange = {key: value for key, value in request.items() if key != "ResponseURL"} | {"sent": time.time()}
    with _lock:
        _exchanges.append(exchange)
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run,
        args=(_deliver, function, request, answers),
        daemon=True,
        name=f"custom-resource-{logical_id}",
    ).start()
    try:
        with _shown_in_progress(request, physical_id):
            exchange["answer"] = answer = _await(answers, request, _service_timeout(props))
        return _accept(request, answer)
    except (RuntimeError, ValueError) as error:
        exchange["failure"] = str(error)
        answered = (exchange.get("answer") or {}).get("PhysicalResourceId")
        if request_type != "Create":
            raise RuntimeError(str(error)) from None
        failed_id = (
            answered if isinstance(answered, str) and answered else _invented_id(stack_name, logical_id)
        )
        _keep_for_rollback(stack_name, logical_id, resource_type, props, failed_id, str(error))
        raise CreateFailed(str(error), failed_id) from None


@contextmanager
def _shown_in_progress(request: dict[str, Any], physical_id: str | None) -> Iterator[None]:
    """DescribeStackResource shows the running operation. MiniStack shows a resource only when it is
    complete."""
    stack = handlers._resolve_stack(request["StackId"])
    resources, logical_id = (stack or {}).setdefault("_resources", {}), request["LogicalResourceId"]
    before = resources.get(logical_id)
    # The Delete of a replaced resource leaves the new one complete.
    is_deleted = before is not None and before.get("PhysicalResourceId") == physical_id
    if not stack or (request["RequestType"] == "Delete" and not is_deleted):
        yield
        return
    shown = (before or {"PhysicalResourceId": physical_id or "", "ResourceType": request["ResourceType"]}) | {
        "ResourceStatus": f"{request['RequestType'].upper()}_IN_PROGRESS"
    }
    resources[logical_id] = shown
    try:
        yield
    finally:
        if resources.get(logical_id) is shown:
            if before is None:
                del resources[logical_id]
            else:
                resources[logical_id] = before


def _function_of(service_token: str) -> dict:
    record, config, _ = lambda_svc._get_func_record_for_ref(service_token)
    if record is None or config is None:
        raise ValueError(f"Invalid service token: {service_token}")
    return {"record": record, "run": lambda_svc._execution_record_for_config(record, config)}


def _service_timeout(props: dict) -> int:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudformation-customresource.html"""
    seconds = int(props.get("ServiceTimeout", 3600))
    if not 1 <= seconds <= 3600:
        raise ValueError("ServiceTimeout must be an integer between 1 and 3600")
    return seconds


def _deliver(function: dict, request: dict[str, Any], answers: queue.Queue[bytes | None]) -> None:
    """An asynchronous invocation: a failed one is retried twice, unless the function configures another
    number."""
    record = function["record"]
    configured = (
        record.get("event_invoke_config") or (record.get("event_invoke_configs") or {}).get("$LATEST") or {}
    )
    waits = [settings.first_retry_after_seconds, settings.second_retry_after_seconds]
    for wait in [0.0, *waits[: configured.get("MaximumRetryAttempts", 2)]]:
        time.sleep(wait)
        try:
            failed = bool(
                lambda_svc._execute_function_with_config_scope(function["run"], request).get("error")
            )
        except Exception:
            _log.exception("the function of %s could not be run", request["LogicalResourceId"])
            failed = True
        if not failed:
            return
    # On AWS the stack would now wait until ServiceTimeout. No response can arrive any more, so this does not
    # wait.
    answers.put(None)


def _await(answers: queue.Queue[bytes | None], request: dict[str, Any], timeout: int) -> dict[str, Any]:
    body = None
    silence = (
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs for"
        f" requestId [{request['RequestId']}]. If you are using the Python cfn-response module, you may need"
        " to update your Lambda function code so that CloudFormation can attach the updated version."
    )
    with suppress(queue.Empty):
        body = answers.get(timeout=timeout)
    if body is None:
        raise RuntimeError(silence)
    # "The total size of the response body can't exceed 4096 bytes."
    if len(body) > 4096:
        raise RuntimeError("Response object is too long.")
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise RuntimeError("Response is not a valid JSON object")
    return answer


def _accept(request: dict[str, Any], answer: dict[str, Any]) -> tuple[str, dict]:
    # "This response value should be copied verbatim from the request."
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        if answer.get(key) != request[key]:
            raise RuntimeError(
                f"Invalid response object: Value of property {key} must be copied from the request"
            )
    status, physical_id = answer.get("Status"), answer.get("PhysicalResourceId")
    if status == "FAILED":
        reason = answer.get("Reason") or "null"
        raise RuntimeError(
            f"Received response status [FAILED] from custom resource. Message returned: {reason} "
            f"(RequestId: {request['RequestId']})"
        )
    if status != "SUCCESS":
        raise RuntimeError("Invalid Response object: Value of property Status must be SUCCESS or FAILED")
    # "The value must be a non-empty string" of at most 1 KB.
    if not isinstance(physical_id, str) or not physical_id or len(physical_id.encode()) > 1024:
        raise RuntimeError("Invalid PhysicalResourceId")
    data = answer.get("Data")
    return physical_id, data if isinstance(data, dict) else {}


def _keep_for_rollback(
    stack_name: str, logical_id: str, resource_type: str, props: dict, physical_id: str, reason: str
) -> None:
    """Adds the failed resource to the stack's, so that a rollback or a deletion of the stack sends its
    Delete."""
    stack = cloudformation._stacks.get(stack_name)
    if stack is not None:
        stack.setdefault("_resources", {})[logical_id] = {
            "PhysicalResourceId": physical_id,
            "ResourceType": resource_type,
            "ResourceStatus": "CREATE_FAILED",
            "ResourceStatusReason": reason,
            "LogicalResourceId": logical_id,
            "Properties": props,
            "Attributes": {},
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
