"""Another account in `make run`: code and an image there, the pipeline here, made with the templates and one push."""

from __future__ import annotations

from pathlib import Path

from local.aws import LocalAws
from tests.deployment.steps import Environment
from tests.deployment.two_accounts import IMAGES, OTHER, REPOSITORY, TwoAccounts
from console import Steps, require, tell


class Elsewhere:
    """What there is of the act; `there` is the other account."""

    def __init__(self, aws: LocalAws, directory: Path, environment: Environment) -> None:
        self.scene = TwoAccounts(aws, directory / "two-accounts", environment)

    def shown(self) -> None:
        scene = self.scene
        scene.repository_there()
        scene.artifacts_here()
        tell(f"cross-account-artifacts.yaml in account {scene.aws.account_id}: a bucket, a key for it, and who may write "
             "there and send events. What the others are to be given stands in its outputs.")
        scene.roles_there()
        tell(f"cross-account-repository.yaml and cross-account-image.yaml in account {OTHER}, where CodeCommit has "
             f"{REPOSITORY} and ECR now has {IMAGES}: each a role, and a rule that forwards pushes.")
        scene.environment_here()
        tell("sam deploy with SourceRoleArns, ArtifactBucketArns and ArtifactKeyArns: the environment's roles know them.")
        image = scene.push_image("one")
        scene.pipeline_here()
        project = scene.project
        require(not project.exists(), "the pipeline is there before its branch")
        tell(f"cross-account-project.yaml: the stack {project.stack_name}. The function has looked at the branch through "
             "the other account's role, and waits for its first push.")
        self._push(Steps(), image)
        self._push_image(Steps())
        scene.take_away()
        tell("All of it is deleted in both accounts, and so is what the stacks keep on purpose: artifacts, images, key.")

    def _push(self, told: Steps, image: str) -> None:
        project = self.scene.project
        pushed = project.push()
        told.tell("push", f"to {REPOSITORY} in account {OTHER}: {project.branch} is at {pushed.commit[:12]}.")
        execution = project.execution_of(pushed.commit)
        told.tell("event", f"event-rule-dev-forward-codecommit there told the bus here; {project.event_rule} told the "
                           "function, which made the pipeline.")
        project.waits_for_approval(execution)
        self._took(execution, image)
        told.tell("Source", f"with role-dev-codecommit-source of account {OTHER}, which wrote {pushed.commit[:12]} into "
                            "the bucket here; and the image that is latest there.")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"it ended otherwise: {project.ran(execution)}")
        require(project.deployed_commit() == pushed.commit, "another commit is deployed")
        told.tell("Deploy", f"{project.deployed.name} is at {pushed.commit[:12]}.")

    def _push_image(self, told: Steps) -> None:
        project = self.scene.project
        digest = self.scene.push_image("two")
        told.tell("push", f"of an image to {IMAGES}:latest there: {digest[:19]}…")
        execution = project.execution_of(digest)
        project.waits_for_approval(execution)
        self._took(execution, digest)
        told.tell("Image", "is what this execution took, by its digest; the build had it in $ImageURI.")
        project.decide(execution)
        require(project.ended(execution) == "Succeeded", f"it ended otherwise: {project.ran(execution)}")

    def _took(self, execution: str, digest: str) -> None:
        found = next(action for action in self.scene.project.actions(execution) if action["actionName"] == "Image")
        taken = found["output"]["outputVariables"]["ImageDigest"]
        require(taken == digest, f"the image is {taken}")
