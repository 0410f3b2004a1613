"""Runs the health check on request, and reads its metrics."""

from __future__ import annotations

from local.aws import LocalAws
from local.aws.cloudwatch.embedded_metrics import Metric
from tests.deployment.pipelines import eventually


def rule(env_id: str) -> str:
    return f"event-rule-{env_id}-cfn-gitops-health"


def looks(aws: LocalAws, env_id: str = "dev") -> dict[tuple[str, str], float]:
    """Fires the schedule and returns the values that the health check wrote: by metric and dimension."""
    log = f"/aws/lambda/cfn-gitops-{env_id}"

    def ended() -> list[Metric]:
        return [metric for metric in aws.metrics(log) if metric.name == "HealthCheckFailed"]

    before, known = len(ended()), len(aws.metrics(log))
    assert aws.fire(rule(env_id)), f"{rule(env_id)} is off, or has no target"
    eventually(lambda: len(ended()) > before, "a health check")
    counted = {}
    for metric in aws.metrics(log)[known:]:
        assert metric.namespace == "CfnGitOps"
        dimensions = dict(metric.dimensions)
        assert dimensions.pop("EnvID") == env_id
        if dimensions or metric.name == "HealthCheckFailed":
            counted[metric.name, "".join(dimensions.values())] = metric.value
    return counted
