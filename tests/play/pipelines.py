"""The actions of a developer and an approver with a pipeline, and its state. Like `steps`, without
assertions."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.play.steps import ROOT, Account, Login, Pushed, PushRefused, Stack, Working
from tests.play.waiting import NotInTime, eventually

PROJECT = ROOT / "examples/project"
ATTRIBUTES = (
    "PipelineName",
    "PipelineArn",
    "RepositoryName",
    "RepositoryArn",
    "CloneUrlHttp",
    "BranchName",
    "BuildProjectName",
    "EventRuleName",
    "StackId",
    "ConsoleUrl",
)
_UNENDED = {"InProgress", "Stopping"}
_ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}


def documented_buildspec(project_id: str) -> str:
    """The buildspec of docs/concepts/pipelines.md that packages code and nested templates, for a pipeline
    without
    `DeployTemplatePath`."""
    page = (ROOT / "docs/concepts/pipelines.md").read_text()
    return (
        page.split("```yaml\n# buildspec.yml\n", 1)[1]
        .split("```", 1)[0]
        .replace("out/template.yaml", f"out/root-stack-{project_id}.yaml")
    )


_UNUSED_RULE = """  {name}:
    Type: AWS::Events::Rule
    Properties:
      State: DISABLED
      EventPattern:
        source: [example.unused]

"""


def example_files(project_id: str = "") -> dict[str, str]:
    """The files of the example. With a ProjectID, for a pipeline without `DeployTemplatePath`."""
    files = {
        name: (PROJECT / name).read_text() for name in ("buildspec.yml", "parameter.json", "template.yaml")
    }
    if project_id:
        copied = "cp template.yaml out/\n"
        assert copied in files["buildspec.yml"]
        files["buildspec.yml"] = files["buildspec.yml"].replace(
            copied, f"cp template.yaml out/root-stack-{project_id}.yaml\n"
        )
    return files


def with_resources(*names: str) -> str:
    """The example's template with further resources."""
    before, outputs, after = (PROJECT / "template.yaml").read_text().partition("Outputs:\n")
    return before + "".join(_UNUSED_RULE.replace("{name}", name) for name in names) + outputs + after


def template(project_id: str, env_id: str = "dev", logical_id: str = "Pipeline", **properties: Any) -> str:
    """A stack that contains one pipeline and outputs its attributes."""
    return json.dumps(
        {
            "Resources": {
                logical_id: {
                    "Type": "Custom::GitOpsPipeline",
                    "Properties": {
                        "ServiceToken": {"Fn::ImportValue": "cfn-gitops-dev-ServiceToken"},
                        "ServiceTimeout": 120,
                        "EnvID": env_id,
                        "ProjectID": project_id,
                        **properties,
                    },
                }
            },
            "Outputs": {
                "Ref": {"Value": {"Ref": logical_id}},
                **{name: {"Value": {"Fn::GetAtt": [logical_id, name]}} for name in ATTRIBUTES},
            },
        }
    )


