"""The note and status of a review branch on its merge request, with real pushes, builds and change sets."""

from tests.deployment.reviewing import ReviewedStack, note_about, notes, reviewed  # noqa: F401 - a fixture
from tests.deployment.watching import looks
from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.pipelines import eventually, with_resources
from tests.play.steps import Environment, decisions_of

FAILING = "version: 0.2\nphases: {build: {commands: [exit 1]}}\n"
TRANSFORM = "Transform: AWS::LanguageExtensions\n"


# claim: review-branches-are-shown-and-never-deployed
def test_merge_request_has_one_note_of_the_latest_push(
    aws: LocalAws, environment: Environment, reviewed: ReviewedStack
) -> None:
    project = reviewed.project
    before, deployed = project.executions(), project.deployed_commit()
    first = project.push_for_review("review/queues", template=with_resources("First", "Second"))
    merge_request = reviewed.gitlab.merge_request("review/queues")
    note = note_about(merge_request, first.commit)
    assert (
        "**A merge changes `dev`**" in note
        and f"stack `{project.deployed.name}`: 1 modified, 2 added" in note
    )
    assert "| `First` | `AWS::Events::Rule` | added |" in note
    assert "| `Rule` | `AWS::Events::Rule` | modified: `Description`" in note
    assert "example.unused" not in note and "is at" not in note

    # The next push edits the note, even if it fails, or if its template is not given to CloudFormation.
    second = project.push_for_review("review/queues", template=with_resources("Second"))
    note = note_about(merge_request, second.commit)
    assert "1 modified, 1 added" in note and "First" not in note
    with_transform = project.push_for_review("review/queues", template=TRANSFORM + with_resources("Second"))
    note = note_about(merge_request, with_transform.commit)
    assert "**No change set for `dev`**" in note and "because it has a transform" in note
    assert "| `AWS::Events::Rule` | 2 |" in note
    failing = project.push_for_review("review/queues", buildspec=FAILING)
    note = note_about(merge_request, failing.commit)
    assert "**The build for `dev` failed**" in note and "phase `BUILD`" in note
    assert len(notes(merge_request)) == 1

    assert project.own_change_sets() == []
    assert (project.executions(), project.deployed_commit()) == (before, deployed)
    decided = decisions_of(aws, environment.function_role)
    of_stack = [each["action"] for each in decided if f":stack/{project.deployed.name}/" in each["resource"]]
    counts = [of_stack.count(f"cloudformation:{verb}ChangeSet") for verb in ("Create", "Delete", "Execute")]
    # CloudFormation got the first two templates.
    assert counts == [2, 2, 0]
    assert [each for each in decided if not each["allowed"] and project.project_id in each["resource"]] == []


def test_branch_without_merge_request_is_reviewed_later(
    aws: LocalAws, environment: Environment, reviewed: ReviewedStack
) -> None:
    project = reviewed.project
    pushed = project.push_for_review("review/later", template=with_resources("First"))
    build = project.review(pushed.commit)

    def is_ignored() -> bool:
        log = steps.function_log(aws, environment.function_name)
        return (
            any(build["id"] in line for line in log.splitlines())
            and "the branch has no open merge request" in log
        )

    eventually(is_ignored, "the review has ended")
    assert project.own_change_sets() == []
    merge_request = reviewed.gitlab.merge_request("review/later")
    assert looks(aws)["HealthCheckFailed", ""] == 0
    [note] = notes(merge_request)
    assert f"Commit `{pushed.commit[:8]}`" in note and "1 modified, 1 added" in note
    # The next health check finds the note.
    looks(aws)
    assert notes(merge_request) == [note] and project.own_change_sets() == []
