"""The steps of a story about a `Custom::GitOpsPipeline`."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.play.pipelines import Pipeline, accepted, example_files
from tests.play.scenarios import Scenario, Step
from tests.play.stage import Player, Stage
from tests.play.steps import Working

# An execution that another one has replaced, or that a person or an update has stopped, is not one of the
# pushes.
_REPLACED = {"Cancelled", "Superseded", "Stopped"}


def renamed(project_id: str) -> str:
    """The second project of a story."""
    return f"{project_id}r"


class PipelinePlayer(Player):
    """The resource in a stack, and a developer who pushes to its repository."""

    GIVEN = ("a commit in the given repository",)

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        super().__init__(stage, scenario)
        self.working = Working(stage.directory / "work", self.branch("development"))
        self._commits: dict[str, str] = {}
        # By repository.
        self._newest: dict[str, str] = {}
        # Whether the repository outlives the deleted resource.
        self._is_retained = False
        # Repositories of the story's own.
        self._given: set[str] = set()

    def defaults(self) -> dict[str, Any]:
        return {"EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": "development"}}

    def names(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "EnvID": lambda _: self.stage.env_id,
            "ProjectID": self._project_id,
            "BranchMap": lambda written: {self.stage.env_id: self.branch(written["dev"])},
            "RepositoryName": self._other_repository,
        }

    def _other_repository(self, name: str) -> str:
        return f"codecommit-{self.stage.env_id}-{self.stage.id}-{name}"

    def _project_id(self, name: str) -> str:
        return self.stage.id if name == "shop" else renamed(self.stage.id)

    @property
    def project(self) -> Pipeline:
        """The pipeline of the resource, or of the deleted one."""
        return self._pipeline(self.properties or self.defaults())

    def _pipeline(self, properties: dict[str, Any]) -> Pipeline:
        return Pipeline(self.aws, self.stage.env_id, self._project_id(properties["ProjectID"]))

    @property
    def repository(self) -> str:
        source = (self.properties or {}).get("Source", {})
        return self._other_repository("given") if source else self.project.repository

    def prepare(self) -> None:
        own = self._other_repository("given")
        names = {own} if self.scenario.given else set()
        names |= {
            own
            for step in self.scenario.steps
            if step.word in ("create", "update")
            and self.properties_of(step).get("Source") == {"RepositoryName": "given"}
        }
        self._given = names
        if names:
            self.create_base(
                {f"Repository{index}": self.base_repository(name) for index, name in enumerate(sorted(names))}
            )
        if self.scenario.given:
            self._push(own, "development", "commit-of-old")

    def before_delete(self) -> None:
        self._is_retained = (self.properties or {}).get("RepositoryDeletionPolicy") == "Retain"
        self.stage.before_deletion(self.project)
        self.project.stop()

    # --- steps --------------------------------------------------------------------------------

    def do_push(self, step: Step) -> None:
        written = step.subject if isinstance(step.subject, dict) else {"commit": step.subject}
        self._push(self.repository, written.get("branch", "development"), written["commit"])

    def _push(self, repository: str, branch: str, label: str) -> None:
        to = f"refs/heads/{self.branch(branch)}"
        files = {**example_files(self.project.project_id), "change": f"{time.time_ns()}\n"}
        found = self.aws.client("codecommit").get_repository(repositoryName=repository)["repositoryMetadata"]
        pushed = accepted(self.working.push(self.stage.git_login(), found["cloneUrlHttp"], files, f"+{to}"))
        self._newest[repository] = self._commits[label] = pushed.commit

    def do_approve(self, step: Step) -> None:
        self._decide()

    def do_reject(self, step: Step) -> None:
        self._decide(approves=False, why="a story")

    def _decide(self, **decision: Any) -> None:
        self.project.decide(self.project.execution_of(self._newest[self.repository]), **decision)

    # --- the state ----------------------------------------------------------------------------

    def is_at_rest(self) -> str:
        """The child stack is complete, and each push has one execution."""
        assert self.properties is not None
        project, status = self.project, self.project.child.status() if self.project.child.exists() else ""
        if not status.endswith("_COMPLETE"):
            return f"{project.stack_name} is {status or 'missing'}"
        minutes = self.aws.client("codebuild").batch_get_projects(names=[project.build_project])["projects"][
            0
        ]["timeoutInMinutes"]
        expected = self.properties.get("Build", {}).get("TimeoutInMinutes", str(minutes))
        if str(minutes) != expected:
            return f"builds have {minutes} minutes, and not {expected}"
        if self._has_rule(project) != ("ApprovalRule" in self.properties):
            return f"the template {project.approval_rule} exists, or is missing"
        counts = self.see_executions(not_replaced=True)
        wrong = {
            label: count
            for label, commit in self._commits.items()
            if (count := counts.get(label, 0)) > 1
            or (count == 0 and commit == self._newest.get(self.repository))
        }
        return f"the number of executions by commit: {wrong}" if wrong else ""

    def _has_rule(self, project: Pipeline) -> bool:
        return self._exists("ApprovalRuleTemplate", approvalRuleTemplateName=project.approval_rule)

    def is_left(self) -> str:
        left = [
            name for each in ("shop", "renamed") for name in self._left(self._pipeline({"ProjectID": each}))
        ]
        kept = [*self._given, *([self.project.repository] if self._is_retained else [])]
        lost = [
            f"{name}, which is deleted"
            for name in kept
            if not self._exists("Repository", repositoryName=name)
        ]
        return ", ".join([*left, *lost])

    def _left(self, project: Pipeline) -> list[str]:
        found = {
            project.stack_name: project.child.exists(),
            project.approval_rule: self._has_rule(project),
            project.repository: not self._is_retained
            and self._exists("Repository", repositoryName=project.repository),
        }
        return [name for name, exists in found.items() if exists]

    def _exists(self, kind: str, **name: str) -> bool:
        """Whether CodeCommit has the repository or the approval rule template."""
        operation = {"Repository": "get_repository", "ApprovalRuleTemplate": "get_approval_rule_template"}[
            kind
        ]
        try:
            return bool(getattr(self.aws.client("codecommit"), operation)(**name))
        except ClientError as error:
            if error.response["Error"]["Code"] != f"{kind}DoesNotExistException":
                raise
            return False

    def see_deployed(self) -> Any:
        return self._label(self.project.deployed_commit())

    def _label(self, commit: str) -> Any:
        return next((label for label, known in self._commits.items() if known == commit), commit or None)

    def see_executions(self, not_replaced: bool = False) -> dict[str, int]:
        ran = [
            self._label(revision["revisionId"])
            for each in self.project.executions()
            for revision in each.get("sourceRevisions", [])
            if not (not_replaced and each["status"] in _REPLACED)
        ]
        return {label: ran.count(label) for label in ran}
