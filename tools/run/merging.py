"""A project in `make run` whose merges are its approvals, as docs/how-to/approve-by-merging.md sets it up."""

from pathlib import Path
from textwrap import dedent, indent

from tests.play import steps
from tests.play.local import LocalAws, LocalGitLab
from tests.play.mirroring import FurtherProject, Source
from tests.play.pipelines import accepted, with_resources
from tests.play.steps import ROOT, Login, Stack
from tests.play.waiting import eventually
from tools.run.console import Progress, gitlab_note, note, require
from tools.run.loop import Loop

_PAGES = ROOT / "docs/how-to"
_REVIEW_BRANCH = "review/one-more-rule"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    parts = (_PAGES / page).read_text().split(f"```{language}\n")[1:]
    return [dedent(part.split("```", 1)[0]) for part in parts]


def template_of_the_page() -> str:
    """templates/project.yaml with the two properties of the page instead of its own."""
    text, [own] = (ROOT / "templates/project.yaml").read_text(), blocks("approve-by-merging.md", "yaml")
    for start, end in (
        ("      ArtifactBucketName:", "      ArtifactKeyArn:"),
        ("      Build:", "      Approval:"),
    ):
        before, rest = text.split(f"{start} !If\n", 1)
        text = before + end + rest.split(end, 1)[1]
    return text.replace("      Approval:", f"{indent(own, ' ' * 6)}      Approval:", 1)


class Merges:
    """The project `site`. Ann, a Maintainer, may merge into its branch."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, env_id: str, directory: Path) -> None:
        source = Source(aws, gitlab, "platform/site", "gitlab/site", "main", "review/*")
        self.aws, self.project = aws, FurtherProject(aws, env_id, "site", directory, source, "main")
        self.loop, self.artifacts = Loop(self.project), Stack(aws, f"artifacts-{env_id}-site")
        self.bucket = f"s3-{env_id}-site-artifact-{aws.account_id}-{aws.region}"
        self.ann = Login("ann", gitlab.add_token("ann").value, "")

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the environment."""
        return {"ArtifactBucketArns": f"arn:{self.aws.partition}:s3:::{self.bucket}"}

    def shown(self) -> None:
        self._create()
        self._first_push()
        commit = self._reviews()
        self._merges(commit)
        self._delete()

    def _create(self) -> None:
        project, env_id = self.project, self.project.env_id
        project.source.store_token()
        [of_bucket] = blocks("own-bucket.md", "yaml")
        status = self.artifacts.create(of_bucket, EnvID=env_id, ProjectID=project.project_id)
        require(
            status == "CREATE_COMPLETE", f"{self.artifacts.name} is {status}: {self.artifacts.failures()}"
        )
        # A person needs longer for the next command than IAM for the new role.
        self.aws.put_iam_into_effect()
        given = project.source.parameters(
            EnvID=env_id,
            ProjectID=project.project_id,
            BranchName=project.branch,
            ReviewBranches="review/*",
            ApprovalRequired="false",
        )
        status = project.stack.create(template_of_the_page(), **given)
        require(status == "CREATE_COMPLETE", f"{project.stack.name} is {status}: {project.stack.failures()}")
        note(
            f"Stack {project.stack.name}: {status}, with ApprovalRequired=false and ReviewBranches=review/*,"
            f" and with the bucket {self.bucket} and a build role of its own."
        )

    def _first_push(self) -> None:
        progress = Progress()
        self._deploys(progress, self.loop.push_and_show(progress))
        # From now on, a push starts the pipeline.
        child = self.project.child
        eventually(lambda: child.status() == "UPDATE_COMPLETE", f"{child.name} is complete")

    def _reviews(self) -> str:
        """A developer proposes a change. Returns the commit."""
        project, progress = self.project, Progress()
        runs, deployed = len(project.executions()), project.deployed_commit()
        reference = f"refs/heads/{_REVIEW_BRANCH}"
        commit = project.push(to=reference, template=with_resources("Another")).commit
        merge_request = project.source.project.merge_request(_REVIEW_BRANCH, project.branch)
        progress.show(
            "push", f"{_REVIEW_BRANCH} is at {commit[:12]}. A merge request to {project.branch} is opened."
        )
        text = eventually(
            lambda: next((each.body for each in merge_request.notes if commit[:8] in each.body), ""),
            "the merge request has the note",
        )
        require("| `Another` | `AWS::Events::Rule` | added |" in text, f"the note is {text}")
        progress.show("GitLab", "shows on the merge request what the merge would change:")
        gitlab_note(text)
        require(
            (len(project.executions()), project.deployed_commit()) == (runs, deployed), "the pipeline ran"
        )
        return commit

    def _merges(self, commit: str) -> None:
        project, progress = self.project, Progress()
        merged = accepted(project.working.push_latest(self.ann, project.clone_url))
        require(merged.commit == commit, f"{merged.commit} was merged")
        progress.show(
            "merge", f"Ann, a Maintainer, reads it and merges: {project.branch} is at {commit[:12]}."
        )
        project.arrives(f"refs/heads/{project.branch}", commit)
        self._deploys(progress, commit)
        resources = [each["LogicalResourceId"] for each in project.deployed.resources()]
        require("Another" in resources, f"{project.deployed.name} has {resources}")

    def _deploys(self, progress: Progress, commit: str) -> None:
        """The pipeline of the commit deploys it without an approval."""
        project = self.project
        execution = project.execution_of(commit)
        status, ran = project.ended(execution), project.ran(execution)
        require(status == "Succeeded", f"the run ended {status}: {ran}")
        require([name for name, _ in ran] == ["Source", "Build", "Deploy"], f"it ran {ran}")
        require(project.deployed_commit() == commit, "another commit is deployed")
        buckets = {
            each["output"]["outputArtifacts"][0]["s3location"]["bucket"]
            for each in project.actions(execution)
            if each["output"].get("outputArtifacts")
        }
        require(buckets == {self.bucket}, f"its artifacts are in {buckets}")
        progress.show(
            "Deploy",
            f"No person is asked. {project.deployed.name} is at {commit[:12]}, built in {self.bucket}.",
        )
        name = f"cfn-gitops/{project.env_id}/{project.project_id}"
        shown = eventually(
            lambda: (states := self.loop.states(commit)).get(name) == "success" and states,
            f"GitLab shows {name} as success",
        )
        require(f"{name}/approval" not in shown, f"GitLab shows an approval: {shown}")
        progress.show("GitLab", f"shows at {commit[:12]}: {', '.join(shown)}: success.")

    def _delete(self) -> None:
        project = self.project
        # A report may be late, and its function needs the pipeline's settings.
        self.aws.wait_for_functions()
        self.loop.delete_deployed()
        for stack in (project.stack, self.artifacts):
            status = stack.delete()
            require(status == "DELETE_COMPLETE", f"{stack.name} is {status}: {stack.failures()}")
        project.source.forget_token()
        steps.empty_bucket(self.aws, self.bucket)
        self.aws.client("s3").delete_bucket(Bucket=self.bucket)
        note("The stacks of the project and its bucket are deleted.")
