"""The records of a pipeline's executions in GitLab."""

from tests.play.mirroring import Source
from tests.play.pipelines import PROJECT, ProjectStack, accepted, eventually

TEMPLATE = (
    (PROJECT / "template.yaml").read_text()
    + """
  Address:
    Value: https://shop.example.com/
"""
)
FAILING = "version: 0.2\nphases: {build: {commands: [exit 1]}}\n"


class Developer:
    """Pushes each commit to GitLab, and then to CodeCommit as GitLab's mirror would."""

    def __init__(self, stack: ProjectStack, source: Source) -> None:
        self.project, self.source = stack.project, source

    def push(self, **changed: str) -> str:
        names = {"buildspec": "buildspec.yml", "template": "template.yaml"}
        files = {**self.project.files(), **{names[key]: content for key, content in changed.items()}}
        working = self.project.working
        accepted(working.push(self.source.developer(), self.source.project.url, files))
        return accepted(working.push_latest(self.project.git_login(), self.project.clone_url)).commit

    def sees(self, commit: str, **states: str) -> None:
        """Waits until these are the statuses of the commit: of the execution and of its approval."""
        name = f"cfn-gitops/dev/{self.project.project_id}"
        expected = {name if key == "execution" else f"{name}/{key}": state for key, state in states.items()}
        eventually(lambda: self.source.project.status_states(commit) == expected, f"{commit} has {expected}")


def address_of(source: Source, name: str) -> str | None:
    environment = source.project.environment(name)
    return environment and environment.external_url


def test_executions_are_shown_in_gitlab(source: Source, stack: ProjectStack) -> None:
    project, developer = stack.project, Developer(stack, source)
    gitlab = {"Url": source.gitlab.url, "TokenSecretId": source.secret_id, "Project": source.project.path}
    made = stack.make(GitLab=gitlab, Report={"EnvironmentUrlOutput": "Address"})
    assert made == "CREATE_COMPLETE", stack.failures()

    commit = developer.push(template=TEMPLATE)
    execution = project.execution_of(commit)
    project.waits_for_approval(execution)
    developer.sees(commit, execution="running", approval="pending")
    [note] = eventually(lambda: source.project.commit_notes(commit), "the change set is shown")
    assert "| `Rule` | `AWS::Events::Rule` | added |" in note.body
    assert "example.unused" not in note.body and "is at" not in note.body
    project.decide(execution)
    assert project.ended(execution) == "Succeeded"
    developer.sees(commit, execution="success", approval="success")
    eventually(
        lambda: [(one.sha, one.status) for one in source.project.deployments("dev")] == [(commit, "success")],
        "the deployment is recorded",
    )
    eventually(
        lambda: address_of(source, "dev") == "https://shop.example.com/", "the environment has the address"
    )

    rejected = developer.push()
    execution = project.execution_of(rejected)
    project.decide(execution, approves=False, why="not today")
    developer.sees(rejected, execution="canceled", approval="canceled")

    failing = developer.push(buildspec=FAILING)
    project.execution_of(failing)
    developer.sees(failing, execution="failed")
    [status] = source.project.statuses(failing)
    assert (status.description or "").startswith("Build failed"), status
    assert [one.sha for one in source.project.deployments("dev")] == [commit]
    assert project.deployed_commit() == commit
