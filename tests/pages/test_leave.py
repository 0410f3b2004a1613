"""docs/how-to/leave.md: the function is deleted, and pushes are still deployed."""

import json
import re
from pathlib import Path

from tests.deployment.pages import OF_DEV, Folder, blocks, loop_over_projects
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import Project
from tests.play.steps import ROOT

PAGE = ROOT / "docs/how-to/leave.md"
USER = "user-dev-codecommit-mirroring"
LEAVE, LOOK, RETAIN, LEAVE_NOW, EVENTS, NEW_LOGIN, END = blocks(PAGE)


def list_projects(folder: Path, *stacks: str) -> None:
    (folder / "projects.sh").write_text(loop_over_projects())
    (folder / "projects.txt").write_text("".join(f"{each}\n" for each in stacks))


def unexpected(printed: str) -> str:
    """The lines that the page's command prints of the change sets, without the stack's name and the line that
    each has."""
    shown = printed.rpartition(":changeSet/")[2].partition("\n")[2]
    return re.sub(r"(?m)^[a-z-]+\nAdd\tLeavesCfnGitOps\n", "", shown).strip()


def test_pushes_are_deployed_before_during_and_after(
    account: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    assert LEAVE == LEAVE_NOW
    reader = Folder(account, folder, tmp_path, gitlab.url)
    source = Source(account, gitlab, "platform/left", "gitlab/infra", "main")
    infra = MirroredProject(account, "dev", "infra", tmp_path, source, "main")
    source.store_token()
    reader.write_parameters("dev", OF_DEV, ProjectID="infra", BranchName="main", **source.parameters())
    reader.run("sam deploy --config-env dev", typed="y\n")
    list_projects(folder)
    before = steps.what_is_there(account)
    printed = reader.run(LEAVE, fails=True)
    assert "project infra has no pipeline yet, and only the function creates it. Push its branch" in printed
    assert "LEFT    cfn-gitops-dev: its deployed template does not retain " in printed, printed
    assert infra.deploy(infra.push_only().commit) == "Succeeded", infra.said()

    waiting = infra.execution_of(infra.push().commit)
    infra.waits_for_approval(waiting)
    printed = reader.run(LEAVE, typed="cfn-gitops-dev\n", fails=True)
    assert "project infra waits for an approval. " in printed, printed
    infra.decide(waiting)
    assert infra.ended(waiting) == "Succeeded", infra.said()

    printed = reader.run(LOOK)
    assert "\ncfn-gitops-dev\nAdd\tLeavesCfnGitOps\n" in printed and unexpected(printed) == "", printed
    reader.run(RETAIN, typed="y\n")
    during = infra.push().commit
    assert infra.deploy(during) == "Succeeded", infra.said()
    printed = reader.run(LEAVE, typed="dev\n", fails=True)
    assert "Nothing was changed" in printed and "LEFT" not in printed, printed
    at_the_end = infra.push_only().commit
    assert infra.deploy(at_the_end) == "Succeeded", infra.said()
    assert infra.exists() and {*before["pipelines"]} <= {*steps.what_is_there(account)["pipelines"]}

    reader.run(LEAVE_NOW, typed="cfn-gitops-dev\n")
    source.forget_token()
    there = steps.what_is_there(account)
    assert there["functions"] == steps.deletion_marks(account) == []
    of_function = [
        name
        for kind in ("stacks", "IAM roles", "IAM policies", "event rules", "log groups")
        for name in there[kind]
        if "cfn-gitops" in name
    ]
    assert of_function == ["role-dev-cfn-gitops-provisioning"], of_function
    secrets = account.client("secretsmanager")
    assert not secrets.describe_secret(SecretId=f"codecommit-mirror/{USER}").get("RotationEnabled")
    assert infra.deploy(infra.push().commit) == "Succeeded", infra.said()

    [former], old = source.project.mirrors(), infra.mirror_login().credential_id
    reader.run(NEW_LOGIN)
    issued = json.loads((folder / "login.json").read_text())
    address = former.url.replace("://", f"://{issued['username']}:{issued['password']}@") + "/"
    source.project.make_mirror(address, only_protected_branches=True)
    between = infra.push().commit
    source.project.delete_mirror(former.id)
    commands = NEW_LOGIN[: NEW_LOGIN.index('delete "$(')]
    reader.run(f"{commands}old={old}\n{END}")
    assert steps.credential_ids(account, USER) == [infra.mirror_login().credential_id] != [old]
    assert infra.deploy(between) == infra.deploy(infra.push().commit) == "Succeeded", infra.said()


def test_only_the_function_is_deleted_without_first_project(
    account: LocalAws, folder: Path, tmp_path: Path
) -> None:
    reader = Folder(account, folder, tmp_path)
    website = blocks(ROOT / "docs/reference/smallest-examples.md", "yaml")[0]
    retained = re.sub(r"(?m)^(    Type: \w+::.*\n)", r"\1    DeletionPolicy: Retain\n", website)
    retained = retained.replace(
        "Resources:\n", "Resources:\n  LeavesCfnGitOps: { Type: AWS::CloudFormation::WaitConditionHandle }\n"
    )
    name = "RepositoryName: codecommit-dev-website\n"
    beyond_ascii = retained.replace(name, f"{name}      RepositoryDescription: für alle\n", 1)
    assert len({website, retained, beyond_ascii}) == 3
    (folder / "website.yaml").write_text(website)
    reader.write_parameters("dev", OF_DEV, ProjectID="")
    reader.run("sam deploy --config-env dev", typed="y\n")
    list_projects(folder, "project-dev-shop", "project-dev-kept")
    deploy = "aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM --stack-name"
    for project in ("shop", "kept"):
        reader.run(
            f"{deploy} project-dev-{project} --template-file templates/project.yaml "
            f"--parameter-overrides EnvID=dev ProjectID={project} BranchName=main"
            f" DeployTemplatePath=root-stack-{project}.yaml"
        )
    reader.run(f"{deploy} website --template-file website.yaml")
    shop, kept = (
        Project(
            account,
            "dev",
            project,
            tmp_path / project,
            lambda project=project: steps.login(account, f"codecommit-mirror/user-dev-{project}-mirror"),
            "main",
        )
        for project in ("shop", "kept")
    )
    for each in (shop, kept):
        assert each.deploy(each.push().commit) == "Succeeded", each.said()
    before = steps.what_is_there(account)

    printed = reader.run(LEAVE, fails=True)
    for stack in ("project-dev-shop", "website", "cfn-gitops-dev"):
        assert f"LEFT    {stack}: its deployed template does not retain " in printed, printed
    printed = reader.run(LOOK)
    assert printed.count("Add\tLeavesCfnGitOps\n") == 3 and unexpected(printed) == "", printed
    reader.run(RETAIN, typed="y\n")
    (folder / "website.yaml").write_text(beyond_ascii)
    reader.run(f"{deploy} website --template-file website.yaml")
    printed = reader.run(LEAVE, typed="cfn-gitops-dev\n", fails=True)
    assert printed.count("LEFT") == 1 and "which may hide another character. Deploy one" in printed, printed
    (folder / "website.yaml").write_text(retained)
    protect = "aws cloudformation update-termination-protection --stack-name website"
    reader.run(f"{deploy} website --template-file website.yaml\n{protect} --enable-termination-protection")
    assert "LEFT    website: " in reader.run(LEAVE, typed="cfn-gitops-dev\n", fails=True)
    assert deleted(before, account) == set()

    # One stack alone: its pipeline's stack is then without an owner.
    owner = account.client("cloudformation").describe_stacks(StackName="project-dev-kept")["Stacks"][0][
        "StackId"
    ]
    reader.run(f"{LEAVE.strip()} project-dev-kept", typed="project-dev-kept\n")
    for command in ("status", "doctor"):
        printed = reader.run(f"./cfn-gitops {command} --env dev", fails=True)
        assert f"it is without an owner: resource Pipeline of stack {owner} no longer exists" in printed
        assert "delete-stack" not in printed and "Kept or left" in printed
    assert reader.run(EVENTS.replace("<ARN>", owner)).startswith("Pipeline\tDELETE_SKIPPED\n")
    assert kept.deploy(kept.push().commit) == "Succeeded", kept.said()

    reader.run(f"{protect} --no-enable-termination-protection")
    printed = reader.run(LEAVE, typed="cfn-gitops-dev\n")
    assert "LEFT" not in printed and "project-dev-kept" not in printed, printed
    gone = deleted(before, account)
    assert {name for name in gone if "cfn-gitops" not in name} == {
        "project-dev-shop",
        "project-dev-kept",
        "website",
    }
    after = steps.what_is_there(account)
    assert "role-dev-cfn-gitops-provisioning" in after["IAM roles"] and after["functions"] == []
    for each in (shop, kept):
        assert each.deploy(each.push().commit) == "Succeeded", each.said()


def deleted(before: dict[str, list[str]], account: LocalAws) -> set[str]:
    after = steps.what_is_there(account)
    return {name for kind, names in before.items() for name in names if name not in after[kind]}
