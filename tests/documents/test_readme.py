"""The code and the templates match the promises of the README."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_has_at_most_150_lines_and_1000_words():
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1000


def test_first_screen_has_its_parts_in_order():
    """The status comes before the claims, and the alternatives before the first command."""
    parts = [
        "**Status: alpha.**",
        "[Nothing is published",
        "Merge a CloudFormation template",
        "**No AWS password",
        "**Every change waits",
        "**Developers stay in GitLab.**",
        "(docs/tutorial/note.svg)",
        "```mermaid\n",
        "**Use CodeConnections",
        "**Use CloudFormation Git sync",
        "**Use GitLab CI",
        "```sh\nmake run\n",
        "## Deploy it",
    ]
    found = [README.find(part) for part in parts]
    assert -1 not in found and found == sorted(found)
    lines = [README[:place].count("\n") for place in found]
    assert lines[10] < 40


def test_picture_of_the_flow_has_six_boxes():
    [flow] = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    assert len(re.findall(r"\w+[\[(]{1,2}", flow)) == 6


def test_rust_version_is_that_of_the_packages():
    needed = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert f"Rust {needed} or later" in README


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("README.md", "dev"),
        ("docs/tutorial/first-deployment.md", "dev"),
        ("docs/how-to/second-environment.md", "prd"),
    ],
)
def test_shown_parameters_are_those_of_the_shipped_samconfig(page, table):
    """Without the marks of their comments. tests/deployment/test_environments.py deploys them."""
    blocks = re.findall(
        r"^ *```toml\n(.*?)^ *```",
        (ROOT / page).read_text().replace('    # "', '    "'),
        re.DOTALL | re.MULTILINE,
    )
    [shown] = [tomllib.loads(block) for block in blocks if "EnvID=" in block]
    shipped = tomllib.loads((ROOT / "samconfig.toml").read_text().replace('    # "', '    "'))[table]
    assert shown["parameter_overrides"] == shipped["deploy"]["parameters"]["parameter_overrides"]


# Commands that use a table of samconfig.toml. Without --config-env, sam reads the table `default`, which does
# not exist.
_OF_AN_ENVIRONMENT = re.compile(r"^ *(?:\$ )?(?:.*&& )?sam (?:deploy|build|validate)\b.*", re.MULTILINE)


def test_every_sam_command_of_the_pages_names_its_environment():
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / "events").rglob("*.md"),
        ROOT / "CONTRIBUTING.md",
    ]
    commands = [
        (page.name, line)
        for page in pages
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL)
        for line in _OF_AN_ENVIRONMENT.findall(block)
    ]
    assert len(commands) > 3
    assert [each for each in commands if "--config-env" not in each[1]] == []


def test_output_that_step_five_reads_exists():
    [name] = re.findall(r"OutputKey=='(\w+)'", (ROOT / "docs/tutorial/first-deployment.md").read_text())
    outputs = (ROOT / "template.yaml").read_text().split("\nOutputs:")[1]
    assert f"\n  {name}:\n" in outputs


@pytest.mark.parametrize("example", ["project", "sam", "container"])
def test_example_builds_what_the_parameter_names(example):
    """The pipeline deploys this template with parameter.json of the build's output."""
    [path] = re.findall(r'"DeployTemplatePath=(.*)"', README)
    folder = ROOT / "examples" / example
    commands = yaml.safe_load((folder / "buildspec.yml").read_text())["phases"]["build"]["commands"]
    assert (folder / path).exists()
    assert any(
        f"cp {path} out/" == command or f"--output-template-file out/{path}" in command
        for command in commands
    )
    assert any("out/parameter.json" in command for command in commands)
    # A copy of the folder overwrites no page of the reader's project.
    assert not list(folder.glob("*.md"))


def test_monitoring_costs_count_the_alarms_of_the_template():
    count = (ROOT / "template.yaml").read_text().count("Type: AWS::CloudWatch::Alarm")
    assert count == 14
    costs = (ROOT / "docs/reference/costs.md").read_text()
    assert "fourteen alarms" in costs and "there are fourteen" in costs


def test_issue_templates_of_github_and_gitlab_are_the_same():
    of_gitlab = {path.read_text() for path in (ROOT / ".gitlab/issue_templates").glob("*.md")}
    of_github = {
        path.read_text().split("---\n\n", 1)[1] for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")
    }
    assert len(of_gitlab) == 3
    assert of_github == of_gitlab
