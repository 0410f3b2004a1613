"""Deployments of the pipeline's last stage: approved change sets, failed first deployments, and rollbacks by
an alarm."""

import pytest

from tests.local.aws import LocalAws
from tests.play.pipelines import Pipeline, ProjectStack, eventually, with_resources


def shown(aws: LocalAws, pipeline: Pipeline) -> tuple[str, list[tuple[str, str]]]:
    """The commit and the changes that the approver reviews before they are executed."""
    change_set = aws.client("cloudformation").describe_change_set(
        StackName=pipeline.deployed.name, ChangeSetName=f"changeset-dev-{pipeline.project_id}"
    )
    assert change_set["Status"] == "CREATE_COMPLETE"
    [commit] = [
        each["ParameterValue"] for each in change_set["Parameters"] if each["ParameterKey"] == "Commit"
    ]
    changes = [each["ResourceChange"] for each in change_set["Changes"]]
    return commit, [(each["Action"], each["LogicalResourceId"]) for each in changes]


# claim: approved-change-set-is-executed-despite-later-pushes
def test_approved_change_set_executes_despite_later_pushes(aws: LocalAws, stack: ProjectStack) -> None:
    assert stack.make() == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    first = project.push()
    one = project.execution_of(first.commit)
    project.waits_for_approval(one)
    assert shown(aws, project) == (first.commit, [("Add", "Rule")])
    assert project.deployed.status() == "REVIEW_IN_PROGRESS"

    second = project.push(template=with_resources("Another"))
    two = project.execution_of(second.commit)

    def is_before_the_stage() -> bool:
        states = aws.client("codepipeline").get_pipeline_state(name=project.name)["stageStates"]
        deploy = next(state for state in states if state["stageName"] == "Deploy")
        return [each["pipelineExecutionId"] for each in deploy.get("inboundExecutions", [])] == [two]

    eventually(is_before_the_stage, "the second execution waits before the stage")
    assert project.ran(two) == [("Source", "Succeeded"), ("Build", "Succeeded")]
    assert shown(aws, project)[0] == first.commit
    project.decide(one)
    assert project.ended(one) == "Succeeded", project.said()
    project.waits_for_approval(two)
    assert project.deployed_commit() == first.commit
    assert [each["LogicalResourceId"] for each in project.deployed.resources()] == ["Rule"]

    commit, changes = shown(aws, project)
    assert commit == second.commit and ("Add", "Another") in changes
    project.decide(two)
    assert project.ended(two) == "Succeeded", project.said()
    assert project.deployed_commit() == second.commit
    assert {each["LogicalResourceId"] for each in project.deployed.resources()} == {"Rule", "Another"}


@pytest.mark.usefixtures("expected_denials")
def test_failed_first_deployment_is_replaced_if_enabled(stack: ProjectStack) -> None:
    deploy = {"ActionMode": "REPLACE_ON_FAILURE"}
    assert stack.make(Deploy=deploy, Approval={"Required": False}) == "CREATE_COMPLETE", stack.failures()
    project = stack.project
    # A name that the deploy role may not use.
    example = project.template
    failing = example.replace(
        "    Properties:\n", "    Properties:\n      Name: a-rule-of-another-owner\n", 1
    )
    execution = project.execution_of(project.push(template=failing).commit)
    assert project.ended(execution) == "Failed"
    assert "ROLLBACK_COMPLETE" in project.error(execution)
    failed, mended = project.deployed.describe()["StackId"], project.push()
    assert project.ended(project.execution_of(mended.commit)) == "Succeeded", project.said()
    assert project.deployed_commit() == mended.commit
    assert project.deployed.describe()["StackId"] != failed


def test_alarm_after_a_deployment_rolls_it_back(aws: LocalAws, stack: ProjectStack, name: str) -> None:
    cloudwatch, alarm = aws.client("cloudwatch"), f"{name}-5xx"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace=name,
        MetricName="5xx",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    aws.set(rule_minute_seconds=0.1)
    assert (
        stack.make(
            Approval={"Required": False},
            Deploy={
                "OnFailure": "Rollback",
                "Alarms": [alarm],
                "AlarmMinutes": 5,
                "Window": {"Cron": "* * * ? * *", "TimeZone": "UTC"},
            },
        )
        == "CREATE_COMPLETE"
    ), stack.failures()
    project = stack.project
    first = project.push()
    assert project.ended(project.execution_of(first.commit)) == "Succeeded", project.said()

    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
    failed = project.execution_of(project.push(template=with_resources("Another")).commit)
    assert project.ended(failed) == "Failed"
    assert project.ran(failed)[-1] == ("Deploy", "Succeeded")
    rollback = eventually(lambda: project.rollback_of(failed), "CodePipeline rolls the stage back")
    assert project.ended(rollback) == "Succeeded", project.said()
    assert project.ran(rollback) == [("Deploy", "Succeeded")]
    assert project.deployed_commit() == first.commit
    assert [each["LogicalResourceId"] for each in project.deployed.resources()] == ["Rule"]
    cloudwatch.delete_alarms(AlarmNames=[alarm])
