"""Health checks of a deployed environment, and the values that they write."""

import json
from collections.abc import Callable

from tests.local.aws import LocalAws
from tests.local.aws.cloudwatch.embedded_metrics import Metric
from tests.play.pipelines import eventually


def rule(env_id: str) -> str:
    return f"event-rule-{env_id}-cfn-gitops-health"


def looks(aws: LocalAws, env_id: str = "dev") -> dict[tuple[str, str], float]:
    """Fires the schedule and returns the values that the health check wrote: by metric and dimension. The
    environment's have an empty one."""

    def fire() -> None:
        assert aws.fire(rule(env_id)), f"{rule(env_id)} is off, or has no target"

    return _values(aws, env_id, fire)


def looks_at_everything(aws: LocalAws, env_id: str = "dev") -> dict[tuple[str, str], float]:
    """The same for the command of docs/runbook/watching.md. Without `Minutes`, the health check compares all
    stacks."""

    def invoke() -> None:
        answer = aws.client("lambda").invoke(
            FunctionName=f"cfn-gitops-{env_id}",
            Payload=json.dumps({"HealthCheck": {"EnvID": env_id}}).encode(),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    return _values(aws, env_id, invoke)


def _values(aws: LocalAws, env_id: str, begin: Callable[[], None]) -> dict[tuple[str, str], float]:
    log = f"/aws/lambda/cfn-gitops-{env_id}"

    def ended() -> list[Metric]:
        return [metric for metric in aws.metrics(log) if metric.name == "HealthCheckFailed"]

    before, known = len(ended()), len(aws.metrics(log))
    begin()
    # A check looks again after 60 seconds at a push without an execution, and then at a review head without a
    # build.
    eventually(lambda: len(ended()) > before, "a health check", seconds=180)
    counted = {}
    for metric in aws.metrics(log)[known:]:
        assert metric.namespace == "CfnGitOps"
        dimensions = dict(metric.dimensions)
        assert dimensions.pop("EnvID") == env_id
        counted[metric.name, "".join(dimensions.values())] = metric.value
    return counted
