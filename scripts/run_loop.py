"""The loop in `make run`: a push to GitLab and what becomes of it, in one environment and in two.

The developer and the approver are this script; everything between them is GitLab's and the environment's.
"""

from __future__ import annotations

import json
from pathlib import Path

from local.aws import LocalAws
from local.gitlab.state import Mirror
from tests.deployment import steps
from tests.deployment.mirroring import MirroredProject, Source
from tests.deployment.pipelines import eventually
from tests.deployment.steps import Login
from console import Steps, require, tell


class Loop:
    """The first project of one environment."""

    def __init__(self, aws: LocalAws, env_id: str, branch: str, directory: Path, source: Source) -> None:
        self.aws, self.env_id, self.branch, self.source = aws, env_id, branch, source
        self.project = MirroredProject(aws, env_id, "infra", directory, source, branch)
        self.passwords: set[str] = set()

    def login(self) -> Login:
        """GitLab's at CodeCommit."""
        held = self.project.mirror_login()
        self.passwords.add(held.password)
        return held

    def mirror(self) -> Mirror:
        """The only one that leads here, which is the one that the secret names."""
        [held] = self.source.mirrors_to(self.project.mirrored_url)
        named = self.source.recorded(f"codecommit-mirror/user-{self.env_id}-codecommit-mirroring")
        require([held.id] == named, f"the secret names mirrors {named}, GitLab has {held.id}")
        require((held.credentials.user, held.credentials.password) == (self.login().name, self.login().password),
                "GitLab has another login")
        return held

    def push(self, branch: str = "") -> str:
        """To GitLab; returns the commit, once CodeCommit has it."""
        return self.project.push(to=f"refs/heads/{branch or self.branch}").commit

    def push_and_tell(self, told: Steps) -> str:
        """The same, step by step."""
        pushed = self.project.push_only()
        told.tell("push", f"to {self.source.project.path} in GitLab, by a developer who has no login at AWS: "
                          f"{self.branch} is at {pushed.commit[:12]}.")
        self.project.arrives(f"refs/heads/{self.branch}", pushed.commit)
        mirror = self.mirror()
        told.tell("mirror", f"GitLab's mirror {mirror.id} pushed it as {mirror.credentials.user}: CodeCommit's "
                            f"{self.branch} is at {pushed.commit[:12]}.")
        return pushed.commit

    # --- acts --------------------------------------------------------------------------

    def first_push(self) -> None:
        project = self.project
        require(not project.exists(), f"{project.name} is there before its branch")
        told = Steps()
        commit = self.push_and_tell(told)
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
        commit = self.push_and_tell(told)
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
        project.push(to="refs/heads/elsewhere")
        project.push_only(to="refs/heads/feature")
        tell(f"A tag named {self.branch}, another protected branch, and one that is not protected are pushed; then:")
        told = Steps()
        _, execution = self.next_push(told)
        require(len(project.executions()) == runs + 1, "something else was started")
        told.tell("", "Events come in their order: those before have started nothing.")
        require("refs/heads/feature" not in project.mirrored(), "a branch that is not protected was mirrored")
        told.tell("", "The branch that is not protected has not left GitLab.")
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
