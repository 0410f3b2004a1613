"""The first project of template.yaml is optional, and an update adds and removes it."""

from pathlib import Path

from tests.deployment.conftest import Production, Transcript
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import Source
from tests.play.pipelines import Project
from tests.play.steps import ROOT, Environment, Stack, of_a_project
from tests.play.waiting import eventually

TEMPLATE = ROOT / "templates/project.yaml"
OF_THE_PROJECT = ["Project", "MirrorUser", "MirrorUserPolicy", "MirrorCredential", "MirrorRotation"]
# CloudFormation accepts it, and its read calls do not return it.
BRANCH = "機能/ログイン"
BUCKET = "s3-tst-codepipeline-artifact-123456789012-eu-central-1"


def first_project(environment: Stack) -> set[str]:
    return {each["LogicalResourceId"] for each in environment.resources()} & set(OF_THE_PROJECT)


def ended(environment: Stack, status: str) -> list[str]:
    """The first project's resources that got this status in the last operation, in this order."""
    events = environment.events()
    start = max(
        number
        for number, event in enumerate(events)
        if event["LogicalResourceId"] == environment.name and event["ResourceStatus"] == "UPDATE_IN_PROGRESS"
    )
    return [
        event["LogicalResourceId"]
        for event in events[start:]
        if event["ResourceStatus"] == status and event["LogicalResourceId"] in OF_THE_PROJECT
    ]


def is_before(order: list[str], first: str, second: str) -> bool:
    return order.index(first) < order.index(second)


def test_environment_without_project_gets_others_then_its_own(
    aws: LocalAws, environment: Environment, gitlab: LocalGitLab, transcript: Transcript, tmp_path: Path
) -> None:
    before, tst = steps.what_is_there(aws), Environment(aws, tmp_path, env_id="tst")
    created = tst.deploy(ProjectID="")
    transcript.add("sam's output, without a project", created.output)
    assert created.succeeded, created.output + "\n".join(tst.failures())
    assert first_project(tst) == set()
    assert not {"RepositoryName", "SecretName", "UserName", "PipelineName"} & tst.outputs().keys()
    bare = steps.what_is_there(aws)
    assert [bare[kind] for kind in ("IAM users", "repositories", "secrets")] == [
        before[kind] for kind in ("IAM users", "repositories", "secrets")
    ]

    other = Stack(aws, "project-tst-shop")
    status = other.create(TEMPLATE, EnvID="tst", ProjectID="shop", BranchName="main")
    assert status == "CREATE_COMPLETE", other.failures()
    transcript.collect_passwords(aws)
    secret = other.outputs()["SecretName"]
    shop = Project(aws, "tst", "shop", tmp_path, lambda: steps.login(aws, secret), branch="main")
    pushed = shop.push()
    assert shop.deploy(pushed.commit) == "Succeeded", shop.said()
    assert shop.deployed_commit() == pushed.commit
    transcript.add_pipeline(shop)
    assert shop.deployed.delete() == "DELETE_COMPLETE", shop.deployed.failures()
    assert other.delete() == "DELETE_COMPLETE", other.failures()
    assert steps.what_is_there(aws) == bare

    source = Source(aws, gitlab, "platform/testing", "gitlab/testing", BRANCH)
    source.store_token()
    assert tst.change(**source.parameters(**{**of_a_project(), "BranchName": BRANCH})) == "UPDATE_COMPLETE", (
        tst.failures()
    )
    transcript.collect_passwords(aws)
    assert first_project(tst) == set(OF_THE_PROJECT)
    order = ended(tst, "CREATE_COMPLETE")
    assert all(
        is_before(order, *pair)
        for pair in [
            ("Project", "MirrorCredential"),
            ("MirrorUserPolicy", "MirrorCredential"),
            ("MirrorCredential", "MirrorRotation"),
        ]
    )
    assert len(source.mirrors_to(tst.outputs()["RepositoryCloneUrl"])) == 1
    infra = Project(aws, "tst", "infra", tmp_path, source.developer, branch=BRANCH)

    def push() -> str:
        return infra.working.push(source.developer(), source.project.url, infra.files()).commit

    commit = push()
    assert infra.deploy(commit) == "Succeeded", infra.said()
    assert infra.deployed_commit() == commit
    eventually(lambda: infra.child.status() == "UPDATE_COMPLETE", f"{infra.stack_name} is complete")
    infra.waits_for_approval(infra.execution_of(push()))
    transcript.add_pipeline(infra)

    assert (
        tst.change(
            ProjectID="",
            BranchName="",
            DeployTemplatePath="",
            GitLabProject="",
            GitLabTokenSecretId="",
        )
        == "UPDATE_COMPLETE"
    ), tst.failures()
    assert first_project(tst) == set()
    order = ended(tst, "DELETE_COMPLETE")
    assert all(
        is_before(order, *pair)
        for pair in [
            ("MirrorRotation", "MirrorCredential"),
            ("MirrorCredential", "MirrorUserPolicy"),
            ("MirrorUserPolicy", "MirrorUser"),
            ("MirrorCredential", "Project"),
        ]
    )
    assert source.project.mirrors() == []
    source.forget_token()
    assert infra.deployed.delete() == "DELETE_COMPLETE", infra.deployed.failures()
    assert steps.what_is_there(aws) == bare

    assert tst.delete() == "DELETE_COMPLETE", tst.failures()
    steps.empty_bucket(aws, BUCKET)
    aws.client("s3").delete_bucket(Bucket=BUCKET)
    assert steps.what_is_there(aws) == before


