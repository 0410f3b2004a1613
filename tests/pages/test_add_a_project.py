"""docs/how-to/add-a-project.md: the loop over a file with many projects."""

from pathlib import Path

import pytest

from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import ROOT, Stack

PAGE, HEADING = ROOT / "docs/how-to/add-a-project.md", "## Many projects"


@pytest.mark.usefixtures("infra")
def test_loop_adds_the_projects_of_a_file(
    aws: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    [listed], [loop] = blocks(PAGE, "text", HEADING), blocks(PAGE, heading=HEADING)
    # Other tests push other histories to platform/shop.
    listed = listed.replace("platform/", "listed/")
    reader = Folder(aws, folder, tmp_path, gitlab.url)
    projects = []
    for line in listed.splitlines():
        name, path = line.split()
        source = Source(aws, gitlab, path, "gitlab/platform", "main")
        projects.append(MirroredProject(aws, "dev", name, tmp_path, source, "main"))
    projects[0].source.store_token()
    pushed = [project.push_only().commit for project in projects]
    # An editor may omit the last newline.
    (folder / "projects.txt").write_text(listed.rstrip("\n"))
    loop = loop.replace("BranchName=main", f"BranchName=main GitLabUrl={gitlab.url}")
    assert "failed" not in reader.run(loop)
    for project, commit in zip(projects, pushed, strict=True):
        assert project.deploy(commit) == "Succeeded", project.said()
        assert project.deployed_commit() == commit

    # Once: aws names a change set by the second, and rejects the name of one that a run in the same second
    # left.
    (folder / "projects.txt").write_text(f"a_b platform/none\n{listed}")
    printed = reader.run(loop)
    assert "a_b failed" in printed and printed.count("No changes to deploy") == len(projects), printed
    for project in projects:
        for stack in (Stack(aws, f"project-dev-{project.project_id}"), project.deployed):
            assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    projects[0].source.forget_token()
