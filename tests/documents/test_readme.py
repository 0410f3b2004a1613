"""What the README promises at first sight is what the code and the templates have."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_has_at_most_250_lines():
    assert len(README.splitlines()) <= 250


def test_rust_version_is_that_of_the_packages():
    needed = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert f"Rust {needed} or later" in README


def test_parameters_of_the_deployment_exist():
    template = (ROOT / "template.yaml").read_text()
    given = re.findall(r"\b([A-Z][A-Za-z]+)=[a-z]", re.search(r"sam deploy .*?\n   ```", README, re.DOTALL)[0])
    assert len(given) == 5
    assert [name for name in given if f"\n  {name}:\n" not in template] == []


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial/first-deployment.md"])
def test_output_that_step_five_reads_exists(page):
    [name] = re.findall(r"OutputKey=='(\w+)'", (ROOT / page).read_text())
    outputs = (ROOT / "template.yaml").read_text().split("\nOutputs:")[1]
    assert f"\n  {name}:\n" in outputs


def test_project_of_the_tutorial_fits_the_deployed_project():
    """The pipeline deploys root-stack-<ProjectID>.yaml with parameter.json of the build's output."""
    [project] = set(re.findall(r"ProjectID=(\w+)", README))
    example = ROOT / "examples/project"
    assert (example / f"root-stack-{project}.yaml").exists()
    commands = yaml.safe_load((example / "buildspec.yml").read_text())["phases"]["build"]["commands"]
    assert any("root-stack-" in command for command in commands)
    assert any("out/parameter.json" in command for command in commands)


def test_monitoring_costs_count_the_alarms_of_the_template():
    count = (ROOT / "template.yaml").read_text().count("Type: AWS::CloudWatch::Alarm")
    assert count == 13
    assert "thirteen alarms" in README
    assert "there are thirteen" in (ROOT / "docs/reference/costs.md").read_text()


def test_issue_templates_of_github_and_gitlab_are_the_same():
    of_gitlab = {path.read_text() for path in (ROOT / ".gitlab/issue_templates").glob("*.md")}
    of_github = {path.read_text().split("---\n\n", 1)[1] for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")}
    assert len(of_gitlab) == 3
    assert of_github == of_gitlab
