"""`make doctor` against a deployed environment."""

from tests.local.aws import LocalAws
from tests.deployment.conftest import Production

PIPELINE_RULE = "event-rule-prd-cfn-gitops-report"


def problems(output: str) -> list[str]:
    """The lines that name a problem."""
    return [line for line in output.splitlines() if line.startswith("PROBLEM")]


def test_only_a_disabled_rule_is_a_problem_with_its_remedy(aws: LocalAws, production: Production) -> None:
    status, output = production.run("doctor.py")
    assert (status, problems(output)) == (0, []), output
    for subject in ("ok      stack cfn-gitops-prd", "ok      function cfn-gitops-prd", "the credential of user user-prd-",
                    f"event rule {PIPELINE_RULE}"):
        assert subject in output, output
    events = aws.client("events")
    events.disable_rule(Name=PIPELINE_RULE)
    status, output = production.run("doctor.py")
    events.enable_rule(Name=PIPELINE_RULE)
    assert (status, problems(output)) == (1, [f"PROBLEM event rule {PIPELINE_RULE}"]), output
    assert f"aws events enable-rule --name {PIPELINE_RULE}" in output
