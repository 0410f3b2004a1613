"""docs/how-to/add-a-project.md: the loop over a file with many projects."""

import re
from pathlib import Path

import pytest

from tests.deployment.pages import Folder, blocks, loop_over_projects
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play.mirroring import FurtherProject, Source
from tests.play.steps import ROOT, Stack

PAGE, HEADING = ROOT / "docs/how-to/add-a-project.md", "## Many projects"


@pytest.mark.usefixtures("infra")
def test_loop_adds_the_projects_of_a_file(
    aws: LocalAws, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    [listed] = blocks(PAGE, "text", HEADING)
    _, run = blocks(PAGE, heading=HEADING)
    # Other tests push other histories to platform/shop.
    listed = listed.replace("platform/", "listed/").replace(
        " BranchName", f" GitLabUrl={gitlab.url} BranchName"
    )
    reader = Folder(aws, folder, tmp_path, gitlab.url)
    projects = []
    for line in listed.splitlines():
        name, path = re.findall(r" ProjectID=(\S+) .*GitLabProject=(\S+)", line)[0]
        source = Source(aws, gitlab, path, "gitlab/platform", "main")
        projects.append(FurtherProject(aws, "dev", name, tmp_path, source, "main"))
    projects[0].source.store_token()
    pushed = [project.push_only().commit for project in projects]
    # An editor may omit the last newline.
    (folder / "projects.txt").write_text(listed.rstrip("\n"))
    (folder / "projects.sh").write_text(loop_over_projects())
    assert "failed" not in reader.run(run)
    for project, commit in zip(projects, pushed, strict=True):
        assert project.deploy(commit) == "Succeeded", project.said()
        assert project.deployed_commit() == commit

    (folder / "projects.txt").write_text(f"a_b EnvID=dev\n{listed}")
    printed = reader.run(run)
    assert "a_b failed" in printed and printed.count("No changes to deploy") == len(projects), printed
    assert re.findall(r"^\S+ failed$", printed, re.MULTILINE) == ["a_b failed"], printed
    # An update would cancel the execution of the first, and enable the rule of the second.
    waiting = projects[0].execution_of(projects[0].push().commit)
    projects[0].waits_for_approval(waiting)
    rule = projects[1].event_rule
    aws.client("events").disable_rule(Name=rule)
    printed = reader.run(run)
    assert printed.count(" is left: ") == len(projects) and "No changes" not in printed, printed
    projects[0].decide(waiting)
    assert projects[0].ended(waiting) == "Succeeded", projects[0].said()
    aws.client("events").enable_rule(Name=rule)
    assert reader.run(f"AWS_REGION=eu-west-1 {run}").count(" is left: ") == len(projects) + 1
    for project in projects:
        for stack in (Stack(aws, f"project-dev-{project.project_id}"), project.deployed):
            assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    projects[0].source.forget_token()
