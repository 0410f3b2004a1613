"""Resources that a person changed by hand: what the health check reports."""

from pathlib import Path

from tests.deployment.pages import Folder
from tests.deployment.reviewing import ReviewedStack, reviewed  # noqa: F401 - a fixture
from tests.deployment.watching import looks_at_everything
from tests.local.aws import LocalAws
from tests.play.steps import logged_revert


def state(aws: LocalAws, rule: str) -> str:
    return str(aws.client("events").describe_rule(Name=rule)["State"])


# claim: function-executes-no-change-set
def test_drift_is_reported_until_its_command_reverts_it(
    aws: LocalAws, reviewed: ReviewedStack, tmp_path: Path
) -> None:
    project, cloudformation = reviewed.project, aws.client("cloudformation")
    commit, rule = project.deployed_commit(), project.deployed.outputs()["Rule"]
    deployed, status = project.deployed.name, f"cfn-gitops/dev/{project.project_id}/drift"
    values = looks_at_everything(aws)
    assert ("DriftedResources", "") in values and ("DriftedResources", deployed) not in values
    assert reviewed.gitlab.status_states(commit)[status] == "success"

    aws.client("events").enable_rule(Name=rule)
    values = looks_at_everything(aws)
    assert (values["DriftedResources", deployed], values["HealthCheckFailed", ""]) == (1, 0)
    assert reviewed.gitlab.status_states(commit)[status] == "failed"
    [shown] = [each for each in reviewed.gitlab.statuses(commit) if each.name == status]
    assert shown.description == "Not as in the template: Rule"
    # The function has not changed it, and its change set is deleted.
    assert state(aws, rule) == "ENABLED" and project.own_change_sets() == []

    # As the operator does: in a shell, with the AWS CLI.
    Folder(aws, tmp_path, tmp_path).run(logged_revert(aws, "cfn-gitops-dev", deployed))
    described = cloudformation.describe_change_set(StackName=deployed, ChangeSetName="revert-drift")
    assert [each["ResourceChange"]["LogicalResourceId"] for each in described["Changes"]] == ["Rule"]
    cloudformation.execute_change_set(StackName=deployed, ChangeSetName="revert-drift")
    assert project.deployed.wait() == "UPDATE_COMPLETE", project.deployed.failures()
    assert state(aws, rule) == "DISABLED" and project.deployed_commit() == commit
    assert ("DriftedResources", deployed) not in looks_at_everything(aws)
    assert reviewed.gitlab.status_states(commit)[status] == "success"
