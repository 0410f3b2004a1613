"""The loop in `make run`: a push and what becomes of it, in one environment and in two.

The developer and the approver are this script; everything between them is the environment's.
"""

from __future__ import annotations

import json
from pathlib import Path

from local_aws import LocalAws
from local_deploy import steps
from local_deploy.pipelines import Project, eventually
from local_deploy.steps import Login
from telling import Steps, require, tell


class Loop:
    """The first project of one environment."""

    def __init__(self, aws: LocalAws, env_id: str, branch: str, directory: Path) -> None:
        self.aws, self.env_id, self.branch = aws, env_id, branch
        self.project = Project(aws, env_id, "infra", directory, self.login, branch=branch)
        self.passwords: set[str] = set()

    def login(self) -> Login:
        held = steps.login(self.aws, f"codecommit-mirror/user-{self.env_id}-codecommit-mirroring")
        self.passwords.add(held.password)
        return held

    def push(self, branch: str = "") -> str:
        """Returns the commit."""
        branch = branch or self.branch
        pushed = self.project.push(to=f"refs/heads/{branch}")
        head = steps.branch_commit(self.aws, self.project.repository, branch)
        require(head == pushed.commit, f"CodeCommit has {head}, not {pushed.commit}")
        return pushed.commit

    # --- acts --------------------------------------------------------------------------

    def first_push(self) -> None:
        project = self.project
        require(not project.exists(), f"{project.name} is there before its branch")
        told = Steps()
        commit = self.push()
        told.tell("push", f"as {self.login().name}; CodeCommit's {self.branch} is at {commit[:12]}.")
        execution = project.execution_of(commit)
        trigger = project.executions()[0]["trigger"]["triggerType"]
        require(trigger == "CreatePipeline", f"the first run came of {trigger}")
        told.tell("event", f"{project.event_rule} told the function of the branch's first push: there is a pipeline "
                           "now. Its own first run is this push, so no run has failed.")
        self._build_and_approve(told, execution, commit)
        runs = [each["status"] for each in project.executions()]
        require(runs == ["Succeeded"], f"the runs are {runs}")
        # From here on the rule starts the pipeline itself.
        eventually(lambda: project.child.status() == "UPDATE_COMPLETE", f"{project.stack_name} is complete")

    def next_push(self, told: Steps) -> tuple[str, str]:
        """Returns commit and execution."""
        project = self.project
        commit = self.push()
        told.tell("push", f"CodeCommit's {self.branch} is at {commit[:12]}.")
        execution = project.execution_of(commit)
        trigger = project.executions()[-1]["trigger"]
        require(trigger["triggerType"] == "CloudWatchEvent" and trigger["triggerDetail"].endswith(project.event_rule),
                f"the run came of {trigger}")
        told.tell("event", f"{project.event_rule} started {project.name} with that commit.")
        return commit, execution

    def starts_nothing_and_is_rejected(self) -> None:
        project = self.project
        runs, deployed = len(project.executions()), project.deployed_commit()
        project.push(to=f"refs/tags/{self.branch}")
        project.push(to="refs/heads/feature")
        project.delete_reference("refs/heads/feature")
        tell(f"A tag named {self.branch}, another branch, and that branch's deletion are pushed; then:")
        told = Steps()
        _, execution = self.next_push(told)
        require(len(project.executions()) == runs + 1, "something else was started")
        told.tell("", "Events come in their order: the three before have started nothing.")
        project.waits_for_approval(execution)
        project.decide(execution, approves=False, why="not today")
        require(project.ended(execution) == "Failed", "a rejected run went on")
        require(project.deployed_commit() == deployed, "a rejected run was deployed")
        told.tell("Approval", f"This script, as the approver, rejects it: {project.error(execution)}. "
                              f"{project.deployed.name} is still at {deployed[:12]}.")

    def _build_and_approve(self, told: Steps, execution: str, commit: str) -> None:
        project = self.project
        project.waits_for_approval(execution)
        require(project.ran(execution)[:2] == [("Source", "Succeeded"), ("Build", "Succeeded")],
                f"it ran {project.ran(execution)}")
        source, build = (next(action for action in project.actions(execution) if action["actionName"] == name)
                         for name in ("Source", "Build"))
        taken = source["output"]["executionResult"]["externalExecutionId"]
        require(taken == commit, f"the source is {taken}")
        told.tell("Source", f"{project.name} took {taken[:12]}: what was pushed is what runs.")
        told.tell("Build", f"{build['output']['executionResult']['externalExecutionId'].split(':')[0]} ran "
                           f"buildspec.yml; its log has {len(project.build_log().splitlines())} lines.")
        require(not project.deployed.exists(), "it was deployed before anybody approved")
        told.tell("Approval", "Nothing is deployed yet. This script, as the approver, approves.")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"it ended otherwise: {json.dumps(project.ran(execution))}")
        require(project.deployed_commit() == commit, "another commit is deployed")
        rule = self.aws.client("events").describe_rule(Name=project.deployed.outputs()["Rule"])
        told.tell("Deploy", f"CloudFormation made {project.deployed.name}, whose resource says: "
                            f"\"{rule['Description'][:30]}…\".")

    def is_forgotten(self) -> None:
        """Deletes what was deployed, which nothing else does."""
        name = self.project.deployed.name
        status = self.project.deployed.delete()
        require(status == "DELETE_COMPLETE", f"{name} is {status}")
        tell(f"aws cloudformation delete-stack --stack-name {name}: {status}.")
