"""Another account in `make run`: it has the code and an image, and this account has the pipeline."""

from pathlib import Path

from tests.play.local import LocalAws
from tests.play.steps import Environment
from tests.play.two_accounts import IMAGES, OTHER, REPOSITORY, TwoAccounts
from tools.run.console import Progress, note, require


class Elsewhere:
    """A source and an image in the account OTHER, with all templates for them."""

    def __init__(self, aws: LocalAws, directory: Path, environment: Environment) -> None:
        self.scene = TwoAccounts(aws, directory / "two-accounts", environment)

    def shown(self) -> None:
        scene = self.scene
        scene.repository_there()
        scene.artifacts_here()
        note(
            f"cross-account-artifacts.yaml in account {scene.aws.account_id}: a bucket, its key, and"
            " permissions for the other account. Its outputs are the parameters of the next templates."
        )
        scene.roles_there()
        note(
            f"cross-account-repository.yaml and cross-account-image.yaml in account {OTHER}: for the"
            f" repository {REPOSITORY} and the images {IMAGES}, a role each and a rule that forwards pushes."
        )
        scene.environment_here()
        note(
            "sam deploy with SourceRoleArns, ArtifactBucketArns and ArtifactKeyArns: the environment may use"
            " them."
        )
        image = scene.push_image("one")
        scene.pipeline_here()
        project = scene.project
        require(not project.exists(), "the pipeline exists before its branch")
        note(
            f"project.yaml: the stack {project.stack_name}. The function looked for the branch with the "
            "other account's role. It creates the pipeline on the first push."
        )
        progress = Progress()
        self._push(progress, image)
        self._push_image(progress)
        scene.take_away()
        note("All stacks are deleted in both accounts, and the retained artifacts, images and key as well.")

    def _push(self, progress: Progress, image: str) -> None:
        project = self.scene.project
        pushed = project.push()
        progress.show(
            "push", f"to {REPOSITORY} in account {OTHER}: {project.branch} is at {pushed.commit[:12]}."
        )
        execution = project.execution_of(pushed.commit)
        progress.show(
            "event",
            "event-rule-dev-forward-codecommit of the other account sends the event to the bus of "
            f"this account. {project.event_rule} invokes the function, which creates the pipeline.",
        )
        project.waits_for_approval(execution)
        self._took(execution, image)
        progress.show(
            "Source",
            f"role-dev-codecommit-source of account {OTHER} writes {pushed.commit[:12]} to the "
            "bucket of this account. The image is the one with the tag latest.",
        )
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"the run did not succeed: {project.ran(execution)}")
        require(project.deployed_commit() == pushed.commit, "another commit is deployed")
        progress.show("Deploy", f"{project.deployed.name} is at {pushed.commit[:12]}.")

    def _push_image(self, progress: Progress) -> None:
        project = self.scene.project
        digest = self.scene.push_image("two")
        progress.show("push", f"of an image to {IMAGES}:latest of the other account: {digest[:19]}…")
        execution = project.execution_of(digest)
        project.waits_for_approval(execution)
        self._took(execution, digest)
        progress.show("Image", "The execution uses this digest. The build has it in $ImageURI.")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"the run did not succeed: {project.ran(execution)}")

    def _took(self, execution: str, digest: str) -> None:
        found = next(
            action for action in self.scene.project.actions(execution) if action["actionName"] == "Image"
        )
        taken = found["output"]["outputVariables"]["ImageDigest"]
        require(taken == digest, f"the image is {taken}")
