"""Reviews and drift in `make run` and `make try`: the changes of a branch, and changes by hand.

This script acts as the developer who opens a merge request, as the person who changes resources, and as the
operator.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from tests.play import steps
from tests.play.pipelines import with_resources
from tests.play.steps import Environment
from tests.play.waiting import eventually, under_way
from tools.run.console import Progress, gitlab_note, note, require
from tools.run.loop import Loop


class Changes:
    """The review branches and the stacks of one environment's first project."""

    def __init__(self, loop: Loop, environment: Environment, branch: str) -> None:
        self.loop, self.environment, self.branch = loop, environment, branch
        self.aws, self.project, self.gitlab = loop.aws, loop.project, loop.source.project

    # --- a review ------------------------------------------------------------------------

    def reviews(self) -> None:
        project, progress = self.project, Progress()
        before = len(project.executions())
        pushed = project.push_only(to=f"refs/heads/{self.branch}", template=with_resources("Another"))
        merge_request = self.gitlab.merge_request(self.branch, self.loop.branch)
        progress.show(
            "push",
            f"to GitLab: {self.branch} is at {pushed.commit[:12]}, with one more resource. A merge "
            f"request to {self.loop.branch} is opened.",
        )
        project.arrives(f"refs/heads/{self.branch}", pushed.commit)
        progress.show("mirror", f"{self.branch} in CodeCommit is at {pushed.commit[:12]}.")
        text = eventually(
            lambda: next((each.body for each in merge_request.notes if pushed.commit[:8] in each.body), ""),
            "the merge request has the note",
        )
        progress.show(
            "Build", f"{project.review_project} runs buildspec.yml, with a role that deploys nothing."
        )
        require("| `Another` | `AWS::Events::Rule` | added |" in text, f"the note is {text}")
        progress.show("GitLab", "shows one note on the merge request:")
        gitlab_note(text)
        require(project.own_change_sets() == [], "a change set is left")
        require(len(project.executions()) == before, "the pipeline was started")
        require(
            not any("Another" in each["LogicalResourceId"] for each in project.deployed.resources()),
            "it was deployed",
        )
        progress.show(
            "",
            f"{project.deployed.name} has no change set of the function left. The pipeline was not started.",
        )
        self.gitlab.close_merge_request(merge_request)

    # --- drift ----------------------------------------------------------------------------

    def reverts_drift(self) -> None:
        project, cloudformation = self.project, self.aws.client("cloudformation")
        stack, commit, rule = project.deployed, project.deployed_commit(), project.deployed.outputs()["Rule"]
        self.aws.client("events").enable_rule(Name=rule)
        note(f"A person enables the rule of {stack.name}, which its template disables.")
        self._check()
        self._wait_for_status(commit, "failed")
        note(
            f"The health check finds 1 resource that differs. GitLab shows the status drift at {commit[:12]}"
            " as failed. The log has the command:"
        )
        command = eventually(
            lambda: steps.logged_revert(self.aws, self.environment.function_name, stack.name),
            "the log has the command",
        )
        note(command, indent=6)
        self._run(command)
        which = {"StackName": stack.name, "ChangeSetName": "revert-drift"}
        eventually(
            lambda: cloudformation.describe_change_set(**which)["Status"] == "CREATE_COMPLETE",
            "the change set is complete",
        )
        cloudformation.execute_change_set(**which)
        require(stack.wait() == "UPDATE_COMPLETE", f"{stack.name} is {stack.status()}")
        require(self._state(rule) == "DISABLED", "the rule is still enabled")
        note("The operator runs it, reads the change set and executes it: the rule is disabled again.")
        self._check()
        self._wait_for_status(commit, "success")
        note("The next health check finds nothing. GitLab shows the status drift as success.")

    def _check(self) -> None:
        """Compares all deployed stacks now. The scheduled check compares each once a day."""
        payload = {"HealthCheck": {"EnvID": self.environment.env_id}}
        with under_way("the health check has ended"):
            self.aws.client("lambda").invoke(
                FunctionName=self.environment.function_name, Payload=json.dumps(payload).encode()
            )

    def _state(self, rule: str) -> str:
        return str(self.aws.client("events").describe_rule(Name=rule)["State"])

    def _wait_for_status(self, commit: str, state: str) -> None:
        name = f"cfn-gitops/{self.environment.env_id}/{self.project.project_id}/drift"
        eventually(lambda: self.loop.states(commit).get(name) == state, f"{name} is {state}")

    def _run(self, command: str) -> None:
        """Runs the command as it is in the log."""
        environment = self.aws.environment()
        path = f"{Path(sys.executable).parent}:{environment['PATH']}"
        ran = subprocess.run(
            shlex.split(command),
            env=environment | {"PATH": path},
            text=True,
            capture_output=True,
            check=False,
        )
        require(ran.returncode == 0, ran.stderr)
