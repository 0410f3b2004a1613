"""docs/how-to/leave.md: the function is deleted, and pushes are still deployed."""

from __future__ import annotations

import json
from pathlib import Path

from local.aws import LocalAws
from local.gitlab import LocalGitLab
from tests.deployment import steps
from tests.deployment.mirroring import MirroredProject, Source
from tests.deployment.pages import OF_DEV, Folder, blocks
from tests.deployment.pipelines import Project
from tests.deployment.steps import ROOT

PAGE = ROOT / "docs/how-to/leave.md"
USER = "user-dev-codecommit-mirroring"


def test_pushes_are_deployed_after_the_function_is_gone(account: LocalAws, gitlab: LocalGitLab, folder: Path,
                                                        tmp_path: Path) -> None:
    functions, _, environment, token, new_login, end = blocks(PAGE)
    reader = Folder(account, folder, tmp_path, gitlab.url)
    source = Source(account, gitlab, "platform/left", "gitlab/infra", "main")
    infra = MirroredProject(account, "dev", "infra", tmp_path, source, "main")
    source.store_token()
    first = infra.push_only().commit
    reader.write_parameters("dev", OF_DEV, ProjectID="infra", BranchName="main",
                            **source.parameters())
    reader.run("sam deploy --config-env dev", typed="y\n")
    assert infra.deploy(first) == "Succeeded", infra.said()
    during = infra.push_only().commit
    assert "FAILED" not in reader.run(functions + environment, typed="y\n")
    reader.run(token)
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
    commands = new_login[:new_login.index('delete "$(')]
    reader.run(f"{commands}old={old}\n{end}")
    assert steps.credential_ids(account, USER) == [infra.mirror_login().credential_id] != [old]
    assert infra.deploy(between) == infra.deploy(infra.push().commit) == "Succeeded", infra.said()


def test_only_the_function_is_deleted_without_first_project(account: LocalAws, folder: Path, tmp_path: Path) -> None:
    functions, projects, environment, *_ = blocks(PAGE)
    reader = Folder(account, folder, tmp_path)
    (folder / "website.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0])
    reader.write_parameters("dev", OF_DEV, ProjectID="")
    reader.run("sam deploy --config-env dev", typed="y\n")
    deploy = "aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM --stack-name"
    reader.run(f"{deploy} project-dev-shop --template-file templates/project.yaml "
               f"--parameter-overrides EnvID=dev ProjectID=shop BranchName=main\n"
               f"{deploy} website --template-file website.yaml")
    shop = Project(account, "dev", "shop", tmp_path, lambda: steps.login(account, "codecommit-mirror/user-dev-shop-mirror"), "main")
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()
    before = steps.what_is_there(account)

    for early in ("leave project-dev-shop $rotation", 'leave cfn-gitops-dev "$function"', "leave website $rotation"):
        assert "FAILED" in reader.run(f"{functions}\n{early}")
    assert steps.what_is_there(account) == before
    for stack, template in (("project-dev-shop", "templates/project.yaml"), ("website", "website.yaml")):
        printed = reader.run(functions + projects.replace("project-dev-shop", stack).replace("templates/project.yaml", template))
        assert stack in printed and "FAILED" not in printed
    assert "FAILED" not in reader.run(functions + environment, typed="y\n")
    after = steps.what_is_there(account)
    deleted = {name for kind, names in before.items() for name in names if name not in after[kind]}
    assert {name for name in deleted if "cfn-gitops" not in name} == {"project-dev-shop", "website"}
    assert "role-dev-cfn-gitops-provisioning" in after["IAM roles"] and after["functions"] == []
    assert shop.deploy(shop.push().commit) == "Succeeded", shop.said()
