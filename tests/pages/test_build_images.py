"""docs/how-to/build-images.md: a build pushes an image with its role, and the function runs it by its
digest."""

from pathlib import Path

from tests.deployment.pages import Folder, blocks, project_table
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import ROOT, Stack

PAGE = ROOT / "docs/how-to/build-images.md"
IMAGES = "ecr-dev-container"


def test_pushed_code_is_deployed_as_the_image_of_its_build(
    aws: LocalAws,
    gitlab: LocalGitLab,
    infra: MirroredProject,
    folder: Path,
    git_settings: dict[str, str],
    tmp_path: Path,
) -> None:
    author = {
        f"GIT_{who}_{what}": f"{what}@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    reader = Folder(aws, folder, tmp_path, gitlab.url, **git_settings, **author)
    environment, repository, code, project_stack, look = blocks(PAGE)
    line, of_docker = blocks(PAGE, "toml")
    reader.write_parameters(
        "dev",
        f'parameter_overrides = [\n    "EnvID=dev",\n{line}]\n',
        ProjectID="infra",
        BranchName=infra.branch,
        **infra.source.parameters(),
    )
    source = Source(aws, gitlab, "platform/container", "gitlab/container", "main")
    source.store_token()
    reader.run(f"{environment.strip()} --no-confirm-changeset --no-progressbar")
    reader.run(repository)
    reader.run(code)
    commit = reader.run("git -C ../container rev-parse HEAD").strip()
    table = project_table(of_docker, '"GitLabUrl=https://gitlab.com",')
    reader.write_table(table.replace("shop", "container"))
    reader.run(project_stack)
    project = MirroredProject(aws, "dev", "container", tmp_path, source, "main")
    assert project.deploy(commit) == "Succeeded", project.said() + str(project.deployed.failures())
    assert project.deployed_commit() == commit
    name, image = reader.run(look).splitlines()
    tag, digest = image.split()
    assert tag.startswith(f"{commit}-")
    function = aws.client("lambda").get_function(FunctionName=name)
    assert function["Code"]["ImageUri"].endswith(f"/{IMAGES}@{digest}")

    for stack in (project.deployed, Stack(aws, "project-dev-container"), Stack(aws, "container-dev")):
        assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    aws.client("ecr").delete_repository(repositoryName=IMAGES, force=True)
    source.forget_token()
