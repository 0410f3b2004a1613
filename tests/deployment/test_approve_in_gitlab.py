"""A person approves in GitLab, by a tag: with the real git, GitLab's protected tags, and a mirror that pushes
tags."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.deployment.pages import as_shop, compare_recorded
from tests.deployment.watching import looks
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import Source
from tests.play.pipelines import ProjectStack, accepted, eventually, with_resources
from tests.play.steps import Environment, Login


@pytest.fixture
def approving(aws: LocalAws, environment: Environment) -> Iterator[None]:
    """While the environment's function may approve as GitLab shows."""
    assert environment.change(FunctionApprovals="GitLab") == "UPDATE_COMPLETE", environment.failures()
    aws.put_iam_into_effect()
    yield
    assert environment.change(FunctionApprovals="Denied") == "UPDATE_COMPLETE", environment.failures()


def approval_note(source: Source, commit: str) -> str:
    source.approval_tags(commit)
    return next(note.body for note in source.project.commit_notes(commit) if "tag_name=deploy" in note.body)


@pytest.mark.usefixtures("approving", "expected_denials")
def test_tag_of_a_maintainer_in_gitlab_approves(
    aws: LocalAws, gitlab: LocalGitLab, git_login: Callable[[], Login], source: Source, stack: ProjectStack
) -> None:
    # Maintainers alone create tags that decide.
    source.project.protect_tags("deploy/*", "reject/*")
    assert (
        stack.make(
            GitLab={"Url": gitlab.url, "TokenSecretId": source.secret_id, "Project": source.project.path},
            Approval={"FromGitLab": True, "AllowAuthor": True},
        )
        == "CREATE_COMPLETE"
    ), stack.failures()
    project, working, mirrors = stack.project, stack.project.working, git_login()
    login = f"{mirrors.name}:{mirrors.password}"
    source.project.make_mirror(project.clone_url.replace("://", f"://{login}@"), only_protected_branches=True)
    ann = gitlab.add_token("ann", user=gitlab.user("Ann", username="ann"))
    developer = Login("bob", gitlab.add_token("bob", role="developer").value, "")

    # The first deployment is approved in AWS.
    commit = accepted(working.push(developer, source.project.url, project.files())).commit
    project.waits_for_approval(project.execution_of(commit))
    eventually(
        lambda: "Approve or reject in AWS" in str(source.project.commit_notes(commit)),
        "the note says who approves",
    )
    assert "tag_name=" not in str(source.project.commit_notes(commit))
    assert project.deploy(commit) == "Succeeded", project.said()
    # From now on, a push starts the pipeline.
    eventually(lambda: project.child.status() == "UPDATE_COMPLETE", f"{project.stack_name} is complete")

    def push() -> tuple[str, str, str]:
        """The developer pushes. The execution waits, and GitLab shows the tag that approves it."""
        commit = accepted(working.push(developer, source.project.url, project.files())).commit
        execution = project.execution_of(commit)
        project.waits_for_approval(execution)
        return commit, execution, source.approval_tags(commit)["deploy"]

    def is_approved(commit: str, execution: str, tag: str) -> None:
        assert project.ended(execution) == "Succeeded", project.said()
        assert project.deployed_commit() == commit
        by = f"in GitLab by @ann ({ann.user}), tag {tag}"
        assert f"cfn-gitops: approved {by}" in json.dumps(project.actions(execution), default=str)
        eventually(
            lambda: f"Approved {by}" in [each.description for each in source.project.statuses(commit)],
            "GitLab shows who approved",
        )

    commit, execution, tag = push()
    rejected = working.push_latest(developer, source.project.url, f"refs/tags/{tag}")
    assert (
        not rejected.accepted
        and "You are not allowed to create this tag as it is protected" in rejected.output
    )
    # With the mirror's password, straight to CodeCommit. Its event invokes the function.
    accepted(working.push_latest(mirrors, project.clone_url, f"refs/tags/{tag}"))
    aws.wait_for_events()
    aws.wait_for_functions()
    # CodeCommit has the tag already, so the approver's tag causes no event.
    assert source.create_tag(tag, commit, ann.value) == ""
    gitlab.wait_until_quiet()
    aws.wait_for_functions()
    assert project.ran(execution)[-1] == ("Approval", "InProgress"), project.said()
    assert looks(aws)["HealthCheckFailed", ""] == 0
    is_approved(commit, execution, tag)

    # A job of Ann's schedule creates the tag with a release. The note shows the next tag.
    commit, execution, tag = push()
    job = gitlab.add_token("job", scope="job", user=ann.user).value
    assert source.release_of_job("POST", tag, job, ref=commit) == 201
    gitlab.wait_until_quiet()
    aws.wait_for_events()
    aws.wait_for_functions()
    assert project.ran(execution)[-1] == ("Approval", "InProgress"), project.said()
    eventually(
        lambda: "belongs to a release" in str(source.project.commit_notes(commit)), "the note says why"
    )
    assert source.release_of_job("DELETE", tag, job) == 200
    assert looks(aws)["HealthCheckFailed", ""] == 0
    assert project.ran(execution)[-1] == ("Approval", "InProgress"), project.said()
    tag = source.approval_tags(commit)["deploy"]
    assert tag.endswith("-2") and source.create_tag(tag, commit, ann.value) == ""
    is_approved(commit, execution, tag)

    # The deployment fails, after the picture of the page is recorded. The change set is gone, so only all
    # actions of the stage can be retried: with a new key.
    project.template = with_resources("Another").replace(
        "    Properties:\n", "    Properties:\n      Name: of-another-owner\n", 1
    )
    commit, execution, tag = push()
    compare_recorded("approval note", as_shop(approval_note(source, commit), project, commit))
    assert source.create_tag(tag, commit, ann.value) == ""
    assert project.ended(execution) == "Failed"
    project.retry(execution, "FAILED_ACTIONS")
    assert project.ended(execution) == "Failed" and "ChangeSetNotFound" in project.said()
    eventually(
        lambda: any(
            "Retry all actions" in (each.description or "") for each in source.project.statuses(commit)
        ),
        "GitLab shows what to retry",
    )
    project.retry(execution, "ALL_ACTIONS")
    project.waits_for_approval(execution)
    eventually(lambda: source.approval_tags(commit)["deploy"] != tag, "the note has a new key")
    assert source.create_tag(source.approval_tags(commit)["reject"], commit, ann.value) == ""
    assert project.ended(execution) == "Failed" and "cfn-gitops: rejected in GitLab by @ann" in project.said()
