"""docs/how-to/leave.md: the function is deleted, and pushes are still deployed."""

import json
from pathlib import Path

from tests.deployment.pages import OF_DEV, Folder, blocks
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import Project
from tests.play.steps import ROOT

PAGE = ROOT / "docs/how-to/leave.md"
USER = "user-dev-codecommit-mirroring"


def test_pushes_are_deployed_after_the_function_is_gone(
    account: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    leave, new_login, end = blocks(PAGE)
    reader = Folder(account, folder, tmp_path, gitlab.url)
    source = Source(account, gitlab, "platform/left", "gitlab/infra", "main")
    infra = MirroredProject(account, "dev", "infra", tmp_path, source, "main")
    source.store_token()
    first = infra.push_only().commit
    reader.write_parameters("dev", OF_DEV, ProjectID="infra", BranchName="main", **source.parameters())
    reader.run("sam deploy --config-env dev", typed="y\n")
    assert infra.deploy(first) == "Succeeded", infra.said()
    during = infra.push_only().commit
    before = steps.what_is_there(account)
    assert "cfn-gitops-dev" in reader.run(leave, typed="dev\n", fails=True)
    assert steps.what_is_there(account) == before
    reader.run(leave, typed="cfn-gitops-dev\n")
    source.forget_token()
    there = steps.what_is_there(account)
    assert there["functions"] == steps.deletion_marks(account) == []
    assert "role-dev-cfn-gitops" not in there["IAM roles"]
    assert infra.deploy(during) == "Succeeded", infra.said()

    [former], old = source.project.mirrors(), infra.mirror_login().credential_id
    reader.run(new_login)
    issued = json.loads((folder / "login.json").read_text())
    address = former.url.replace("://", f"://{issued['username']}:{issued['password']}@") + "/"
    source.project.make_mirror(address, only_protected_branches=True)
    between = infra.push().commit
    source.project.delete_mirror(former.id)
    commands = new_login[: new_login.index('delete "$(')]
    reader.run(f"{commands}old={old}\n{end}")
    assert steps.credential_ids(account, USER) == [infra.mirror_login().credential_id] != [old]
    assert infra.deploy(between) == infra.deploy(infra.push().commit) == "Succeeded", infra.said()


def test_only_the_function_is_deleted_without_first_project(
    account: LocalAws, folder: Path, tmp_path: Path
) -> None:
    leave, *_ = blocks(PAGE)
    reader = Folder(account, folder, tmp_path)
    website = blocks(ROOT / "docs/reference/smallest-examples.md", "yaml")[0]
    name = "RepositoryName: codecommit-dev-website\n"
    (folder / "website.yaml").write_text(
        website.replace(name, f"{name}      RepositoryDescription: für alle\n", 1)
    )
    reader.write_parameters("dev", OF_DEV, ProjectID="")
    reader.run("sam deploy --config-env dev", typed="y\n")
    deploy = "aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM --stack-name"
    reader.run(
        f"{deploy} project-dev-shop --template-file templates/project.yaml "
        f"--parameter-overrides EnvID=dev ProjectID=shop BranchName=main\n"
        f"{deploy} website --template-file website.yaml"
    )
    shop = Project(
        account,
        "dev",
        "shop",
        tmp_path,
        lambda: steps.login(account, "codecommit-mirror/user-dev-shop-mirror"),
        "main",
    )
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()
    before = steps.what_is_there(account)

    printed = reader.run(leave, fails=True)
    assert "MirrorRotation" not in printed and "Function (AWS::Lambda::Function)" in printed
    assert all(stack in printed for stack in ("project-dev-shop", "website"))
    assert "website" in reader.run(f"{leave.strip()} cfn-gitops-dev", typed="cfn-gitops-dev\n", fails=True)
    assert steps.what_is_there(account) == before
    printed = reader.run(leave, typed="cfn-gitops-dev\n", fails=True)
    assert "LEFT    website: its update would also change Repository, " in printed
    assert "LEFT    cfn-gitops-dev: it is needed by website" in printed
    assert deleted(before, account) == {"project-dev-shop"}
    assert "stack project-dev-shop does not exist in account" in reader.run(
        f"{leave.strip()} project-dev-shop", fails=True
    )
    (folder / "website.yaml").write_text(website)
    protect = "aws cloudformation update-termination-protection --stack-name website"
    reader.run(f"{deploy} website --template-file website.yaml\n{protect} --enable-termination-protection")
    assert "LEFT    website: " in reader.run(leave, typed="cfn-gitops-dev\n", fails=True)
    assert deleted(before, account) == {"project-dev-shop"}
    reader.run(f"{protect} --no-enable-termination-protection")
    printed = reader.run(leave, typed="cfn-gitops-dev\n")
    assert "website" in printed and "project-dev-shop" not in printed and "LEFT" not in printed
    gone = deleted(before, account)
    assert {name for name in gone if "cfn-gitops" not in name} == {"project-dev-shop", "website"}
    after = steps.what_is_there(account)
    assert "role-dev-cfn-gitops-provisioning" in after["IAM roles"] and after["functions"] == []
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()


def deleted(before: dict[str, list[str]], account: LocalAws) -> set[str]:
    after = steps.what_is_there(account)
    return {name for kind, names in before.items() for name in names if name not in after[kind]}
