"""Pipelines in one account with code and image in another: both accounts, created only with the templates."""

from pathlib import Path

from tests.local.aws import LocalAws
from tests.play import steps
from tests.play.images import push_image
from tests.play.pipelines import Project, developer_login
from tests.play.steps import ROOT, Environment, Stack

TEMPLATES = ROOT / "templates"
OTHER = "210987654321"
PROJECT = "shop"
REPOSITORY, IMAGES = "shop", "ecr-dev-base"


def complete(stack: Stack, status: str) -> Stack:
    assert status.endswith("_COMPLETE") and "ROLLBACK" not in status, (status, stack.failures())
    return stack


def as_parameters(output: str) -> dict[str, str]:
    """`A=1 B=2`, the form of outputs that are meant to be copied."""
    return dict(pair.split("=", 1) for pair in output.split())


class TwoAccounts:
    """`here` has the pipelines, `there` code and image. Each step is a command of the pages
    docs/how-to/cross-account-source.md and docs/how-to/cross-account-image.md, in their order."""

    def __init__(self, aws: LocalAws, directory: Path, environment: Environment | None = None) -> None:
        self.aws, self.there = aws, aws.in_account(OTHER)
        self.artifacts = Stack(aws, "cross-account-artifacts-dev")
        self.repository = Stack(self.there, "cross-account-repository-dev")
        self.image = Stack(self.there, "cross-account-image-dev")
        self.environment = environment or Environment(aws, directory)
        self.project_stack = Stack(aws, f"project-dev-{PROJECT}")
        self.project = Elsewhere(self, directory)

    def make(self) -> None:
        self.repository_there()
        self.artifacts_here()
        self.roles_there()
        self.environment_here()
        self.push_image("one")
        first = self.project.push()
        self.pipeline_here()
        # A new pipeline runs by itself.
        assert self.project.deploy(first.commit) == "Succeeded", self.project.said()
        assert self.project.deployed_commit() == first.commit

    def take_away(self) -> None:
        """Deletes in reverse order, and then the retained resources: the artifacts, their key, the images,
        the code."""
        self.withdraw()
        self.remove_what_is_kept()

    def withdraw(self) -> None:
        """Ends the trust between the accounts. Only the artifacts' stack remains."""
        complete(self.project_stack, self.project_stack.delete())
        complete(self.project.deployed, self.project.deployed.delete())
        emptied = self.environment.deploy(SourceRoleArns="", ArtifactBucketArns="", ArtifactKeyArns="")
        assert emptied.succeeded, emptied.output
        for stack in (self.image, self.repository):
            complete(stack, stack.delete())
        complete(
            self.artifacts,
            self.artifacts.update(
                TEMPLATES / "cross-account-artifacts.yaml",
                EnvID="dev",
                RepositoryAccountId="",
                ImageAccountId="",
            ),
        )

    def remove_what_is_kept(self) -> None:
        kept = self.artifacts.outputs()
        complete(self.artifacts, self.artifacts.delete())
        self.there.client("ecr").delete_repository(repositoryName=IMAGES, force=True)
        self.there.client("codecommit").delete_repository(repositoryName=REPOSITORY)
        iam = self.there.client("iam")
        iam.delete_service_specific_credential(
            UserName="developer", ServiceSpecificCredentialId=self.login.credential_id
        )
        iam.delete_user_policy(UserName="developer", PolicyName="push")
        iam.delete_user(UserName="developer")
        steps.empty_bucket(self.aws, kept["ArtifactBucketName"])
        self.aws.client("s3").delete_bucket(Bucket=kept["ArtifactBucketName"])
        self.aws.client("kms").schedule_key_deletion(KeyId=kept["ArtifactKeyArn"])

    def repository_there(self) -> None:
        self.there.client("codecommit").create_repository(repositoryName=REPOSITORY)
        self.login = developer_login(self.there, "dev", repositories=REPOSITORY)
        # IAM's changes take three seconds here. Otherwise the push may be denied.
        self.aws.put_iam_into_effect()

    def artifacts_here(self) -> None:
        complete(
            self.artifacts,
            self.artifacts.create(
                TEMPLATES / "cross-account-artifacts.yaml",
                EnvID="dev",
                RepositoryAccountId=OTHER,
                ImageAccountId=OTHER,
            ),
        )

    def roles_there(self) -> None:
        given = as_parameters(self.artifacts.outputs()["OtherAccountsParameters"])
        complete(
            self.repository,
            self.repository.create(
                TEMPLATES / "cross-account-repository.yaml", **given, RepositoryArns=self.repository_arn
            ),
        )
        complete(
            self.image,
            self.image.create(TEMPLATES / "cross-account-image.yaml", **given, RepositoryName=IMAGES),
        )

    def environment_here(self) -> None:
        deployed = self.environment.deploy(**as_parameters(self.artifacts.outputs()["EnvironmentParameters"]))
        assert deployed.succeeded, deployed.output + "\n".join(self.environment.failures())

    def pipeline_here(self) -> None:
        complete(
            self.project_stack,
            self.project_stack.create(TEMPLATES / "project.yaml", **self.project_parameters),
        )

    @property
    def project_parameters(self) -> dict[str, str]:
        return {
            "EnvID": "dev",
            "ProjectID": PROJECT,
            "RepositoryAccountId": OTHER,
            "RepositoryName": REPOSITORY,
            "ImageAccountId": OTHER,
            "ImageRepositoryName": IMAGES,
        }

    @property
    def repository_arn(self) -> str:
        return f"arn:{self.aws.partition}:codecommit:{self.aws.region}:{OTHER}:{REPOSITORY}"

    def push_image(self, content: str, tag: str = "latest") -> str:
        """Pushes an image and returns its digest."""
        return push_image(self.there.client("ecr"), IMAGES, content, tag)


class Elsewhere(Project):
    """The pipeline in this account, with its developer in the other one."""

    def __init__(self, scene: TwoAccounts, directory: Path) -> None:
        super().__init__(scene.aws, "dev", PROJECT, directory, lambda: scene.login)
        self._scene = scene

    @property
    def clone_url(self) -> str:
        found = self._scene.there.client("codecommit").get_repository(repositoryName=REPOSITORY)
        return str(found["repositoryMetadata"]["cloneUrlHttp"])
