"""The loop in `make run` and `make try`: from a push to GitLab to a deployed stack.

This script acts as the developer and as the approvers. GitLab and the environment do everything in between.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

from cli.shell import terminal
from tests.play.local import Mirror
from tests.play.mirroring import MirroredProject
from tests.play.steps import Login
from tests.play.waiting import eventually, under_way
from tools.run.console import Progress, gitlab_note, note, require

# The project has no tests yet.
_FAILING_BUILD = "version: 0.2\nphases: {build: {commands: [make test]}}\n"
# Pipelines may not create tables, unless the operator allows it: docs/how-to/allow-resources.md.
_DENIED = """  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]

"""


class Loop:
    """One project of an environment."""

    def __init__(self, project: MirroredProject) -> None:
        self.project, self.aws, self.env_id, self.branch, self.source = (
            project,
            project.aws,
            project.env_id,
            project.branch,
            project.source,
        )
        self.passwords: set[str] = set()
        # The commit that was pushed during a freeze, and the number of runs before it.
        self._held, self._runs_before = "", 0
        terminal.hide(self.passwords)
        self.approved_by("This script, as the approver,", self.aws.client)

    def approved_by(self, who: str, client: Callable[[str], Any]) -> None:
        """Sets who approves in AWS, and what creates their clients."""
        self.approver, self._changes = who, client("cloudformation")
        self.project.approver = client("codepipeline")

    def login(self) -> Login:
        """The login that GitLab's mirror uses for CodeCommit."""
        held = self.project.mirror_login()
        self.passwords.add(held.password)
        return held

    def mirror(self) -> Mirror:
        """The only mirror to this repository. The secret names it."""
        [held] = self.source.mirrors_to(self.project.mirrored_url)
        named = self.source.recorded(self.project.secret)
        require([held.id] == named, f"the secret names mirrors {named}, GitLab has {held.id}")
        return held

    def mirror_after(self, former: Mirror) -> Mirror:
        """Waits until another mirror has replaced this one. A rotation deletes the former one last."""
        eventually(
            lambda: former.id not in [each.id for each in self.source.mirrors_to(self.project.mirrored_url)],
            f"mirror {former.id} is deleted",
        )
        return self.mirror()

    def push(self, branch: str = "") -> str:
        """Pushes to GitLab. Returns the commit when CodeCommit has it."""
        return self.project.push(to=f"refs/heads/{branch or self.branch}").commit

    def push_and_show(self, progress: Progress, **changed: str) -> str:
        """Pushes, and prints each step."""
        pushed = self.project.push_only(**changed)
        progress.show(
            "push",
            f"to {self.source.project.path} in GitLab, by a developer without a login for AWS: "
            f"{self.branch} is at {pushed.commit[:12]}.",
        )
        self.project.arrives(f"refs/heads/{self.branch}", pushed.commit)
        mirror = self.mirror()
        progress.show(
            "mirror",
            f"GitLab's mirror {mirror.id} pushes as {self.login().name}: {self.branch} in "
            f"CodeCommit is at {pushed.commit[:12]}.",
        )
        return pushed.commit

    # --- acts --------------------------------------------------------------------------

    def first_push(self) -> None:
        project = self.project
        require(not project.exists(), f"{project.name} exists before its branch")
        progress = Progress()
        commit = self.push_and_show(progress)
        execution = project.execution_of(commit)
        trigger = project.executions()[0]["trigger"]["triggerType"]
        require(trigger == "CreatePipeline", f"{trigger} started the first run")
        progress.show(
            "event",
            f"{project.event_rule} invokes the function for the branch's first push, and it "
            "creates the pipeline. The pipeline's first run deploys this push, so no run fails.",
        )
        self._build_and_approve(progress, execution, commit)
        eventually(
            lambda: [each["status"] for each in project.executions()] == ["Succeeded"],
            "one run has succeeded",
        )
        # From now on, the rule starts the pipeline.
        eventually(lambda: project.child.status() == "UPDATE_COMPLETE", f"{project.stack_name} is complete")

    def deploys_first_push(self) -> None:
        """The same with fewer steps printed."""
        progress = Progress()
        commit = self.push_and_show(progress)
        self._approve_and_show(progress, self.project.execution_of(commit), commit)
        eventually(
            lambda: self.project.child.status() == "UPDATE_COMPLETE", f"{self.project.stack_name} is complete"
        )

    def next_push(self, progress: Progress, **changed: str) -> tuple[str, str]:
        """Pushes, and returns the commit and the execution."""
        project = self.project
        commit = self.push_and_show(progress, **changed)
        execution = project.execution_of(commit)
        trigger = project.executions()[-1]["trigger"]
        require(
            trigger["triggerType"] == "CloudWatchEvent"
            and trigger["triggerDetail"].endswith(project.event_rule),
            f"{trigger} started the run",
        )
        progress.show("event", f"{project.event_rule} starts {project.name} with this commit.")
        return commit, execution

    def build_fails(self) -> None:
        project, progress = self.project, Progress()
        deployed = project.deployed_commit()
        commit, execution = self.next_push(progress, buildspec=_FAILING_BUILD)
        require(project.ended(execution) == "Failed", "the build succeeded")
        require(project.ran(execution)[-1] == ("Build", "Failed"), f"it ran {project.ran(execution)}")
        require(project.deployed_commit() == deployed, "it was deployed")
        progress.show(
            "Build",
            f"{project.build_project} runs buildspec.yml, and its command `make test` fails. Nothing waits "
            "for an approval.",
        )
        self._shows_failure(
            progress,
            commit,
            f"The build for `{self.env_id}` failed",
            "Error while executing command: make test.",
        )

    def deployment_fails(self) -> None:
        project, progress = self.project, Progress()
        deployed = project.deployed_commit()
        commit, execution = self.next_push(
            progress, template=project.template.replace("Outputs:\n", f"{_DENIED}Outputs:\n")
        )
        project.waits_for_approval(execution)
        warning = "Pipelines may not create `AWS::DynamoDB::Table`"
        text = self._shows_note(commit, warning)
        progress.show("GitLab", "shows the change set with a warning: the template has a new table.")
        gitlab_note(next(line for line in text.splitlines() if warning in line))
        project.decide(execution)
        progress.show("Approval", f"{self.approver} approves it in CodePipeline, without a look at GitLab.")
        require(project.ended(execution) == "Failed", "the deployment succeeded")
        status = project.deployed.status()
        require(
            (status, project.deployed_commit()) == ("UPDATE_ROLLBACK_COMPLETE", deployed),
            f"{project.deployed.name} is {status}",
        )
        progress.show(
            "Deploy",
            f"The table is denied. CloudFormation rolls {project.deployed.name} back to {deployed[:12]}.",
        )
        self._shows_failure(
            progress,
            commit,
            "but the deployment failed",
            "- `Orders` (`AWS::DynamoDB::Table`): `pipelines may not call dynamodb:CreateTable. ",
        )

    def _shows_failure(self, progress: Progress, commit: str, headline: str, cause: str) -> None:
        name = f"cfn-gitops/{self.env_id}/{self.project.project_id}"
        eventually(lambda: self.states(commit).get(name) == "failed", f"GitLab shows {name} as failed")
        text = self._shows_note(commit, headline)
        # The table of the changes has the resource too.
        require(cause in text.partition("| Resource |")[0], f"the note is {text}")
        require(len(self.source.project.commit_notes(commit)) == 1, "the commit has another note")
        progress.show("GitLab", f"shows {commit[:12]} as failed, with one note:")
        gitlab_note(text)

    def _shows_note(self, commit: str, headline: str) -> str:
        """Waits until a note of the commit has this headline, and returns it."""
        return str(
            eventually(
                lambda: next(
                    (each.body for each in self.source.project.commit_notes(commit) if headline in each.body),
                    "",
                ),
                f"GitLab shows: {headline}",
            )
        )

    def waits_during_a_freeze(
        self,
        freeze: Callable[[], None],
        until_events_are_sent: Callable[[], None],
        thaw: Callable[[], None],
        function_name: str,
    ) -> None:
        project = self.project
        self._runs_before = len(project.executions())
        freeze()
        progress = Progress()
        self._held = self.push_and_show(progress)
        until_events_are_sent()
        require(len(project.executions()) == self._runs_before, "an event started a run")
        progress.show("event", f"{project.event_rule} is disabled. Nothing starts.")
        thaw()
        self.aws.client("lambda").invoke(
            FunctionName=function_name,
            InvocationType="Event",
            Payload=json.dumps({"HealthCheck": {"EnvID": self.env_id}}).encode(),
        )

    def deploys_the_push_of_the_freeze(self) -> None:
        project, progress, runs = self.project, Progress(), self._runs_before
        execution = eventually(
            lambda: next((each["pipelineExecutionId"] for each in project.executions()[runs:]), ""),
            "the health check starts a run",
            seconds=150,
        )
        trigger = project.executions()[-1]["trigger"]["triggerType"]
        require(trigger == "StartPipelineExecution", f"{trigger} started the run")
        progress.show(
            "health",
            f"{self._held[:12]} still had no run after a minute. The health check has started"
            f" {project.name}.",
        )
        self._approve_and_show(progress, execution, self._held)
        require(len(project.executions()) == runs + 1, "another run was started")

    def _approve_and_show(self, progress: Progress, execution: str, commit: str) -> None:
        project = self.project
        self._shows_note(commit, "wait for an approval")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"the run did not succeed: {project.ran(execution)}")
        require(project.deployed_commit() == commit, "another commit is deployed")
        progress.show("Deploy", f"{self.approver} approves it. {project.deployed.name} is at {commit[:12]}.")
        self._shows_deployed(commit)

    def _shows_deployed(self, commit: str) -> None:
        eventually(lambda: self._deployed()[-1:] == [(commit, "success")], "GitLab shows the deployment")
        self._shows_note(commit, " and deployed**")

    def undoes_a_bad_release(self, undo: Callable[[str, str], subprocess.CompletedProcess[str]]) -> None:
        """`undo` runs the command with the project, and with the commit to deploy again."""
        project, progress = self.project, Progress()
        former = project.deployed_commit()
        bad, execution = self.next_push(progress)
        self._approve_and_show(progress, execution, bad)
        progress.show("release", f"{bad[:12]} is bad, which no step before could find.")
        with under_way("cfn-gitops undo has ended"):
            ran = undo(project.project_id, f"--to={former[:8]}")
        require(ran.returncode == 0, ran.stdout)
        progress.show(
            "undo",
            f"The operator runs cfn-gitops undo {project.project_id} --env {self.env_id} --to {former[:8]} "
            "--yes:",
        )
        for line in ran.stdout.splitlines()[1:]:
            # A link has no place to be wrapped at.
            note(re.sub(r"(https://[^/]+/)\S+", r"\1…", line), indent=14)
        execution = project.executions()[-1]["pipelineExecutionId"]
        require(project.deployed_commit() == bad, "it was deployed before the approval")
        progress.show("Approval", f"{self.approver} reads the change set and approves it in CodePipeline.")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"the run did not succeed: {project.ran(execution)}")
        require(project.deployed_commit() == former, "another commit is deployed")
        progress.show("Deploy", f"{project.deployed.name} is at {former[:12]} again.")
        self._shows_deployed(former)
        progress.show(
            "GitLab",
            f"shows {former[:12]} as deployed to {self.env_id}. {self.branch} is still at {bad[:12]}, "
            "which a developer now reverts there.",
        )

    def _deployed(self) -> list[tuple[str, str]]:
        """Commits and statuses of GitLab's deployments to the environment, the latest one last."""
        return [(one.sha, one.status) for one in self.source.project.deployments(self.env_id)]

    def starts_nothing_and_is_rejected(self, other_branch: str, unprotected_branch: str) -> None:
        project = self.project
        runs, deployed = len(project.executions()), project.deployed_commit()
        project.push(to=f"refs/tags/{self.branch}")
        # While it exists, GitLab answers each commit status of the branch with 500: app/models/project.rb,
        # `protected_for?`.
        project.delete_reference(f"refs/tags/{self.branch}")
        project.push(to=f"refs/heads/{other_branch}")
        project.push_only(to=f"refs/heads/{unprotected_branch}")
        note(
            f"Pushes of a tag named {self.branch}, of another protected branch and of an unprotected branch."
            " Then:"
        )
        progress = Progress()
        commit, execution = self.next_push(progress)
        require(len(project.executions()) == runs + 1, "another run was started")
        require(
            f"refs/heads/{unprotected_branch}" not in project.mirrored(), "an unprotected branch was mirrored"
        )
        progress.show("", "GitLab did not mirror the unprotected branch.")
        self._shows_note(commit, "wait for an approval")
        project.decide(execution, approves=False, why="not today")
        require(project.ended(execution) == "Failed", "a rejected run continued")
        require(project.deployed_commit() == deployed, "a rejected run was deployed")
        require(len(project.executions()) == runs + 1, "another run was started later")
        progress.show("", "The earlier pushes started nothing.")
        progress.show(
            "Approval",
            f"{self.approver} rejects it: {project.error(execution)}. "
            f"{project.deployed.name} is still at {deployed[:12]}.",
        )
        self._shows_note(commit, "were rejected")

    def _build_and_approve(self, progress: Progress, execution: str, commit: str) -> None:
        project, before = self.project, self.project.deployed_commit()
        project.waits_for_approval(execution)
        ran = [("Source", "Succeeded"), ("Build", "Succeeded"), ("CreateChangeSet", "Succeeded")]
        eventually(lambda: project.ran(execution)[:3] == ran, f"it ran {ran}")
        source, build = (
            next(action for action in project.actions(execution) if action["actionName"] == name)
            for name in ("Source", "Build")
        )
        taken = source["output"]["executionResult"]["externalExecutionId"]
        require(taken == commit, f"the source is {taken}")
        progress.show("Source", f"{project.name} runs with the pushed commit, {taken[:12]}.")
        progress.show(
            "Build",
            f"{build['output']['executionResult']['externalExecutionId'].split(':')[0]} runs "
            f"buildspec.yml. Its log has {len(project.build_log().splitlines())} lines.",
        )
        require(project.deployed_commit() == before, "it was deployed before the approval")
        changes = self._changes.describe_change_set(
            StackName=project.deployed.name, ChangeSetName=f"changeset-{self.env_id}-{project.project_id}"
        )["Changes"]
        shown = ", ".join(
            f"{change['Action']} {change['LogicalResourceId']} ({change['ResourceType']})"
            for change in (each["ResourceChange"] for each in changes)
        )
        progress.show("Changes", f"The change set of {project.deployed.name}: {shown}.")
        self._wait_for_statuses(commit, "running", "pending")
        eventually(
            lambda: any("`Rule`" in each.body for each in self.source.project.commit_notes(commit)),
            "GitLab shows the change set",
        )
        progress.show(
            "GitLab",
            "shows at the commit that it is on its way and waits for an approval, and lists the changes.",
        )
        progress.show(
            "Approval",
            f"Nothing is deployed yet. {self.approver} reads the change set and approves it in CodePipeline.",
        )
        project.decide(execution)
        status = project.ended(execution)
        require(status == "Succeeded", f"the run ended {status}: {json.dumps(project.ran(execution))}")
        require(project.deployed_commit() == commit, "another commit is deployed")
        rule = self.aws.client("events").describe_rule(Name=project.deployed.outputs()["Rule"])
        progress.show(
            "Deploy",
            f"CloudFormation {'updates' if before else 'creates'} {project.deployed.name}. The description of"
            " its resource: "
            f'"{rule["Description"][:30]}…".',
        )
        self._wait_for_statuses(commit, "success", "success")
        self._shows_deployed(commit)
        states = ", ".join(f"{name} {state}" for name, state in self.states(commit).items())
        progress.show("GitLab", f"shows at {commit[:12]}: {states}; and a deployment to {self.env_id}.")

    def _wait_for_statuses(self, commit: str, of_execution: str, of_approval: str) -> None:
        name = f"cfn-gitops/{self.env_id}/{self.project.project_id}"
        expected = {name: of_execution, f"{name}/approval": of_approval}
        # The health check of the day adds the status of the drift.
        eventually(lambda: expected.items() <= self.states(commit).items(), f"GitLab shows {expected}")

    def states(self, commit: str) -> dict[str, str]:
        """The commit's statuses of cfn-gitops. Other systems may have statuses of their own."""
        shown = self.source.project.status_states(commit)
        return {name: state for name, state in sorted(shown.items()) if name.startswith("cfn-gitops/")}

    def delete_deployed(self) -> None:
        """Deletes the deployed stack, which cfn-gitops never deletes."""
        name = self.project.deployed.name
        status = self.project.deployed.delete()
        require(status == "DELETE_COMPLETE", f"{name} is {status}")
        note(f"aws cloudformation delete-stack --stack-name {name}: {status}.")