class Pipeline:
    """One project's pipeline in one environment: its executions, approvals and deployed stack."""

    def __init__(self, aws: Account, env_id: str, project_id: str) -> None:
        self.aws, self.env_id, self.project_id = aws, env_id, project_id
        self.stack_name = f"gitops-{env_id}-{project_id}"
        self.repository = f"codecommit-{env_id}-cfn-{project_id}"
        self.name = f"codepipeline-{env_id}-cfn-{project_id}"
        self.build_project = f"codebuild-{env_id}-cfn-{project_id}"
        self.review_project = f"codebuild-{env_id}-review-{project_id}"
        self.event_rule = f"event-rule-{env_id}-codepipeline-exec-cfn-{project_id}"
        self.approval_rule = f"approval-{env_id}-cfn-{project_id}"
        self.deployed = Stack(aws, f"cfnstack-{env_id}-{project_id}")
        self.child = Stack(aws, self.stack_name)
        self._codepipeline = aws.client("codepipeline")
        # The administrator, unless a test or a script has an approver.
        self.approver = self._codepipeline

    # --- executions ---------------------------------------------------------------------

    def exists(self) -> bool:
        return self._or_none(lambda: bool(self._codepipeline.get_pipeline(name=self.name)))

    def executions(self) -> list[dict[str, Any]]:
        """The executions, oldest first. Empty while there is no pipeline."""
        return self._or_none(lambda: self._all("list_pipeline_executions")[::-1]) or []

    def _all(self, operation: str, **which: Any) -> list[dict[str, Any]]:
        """Reads every page: CodePipeline returns at most a hundred executions."""
        pages = self._codepipeline.get_paginator(operation).paginate(pipelineName=self.name, **which)
        return list(pages.build_full_result()[pages.result_keys[0].expression])

    def _or_none(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "PipelineNotFoundException":
                raise
            return None

    def execution_of(self, commit: str) -> str:
        """Waits for the execution of this commit and returns its ID."""

        def look() -> str:
            return next(
                (
                    each["pipelineExecutionId"]
                    for each in self.executions()
                    if commit in [revision["revisionId"] for revision in each.get("sourceRevisions", [])]
                ),
                "",
            )

        return str(eventually(look, f"{self.name} runs {commit}"))

    def rollback_of(self, execution: str) -> str:
        """The execution that CodePipeline started to roll this one back. Empty if there is none."""
        return next(
            (
                each["pipelineExecutionId"]
                for each in self.executions()
                if execution in each["trigger"].get("triggerDetail", "")
                and each["trigger"]["triggerType"] == "AutomatedRollback"
            ),
            "",
        )

    def status(self, execution: str) -> str:
        return str(
            self._codepipeline.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution)[
                "pipelineExecution"
            ]["status"]
        )

    def ended(self, execution: str) -> str:
        """Waits for the end of the execution and returns its status."""

        def look() -> str:
            status = self.status(execution)
            return status if status in _ENDED else ""

        return str(eventually(look, f"execution {execution} of {self.name} ends"))

    def actions(self, execution: str) -> list[dict[str, Any]]:
        """Stage and status of each action, oldest first."""
        return self._all("list_action_executions", filter={"pipelineExecutionId": execution})[::-1]

    def stop(self) -> None:
        """Stops every execution, and waits until all have ended."""

        def running() -> list[str]:
            return [each["pipelineExecutionId"] for each in self.executions() if each["status"] in _UNENDED]

        for execution in running():
            # It may have ended in the meantime.
            with contextlib.suppress(self._codepipeline.exceptions.PipelineExecutionNotStoppableException):
                self._codepipeline.stop_pipeline_execution(
                    pipelineName=self.name,
                    pipelineExecutionId=execution,
                    abandon=True,
                    reason="The run has ended",
                )
        eventually(lambda: not running(), f"the executions of {self.name} have ended")

    def ran(self, execution: str) -> list[tuple[str, str]]:
        return [(action["actionName"], action["status"]) for action in self.actions(execution)]

    def error(self, execution: str) -> str:
        """The error of the action that failed."""
        failed = next(action for action in self.actions(execution) if action["status"] == "Failed")
        result = failed.get("output", {}).get("executionResult", {})
        return str(result.get("errorDetails", {}).get("message", result.get("externalExecutionSummary", "")))

    # --- the approver ------------------------------------------------------------------

    def waits_for_approval(self, execution: str) -> dict[str, str]:
        """Waits until the execution needs an approval, and returns the waiting action."""

        def look() -> dict[str, str] | None:
            for stage in self.approver.get_pipeline_state(name=self.name)["stageStates"]:
                for action in stage["actionStates"]:
                    token = action.get("latestExecution", {}).get("token")
                    if token and stage["latestExecution"]["pipelineExecutionId"] == execution:
                        return {
                            "stageName": stage["stageName"],
                            "actionName": action["actionName"],
                            "token": token,
                        }
            status = self.status(execution)
            if status in _ENDED:
                raise NotInTime(f"execution {execution} of {self.name} is {status}: {self.ran(execution)}")
            return None

        return dict(eventually(look, f"execution {execution} of {self.name} waits for approval"))

    def decide(self, execution: str, approves: bool = True, why: str = "") -> None:
        waiting = self.waits_for_approval(execution)
        self.approver.put_approval_result(
            pipelineName=self.name,
            **waiting,
            result={"status": "Approved" if approves else "Rejected", "summary": why},
        )

    def retry(self, execution: str, mode: str) -> None:
        """Retries the failed stage in this mode: `FAILED_ACTIONS` or `ALL_ACTIONS`."""
        self._codepipeline.retry_stage_execution(
            pipelineName=self.name, stageName="Deploy", pipelineExecutionId=execution, retryMode=mode
        )

    def deploy(self, commit: str) -> str:
        """Approves the commit's execution, and waits for its end."""
        execution = self.execution_of(commit)
        self.decide(execution)
        return self.ended(execution)

    # --- the deployed stack ---------------------------------------------------------------

    def deployed_commit(self) -> str:
        """The commit that the deployed stack was made from. Empty without a stack, or if only a change set
        exists."""
        return self.deployed.outputs().get("Commit", "") if self.deployed.exists() else ""

    def own_change_sets(self) -> list[str]:
        """The function's change sets of the deployed stack. The pipeline's remains after its execution."""
        listed = self.aws.client("cloudformation").list_change_sets(StackName=self.deployed.name)["Summaries"]
        return [name for each in listed if (name := each["ChangeSetName"]).startswith(("plan-", "drift-"))]

    def said(self) -> str:
        """Everything that users can read: the pipeline's executions, its actions and its builds' logs."""
        records: list[Any] = [self.executions()]
        if self.exists():
            records += [
                self._all("list_action_executions"),
                self._codepipeline.get_pipeline_state(name=self.name)["stageStates"],
            ]
        return json.dumps(records, default=str) + self.build_log()

    def build_log(self, build_project: str = "") -> str:
        return "".join(event["message"] for event in self.build_log_events(build_project))

    def build_log_events(self, build_project: str = "") -> list[dict[str, Any]]:
        logs, group = self.aws.client("logs"), f"/aws/codebuild/{build_project or self.build_project}"
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in [each["logGroupName"] for each in groups]:
            return []
        streams = [
            stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
        ]
        return [
            event
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, limit=10000
            )["events"]
        ]


