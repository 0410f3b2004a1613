"""`cfn-gitops doctor` against a deployed environment."""

from tests.deployment.conftest import Production
from tests.deployment.watching import looks
from tests.local.aws import LocalAws
from tests.play.steps import function_log

PIPELINE_RULE = "event-rule-prd-cfn-gitops-report"


def found(output: str) -> list[str]:
    """The lines that name a problem."""
    return [line for line in output.splitlines() if line.startswith("FOUND")]


def test_only_a_disabled_rule_is_a_problem_with_its_remedy(aws: LocalAws, production: Production) -> None:
    status, output = production.run("doctor")
    assert (status, found(output)) == (0, []), output
    for subject in (
        "sound          stack cfn-gitops-prd",
        "the credential of user user-prd-",
        f"event rule {PIPELINE_RULE}",
    ):
        assert subject in output, output
    events = aws.client("events")
    events.disable_rule(Name=PIPELINE_RULE)
    status, output = production.run("doctor")
    events.enable_rule(Name=PIPELINE_RULE)
    assert (status, found(output)) == (1, [f"FOUND          event rule {PIPELINE_RULE}"]), output
    assert f"aws events enable-rule --name {PIPELINE_RULE}" in output


def test_freeze_of_a_project_is_shown_and_is_not_a_problem(aws: LocalAws, production: Production) -> None:
    rule, events = "event-rule-prd-codepipeline-exec-cfn-infra", aws.client("events")
    events.disable_rule(Name=rule)
    status, output = production.run("doctor")
    events.enable_rule(Name=rule)
    assert (status, found(output)) == (0, []), output
    # The pipeline is named, although there is none before the first push. One freeze is one row.
    held = f"held by the disabled event rule {rule}\n"
    assert f"held           pipeline codepipeline-prd-cfn-infra\n                 {held}" in output, output
    assert output.count(held) == 1, output
    assert "To end the freeze: cfn-gitops thaw infra --env prd" in output


def test_deleted_secret_and_pipeline_are_found_and_restored(aws: LocalAws, production: Production) -> None:
    """A person deletes both, and reads the metric of the alarm, the log and the doctor only."""
    secret, child = "codecommit-mirror/user-prd-codecommit-mirroring", "gitops-prd-infra"
    cloudformation = aws.client("cloudformation")
    assert ("MissingResources", "") not in looks(aws, "prd")
    aws.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    cloudformation.delete_stack(StackName=child)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=child, WaiterConfig={"Delay": 1})
    for _ in range(2):
        assert looks(aws, "prd")["MissingResources", ""] == 2
    log = function_log(aws, "cfn-gitops-prd")
    for subject, problem in (
        (f"secret {secret}", "it was deleted"),
        (f"pipeline stack {child}", "it does not exist"),
    ):
        assert f'"subject":"{subject}","error":"{problem}' in log, log[-3000:]
    status, output = production.run("doctor")
    assert status == 1 and {
        f"FOUND          secret {secret}",
        f"FOUND          pipeline stack {child}",
    } <= set(found(output)), output
    # The remedies of both: a new RotationSerial, and another property of the pipeline's resource.
    changed = production.change(
        RotationSerial="restored", GitLabProjectUrl="https://gitlab.com/platform/infra"
    )
    assert changed == "UPDATE_COMPLETE", production.failures()
    assert ("MissingResources", "") not in looks(aws, "prd")
    status, output = production.run("doctor")
    assert (status, found(output)) == (0, []), output
    # The other tests use the environment's own values.
    assert production.change(RotationSerial="", GitLabProjectUrl="") == "UPDATE_COMPLETE", (
        production.failures()
    )
