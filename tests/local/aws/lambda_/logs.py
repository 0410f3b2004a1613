"""A function's log, which Lambda writes with the function's role: without the permissions there is no log.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html#monitoring-cloudwatchlogs-prereqs
"""

from functools import partialmethod
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, lambda_svc

from tests.local.aws.iam import enforcement
from tests.local.aws.lambda_ import metrics as function_metrics


def install() -> None:
    ministack_emit = lambda_svc._emit_lambda_logs

    def emit(function: dict, request_id: str, log: str, *arguments: Any, **named: Any) -> None:
        if _may_write(function.get("config") or function):
            ministack_emit(function, request_id, log, *arguments, **named)
            function_metrics.extract(log)

    lambda_svc._emit_lambda_logs = emit
    # MiniStack ends a log 5 ms after the last line that it got. On a busy machine the thread that reads the
    # function's output is later than that, and the rest would be in the log only after the environment's next
    # invocation.
    worker: Any = lambda_runtime.ProvidedWorker
    worker._drain_stderr_bounded = partialmethod(
        worker._drain_stderr_bounded, first_line_wait=0.1, idle_confirm=0.1, hard_cap=1.0
    )


def _may_write(config: dict) -> bool:
    name = config.get("FunctionName", "unknown")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    role = config.get("Role", "").rsplit("/", 1)[-1]
    arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}"
    needed = [
        ("logs:CreateLogStream", f"{arn}:log-stream:any"),
        ("logs:PutLogEvents", f"{arn}:log-stream:any"),
    ]
    if group not in cloudwatch_logs._log_groups:
        needed.insert(0, ("logs:CreateLogGroup", f"{arn}:log-stream:"))
    return all(enforcement.role_may(role, name, action, resource) for action, resource in needed)