def developer_login(aws: Account, env_id: str, user_name: str = "developer", repositories: str = "") -> Login:
    """Creates a developer with a login for every repository of the environment, or for these. The mirror user
    may push only to its own project's repository."""
    iam, repositories = aws.client("iam"), repositories or f"codecommit-{env_id}-*"
    iam.create_user(UserName=user_name)
    iam.put_user_policy(
        UserName=user_name,
        PolicyName="push",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["codecommit:GitPull", "codecommit:GitPush"],
                        "Resource": f"arn:*:codecommit:{aws.region}:{aws.account_id}:{repositories}",
                    }
                ],
            }
        ),
    )
    return issue_login(aws, user_name)


def issue_login(aws: Account, user_name: str) -> Login:
    iam = aws.client("iam")
    made = iam.create_service_specific_credential(UserName=user_name, ServiceName="codecommit.amazonaws.com")[
        "ServiceSpecificCredential"
    ]
    while "/" in made["ServicePassword"]:  # GitLab rejects a mirror with it
        made = iam.reset_service_specific_credential(
            UserName=user_name, ServiceSpecificCredentialId=made["ServiceSpecificCredentialId"]
        )["ServiceSpecificCredential"]
    return Login(made["ServiceUserName"], made["ServicePassword"], made["ServiceSpecificCredentialId"])


def accepted(pushed: Pushed) -> Pushed:
    if not pushed.accepted:
        raise PushRefused(pushed.output)
    return pushed


class Project(Pipeline):
    """The same pipeline with a developer who pushes to it. Its build writes the template's default path."""

    def __init__(
        self,
        aws: Account,
        env_id: str,
        project_id: str,
        directory: Path,
        login: Callable[[], Login],
        branch: str = "development",
    ) -> None:
        super().__init__(aws, env_id, project_id)
        self.working = Working(directory / f"work-{env_id}-{project_id}", branch=branch)
        self.branch, self.git_login = branch, login
        self.buildspec = example_files(project_id)["buildspec.yml"]
        self.template = (PROJECT / "template.yaml").read_text()

    def files(self) -> dict[str, str]:
        """The files of a change that can be built and deployed."""
        return {**example_files(), "buildspec.yml": self.buildspec, "template.yaml": self.template}

    @property
    def clone_url(self) -> str:
        found = self.aws.client("codecommit").get_repository(repositoryName=self.repository)
        return str(found["repositoryMetadata"]["cloneUrlHttp"])

    def push(self, to: str = "", further: dict[str, str] | None = None, **changed: str) -> Pushed:
        """Pushes a change, if given with another `buildspec` or `template` and with `further` files. Like a
        mirror, it forces the push."""
        names = {"buildspec": "buildspec.yml", "template": "template.yaml"}
        files = {
            **self.files(),
            **(further or {}),
            "change": f"{time.time_ns()}\n",
            **{names[key]: content for key, content in changed.items()},
        }
        to = f"+{to or f'refs/heads/{self.branch}'}"
        return accepted(self.working.push(self.git_login(), self.clone_url, files, to))

    def delete_reference(self, reference: str) -> Pushed:
        return accepted(self.working.delete(self.git_login(), self.clone_url, reference))


class ProjectStack(Stack):
    """A stack with one pipeline in dev, through the environment's ServiceToken, and its project."""

    def __init__(self, aws: Account, project_id: str, directory: Path, login: Callable[[], Login]) -> None:
        super().__init__(aws, f"project-{project_id}")
        self.project = Project(aws, "dev", project_id, directory, login)

    def make(self, **properties: Any) -> str:
        return self.create(template(self.project.project_id, **properties))

    def change(self, **properties: Any) -> str:
        return self.update(template(self.project.project_id, **properties))
