"""Several environments with one samconfig.toml: the usual commands of sam in a clone, mistakes with EnvID,
and the page docs/how-to/second-environment.md. The GitLab is a self-managed one with a private CA."""

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.pages import Folder, as_shop, blocks, clone, compare_recorded
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.local.gitlab.certificates import Authority
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import PROJECT, accepted, eventually
from tests.play.steps import ROOT, Stack

README, CONNECT, PAGE, ALLOW, RUNBOOK, AWS_CLI, TAGS = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / name
        for name in (
            "how-to/connect-gitlab.md",
            "how-to/second-environment.md",
            "how-to/allow-resources.md",
            "runbook/README.md",
            "runbook/aws-cli.md",
            "how-to/tags.md",
        )
    ),
)
OTHER = "210987654321"
NAME = "cfn-gitops-dev-eu-central-1-keeps-its-EnvID"


class Scene:
    """A GitLab project with the branch main, and an account whose environment dev deploys it, as in the
    README."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path) -> None:
        self.aws, self.gitlab, self.directory = aws, gitlab, directory
        self.source = Source(aws, gitlab, "platform/infra", "gitlab/infra", "main")
        self.folder = self.folder_of(aws, "clone")
        # A self-managed GitLab may present a certificate of either CA while it changes from one to the other.
        ca = f"{Authority.make('The next CA').certificate}{gitlab.ca_certificate}"
        (self.folder.directory / "ca.pem").write_text(ca)
        self.of_gitlab = {"GitLabUrl": gitlab.url, "GitLabCaCertificate": ca}
        # Step 2 of docs/how-to/connect-gitlab.md, and the tag for a private CA.
        self.folder.run(blocks(CONNECT)[0], typed=self.gitlab.token)
        self.tag, *_ = blocks(CONNECT, heading="## Self-managed GitLab")
        self.folder.run(self.tag)
        self.dev = MirroredProject(aws, "dev", "infra", directory / "dev", self.source, "main")
        files = {path.name: path.read_text() for path in PROJECT.iterdir()}
        self.first = accepted(
            self.dev.working.push(self.source.developer(), self.source.project.url, files)
        ).commit
        [self.shown] = blocks(README, "toml")
        self.folder.write_parameters("dev", self.shown, **self.of_gitlab)
        self.environment = Stack(aws, "cfn-gitops-dev")
        self.deployed = self.folder.run(
            "sam build --config-env dev && sam deploy --config-env dev", typed="y\n"
        )

    def folder_of(self, aws: LocalAws, name: str) -> Folder:
        return Folder(aws, clone(self.directory / name), self.directory, self.gitlab.url)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An AWS and a GitLab of its own: other tests do not compare these deployments."""
    with (
        LocalAws() as aws,
        local_gitlab.running(tls=True, protected_delay=0.5, unprotected_delay=0.5) as gitlab,
    ):
        yield Scene(aws, gitlab, tmp_path_factory.mktemp("environments"))


def state(scene: Scene) -> dict[str, Any]:
    """The environment with its physical IDs, parameters and template, everything in the account, and the
    requests to the function."""
    stack = scene.environment
    described = stack.describe()
    template = scene.aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    return {
        "resources": {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in stack.resources()},
        "parameters": described["Parameters"],
        "outputs": described["Outputs"],
        "template": template,
        "account": steps.what_is_there(scene.aws),
        "requests": len(scene.aws.exchanges()),
    }


def parameters(scene: Scene) -> dict[str, str]:
    return {
        each["ParameterKey"]: each["ParameterValue"] for each in scene.environment.describe()["Parameters"]
    }


def test_sam_build_and_deploy_work_in_a_clone(scene: Scene) -> None:
    assert "Successfully created/updated stack - cfn-gitops-dev" in scene.deployed
    assert "is a valid SAM Template" in scene.folder.run("sam validate --config-env dev")


def test_sam_deploy_without_the_function_names_the_missing_folder(scene: Scene, tmp_path: Path) -> None:
    folder = Folder(scene.aws, clone(tmp_path), tmp_path)
    shutil.copy(ROOT / "template.yaml", tmp_path)
    shutil.rmtree(tmp_path / "target")
    output = folder.run("sam deploy --config-env dev", fails=True)
    assert f"refers to a file or folder that does not exist {tmp_path}/target/lambda/cfn-gitops" in output


def test_sam_without_config_env_deploys_nothing(scene: Scene) -> None:
    before = state(scene)
    assert "Missing option '--stack-name'" in scene.folder.run("sam deploy", fails=True)
    assert state(scene) == before


def test_shipped_settings_keep_the_parameters_of_the_stack(scene: Scene) -> None:
    """A later release comes with the file as it is here."""
    before = state(scene)
    assert "No changes to deploy" in scene.folder_of(scene.aws, "release").run("sam deploy --config-env dev")
    assert state(scene) == before
    assert parameters(scene)["GitLabProject"] == "platform/infra"