def test_first_project_moves_to_a_stack_of_its_own_and_back(
    aws: LocalAws, production: Production, transcript: Transcript, tmp_path: Path
) -> None:
    infra = Project(aws, "prd", "infra", tmp_path, production.login, branch="master")
    assert infra.deploy(infra.push().commit) == "Succeeded", infra.said()
    transcript.add_pipeline(infra)
    before = steps.what_is_there(aws)
    status, output = production.run(
        "deploy", "--yes", "--", "ProjectID=", "BranchName=", "DeployTemplatePath="
    )
    assert status == 0, output
    assert first_project(production) == set()
    # The deployed stack stays.
    assert infra.deployed.exists() and not infra.child.exists()
    status, output = production.run("doctor")
    assert status == 0, output

    own = Stack(aws, "project-prd-infra")
    assert own.create(TEMPLATE, EnvID="prd", ProjectID="infra") == "CREATE_COMPLETE", own.failures()
    transcript.collect_passwords(aws)
    secret = own.outputs()["SecretName"]
    moved = Project(
        aws, "prd", "infra", tmp_path / "moved", lambda: steps.login(aws, secret), branch="master"
    )
    pushed = moved.push()
    assert moved.deploy(pushed.commit) == "Succeeded", moved.said()
    assert moved.deployed_commit() == pushed.commit
    transcript.add_pipeline(moved)
    status, output = production.run("undeploy", "--keep-stacks", "--yes")
    assert status == 1 and "stack gitops-prd-infra: belongs to project-prd-infra" in output, output
    assert "stack cfn-gitops-prd: will be deleted\n" in output, output
    assert own.delete() == "DELETE_COMPLETE", own.failures()

    status, output = production.run("deploy", "--yes")
    assert status == 0, output
    transcript.collect_passwords(aws)
    changes = (
        "CodeCommit credentials",
        "pipelines",
    )  # a new credential, and no pipeline before the first push
    after = steps.what_is_there(aws)
    assert {kind: after[kind] for kind in after if kind not in changes} == {
        kind: before[kind] for kind in before if kind not in changes
    }
    again = Project(aws, "prd", "infra", tmp_path / "again", production.login, branch="master")
    pushed = again.push()
    assert again.deploy(pushed.commit) == "Succeeded", again.said()
    assert again.deployed_commit() == pushed.commit
    assert again.deployed.delete() == "DELETE_COMPLETE", again.deployed.failures()
