"""The invocations of functions that run, and their metrics: Lambda's own, and those in log lines.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html: MiniStack counts only invocations
by Invoke, not those of a stack, a rule or a rotation.
"""

import logging
import time
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from tests.local.aws.cloudwatch import embedded_metrics

_log = logging.getLogger("metrics")
_running: set[str] = set()


def install() -> None:
    ministack_dispatch, ministack_emit_metrics = (
        lambda_svc._execute_function_dispatch,
        lambda_svc._emit_lambda_metrics,
    )

    def dispatch(func: dict, config: dict, event: Any, request_id: str, started: float) -> Any:
        _running.add(request_id)
        try:
            answer = ministack_dispatch(func, config, event, request_id, started)
        finally:
            _running.discard(request_id)
        failed = bool(answer.get("error")) if isinstance(answer, dict) else False
        ministack_emit_metrics(
            config.get("FunctionName", "unknown"), (time.time() - started) * 1000, failed, False
        )
        cloudwatch._evaluate_all_alarms()
        return answer

    def only_throttles(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            ministack_emit_metrics(name, duration_ms, error, throttle)

    lambda_svc._execute_function_dispatch = dispatch
    lambda_svc._emit_lambda_metrics = only_throttles


def running() -> int:
    return len(_running)


def extract(log: str) -> None:
    """ "CloudWatch Logs ... automatically extract[s] metric values embedded in structured log events." """
    now_ms = time.time() * 1000
    for line in log.splitlines():
        try:
            metrics = embedded_metrics.read(line, now_ms)
        except embedded_metrics.Invalid as invalid:
            _log.warning("a log line's metrics are dropped: %s", invalid)
            continue
        for metric in metrics:
            for value in metric.values:
                cloudwatch._store_datum(
                    metric.namespace,
                    metric.name,
                    dict(metric.dimensions),
                    metric.timestamp_ms / 1000,
                    metric.unit,
                    value,
                    None,
                    None,
                    None,
                )