# A comma, a quotation mark, and more than CloudFormation passes on.
@pytest.mark.parametrize(
    "tags",
    [{"a": "b, c"}, {"a": 'b"c'}, {f"key{number}": "v" for number in range(50)}],
    ids=["comma", "quote", "50"],
)
def test_tags_that_the_function_rejects_change_nothing(
    scene: Scene, tags: dict[str, str], tmp_path: Path
) -> None:
    folder, before = Folder(scene.aws, clone(tmp_path / "clone"), tmp_path, scene.gitlab.url), state(scene)
    folder.write_parameters(
        "dev", f"parameter_overrides = [\n    'EnvID=dev',\n    '''ResourceTags='{json.dumps(tags)}'''',\n]\n"
    )
    output = folder.run("sam deploy --config-env dev", typed="y\n", fails=True)
    assert "ResourceTags" in output and "a JSON object of 1 to 40 tags" in " ".join(output.split())
    assert state(scene) == before


def failure(scene: Scene) -> tuple[str, str]:
    """The resource that failed last, and the reason."""
    failed = [event for event in scene.environment.events() if event["ResourceStatus"] == "UPDATE_FAILED"][-1]
    return failed["LogicalResourceId"], failed["ResourceStatusReason"]


def test_changed_env_id_fails_before_anything_is_replaced(scene: Scene) -> None:
    folder, before = scene.folder_of(scene.aws, "mistake"), state(scene)
    folder.write_parameters("dev", 'parameter_overrides = [\n    "EnvID=prd",\n]\n')
    output = folder.run("sam deploy --config-env dev", typed="y\n", fails=True)
    # The change set shows what the update would replace.
    assert output.count(" True ") > 30
    assert scene.environment.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert failure(scene) == (
        "EnvIDGuard",
        (
            "CloudFormation cannot update a stack when a custom-named resource requires "
            f"replacing. Rename {NAME} and update the stack again."
        ),
    )
    assert "EnvIDGuard" in output and NAME in "".join(output.split())
    assert state(scene) == before


def test_changed_env_id_fails_if_the_replacement_is_created_first(scene: Scene) -> None:
    scene.aws.set(replaced_policies_are_created_first=1)
    before, given = state(scene), {**parameters(scene), "EnvID": "prd"}
    scene.aws.client("cloudformation").update_stack(
        StackName=scene.environment.name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    assert scene.environment.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert failure(scene) == (
        "EnvIDGuard",
        f"A policy called {NAME} already exists. Duplicate names are not allowed.",
    )
    assert state(scene) == before


def test_page_allows_a_table_and_a_role(scene: Scene) -> None:
    dev = scene.dev
    assert dev.deploy(scene.first) == "Succeeded", dev.said()
    [create], [lines], [resources, _] = (blocks(ALLOW, each) for each in ("sh", "toml", "yaml"))
    denied = dev.push_only(template=with_resources(resources)).commit
    dev.waits_for_approval(dev.execution_of(denied))
    project, missing = (
        dev.source.project,
        (
            (
                "**Pipelines may not create `AWS::DynamoDB::Table` (`dynamodb:CreateTable`) in"
                " `dev`.**\n\nAdd `policy-dev-deploys-data`"
            ),
            (
                "**Pipelines may not create `AWS::IAM::Role` (`iam:CreateRole`) in `dev`.**\n\nSet"
                " `DeployedRoles=Bounded`"
            ),
        ),
    )
    [note] = eventually(lambda: project.commit_notes(denied), "the note")
    assert all(line in note.body for line in missing), note
    assert dev.deploy(denied) == "Failed"
    eventually(
        lambda: any("pipelines may not call " in each.description for each in project.statuses(denied)),
        "the remedy",
    )
    commands = blocks(AWS_CLI, heading="## Find why an execution failed") + blocks(
        RUNBOOK, heading="### After the correction"
    )
    read, events, _, _, start, _ = (command.replace("-shop", "-infra") for command in commands)
    reason = "is not authorized to perform: dynamodb:CreateTable"
    action, shown, _ = scene.folder.run(read).split("\t")
    assert action == "Deploy" and reason in shown
    shown = scene.folder.run(events)
    assert reason in shown and "because no identity-based policy allows" in shown

    arns = scene.folder.run(create).splitlines()[-1]
    lines = lines.replace("arn:aws:iam::111122223333:policy/policy-dev-deploys-data", arns)
    assert arns in lines and arns.count("policy/policy-dev-deploys-") == 6
    scene.folder.write_parameters("dev", scene.shown.replace("]\n", f"{lines}]\n"), **scene.of_gitlab)
    scene.folder.run("sam deploy --config-env dev", typed="y\n")
    assert "DeployPolicyArns allow" in str(scene.environment.outputs()["PipelinesMayDeploy"])
    execution = json.loads(scene.folder.run(start))["pipelineExecutionId"]
    eventually(
        lambda: "Pipelines may not" not in project.commit_notes(denied)[0].body,
        "a note without missing rights",
    )
    dev.decide(execution)
    assert dev.ended(execution) == "Succeeded" and dev.deployed_commit() == denied, dev.said()
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in dev.deployed.resources()}
    assert all(name.startswith("cfnstack-dev-infra-") for name in names.values())
    scene.aws.client("lambda").invoke(FunctionName=names["OrdersFunction"], Payload=json.dumps({"id": "1"}))
    assert scene.aws.client("dynamodb").scan(TableName=names["Orders"])["Count"] == 1
    # The picture of the README.
    renamed = resources.replace("BillingMode:", "TableName: !Sub table-${EnvID}-orders\n    BillingMode:")
    commit = dev.push_only(template=with_resources(renamed)).commit
    execution = dev.execution_of(commit)
    dev.waits_for_approval(execution)
    [note] = eventually(lambda: project.commit_notes(commit), "the note")
    compare_recorded("waiting note", as_shop(note.body, dev, commit))
    dev.decide(execution, approves=False)
    # The other tests deploy the example as it is.
    assert dev.deploy(dev.push_only().commit) == "Succeeded", dev.said()


def with_resources(added: str) -> str:
    """The example project's template with the resources of the page, whose indentation `blocks` removes,
    instead of its rule."""
    template = (PROJECT / "template.yaml").read_text()
    before, outputs = (
        template.partition("  # A disabled rule")[0],
        template[template.index("Outputs:\n") :].partition("  Rule:\n")[0],
    )
    return f"{before}{textwrap.indent(added, '  ')}\n{outputs}"


@pytest.mark.parametrize("account", ["same", "other"])
def test_second_environment_deploys_the_merged_commit(scene: Scene, account: str, tmp_path: Path) -> None:
    aws = scene.aws if account == "same" else scene.aws.in_account(OTHER)
    developer = Folder(
        aws, scene.dev.working.directory, tmp_path, GIT_SSL_CAINFO=str(scene.folder.directory / "ca.pem")
    )
    folder = Folder(aws, scene.folder.directory, tmp_path, scene.gitlab.url)
    create_branch, store_token, limit_to_dev, deploy = blocks(PAGE)
    [shown] = blocks(PAGE, "toml")

    login = scene.source.developer()
    developer.run(
        "git remote add origin"
        f" {scene.source.project.url.replace('://', f'://{login.name}:{login.password}@')} || true"
    )
    developer.run(create_branch)
    scene.source.project.protect("production")
    folder.run(store_token, typed=scene.gitlab.token)
    if account == "same":
        folder.run(limit_to_dev)
    folder.run(scene.tag.replace("gitlab/infra", "gitlab/infra-prd"))
    [tags] = [line for line in blocks(TAGS, "toml")[0].splitlines() if "ResourceTags" in line]
    # 40 with those of the page.
    tags = tags.replace("}'", "".join(f', "key{number}": "v"' for number in range(37)) + "}'")
    folder.write_parameters(
        "prd", shown.replace("]\n", f"{tags}\n]\n"), ReviewBranches="main", **scene.of_gitlab
    )
    assert "Successfully created/updated stack - cfn-gitops-prd" in folder.run(deploy, typed="y\n")
    secret = aws.client("secretsmanager").describe_secret(
        SecretId="codecommit-mirror/user-prd-codecommit-mirroring"
    )
    assert {
        "CreatedBy": "cfn-gitops-prd",
        "CostCenter": "42",
        "Cost Group": "Team A",
        "部門": "基盤",
        "key36": "v",
    }.items() <= {tag["Key"]: tag["Value"] for tag in secret["Tags"]}.items()

    prd = MirroredProject(aws, "prd", "infra", tmp_path / "prd", scene.source, "production")
    first = prd.execution_of(scene.source.project.branches()["production"])
    prd.waits_for_approval(first)
    prd.decide(first)
    assert prd.ended(first) == "Succeeded", prd.said()

    had, merge_request = len(prd.executions()), scene.source.project.merge_request("main", "production")
    commit = accepted(scene.dev.working.push(login, scene.source.project.url, {"file": account})).commit
    scene.dev.execution_of(commit)
    prd.arrives("refs/heads/main", commit)
    assert len(prd.executions()) == had
    eventually(
        lambda: scene.source.project.status_states(commit).get("cfn-gitops/prd/infra/review") == "success",
        "the merge request shows what it changes in prd",
    )
    scene.source.project.close_merge_request(merge_request)
    # A fast-forward merge in GitLab does the same.
    developer.run(create_branch)
    execution = prd.execution_of(commit)
    prd.waits_for_approval(execution)
    eventually(
        lambda: scene.source.project.status_states(commit).get("cfn-gitops/prd/infra/approval") == "pending",
        "GitLab shows the approval that waits",
    )
    prd.decide(execution)
    assert prd.ended(execution) == "Succeeded", prd.said()
    assert prd.deployed_commit() == commit
