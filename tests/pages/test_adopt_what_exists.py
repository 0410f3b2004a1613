"""docs/how-to/adopt-what-exists.md: cfn-gitops replaces a team's own environment while pushes arrive."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.pages import OF_DEV, Folder, blocks, project_table
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.pipelines import Pipeline, example_files, issue_login
from tests.play.steps import ROOT, Stack, of_a_project
from tests.play.waiting import eventually

PAGE = ROOT / "docs/how-to/adopt-what-exists.md"
OWN = ROOT / "tests/deployment/templates/own_environment.yaml"
USER, BRANCH = "user-dev-codecommit-mirroring", "development"
OWN_RESOURCES = """\
Parameters: { EnvID: { Type: String, AllowedValues: [dev, prd] } }
Resources:
  Nightly:
    Type: AWS::Events::Rule
    Properties: { Name: !Sub "event-rule-${EnvID}-nightly", Description: !Ref Commit, ScheduleExpression: rate(1 day) }
"""  # noqa: E501


class Shop(MirroredProject):
    """The team's project in GitLab, with the pipeline that cfn-gitops creates for it."""

    resources = OWN_RESOURCES

    def files(self) -> dict[str, str]:
        parameters = "Parameters: { Commit: { Type: String },"
        template = (
            self.resources.replace("Parameters: {", parameters)
            + "Outputs:\n  Commit: { Value: !Ref Commit }\n"
        )
        # Without tags, which the team's roles do not allow.
        return {
            **example_files(self.project_id),
            "template.yaml": template,
            "parameter.json": json.dumps({"Parameters": {"EnvID": "ENVIRONMENT", "Commit": "COMMIT"}}),
        }


class Team:
    """A team with an environment of its own, and with a mirror that it created by hand."""

    def __init__(self, aws: LocalAws, gitlab: LocalGitLab, directory: Path, path: str) -> None:
        self.aws, self.source = aws, Source(aws, gitlab, path, "gitlab/shop", BRANCH)
        self.old = Pipeline(aws, "dev", "shop")
        self.shop = Shop(aws, "dev2", "shop", directory, self.source, BRANCH)
        self.commits: list[str] = []

    def deploy_environment(self, template: Path = OWN) -> None:
        own = Stack(self.aws, "codeseries-dev")
        assert own.create(template, EnvID="dev", ProjectID="shop") == "CREATE_COMPLETE", own.failures()
        repository = {"repositoryName": self.old.repository}
        found = self.aws.client("codecommit").get_repository(**repository)["repositoryMetadata"]
        scheme, _, host = found["cloneUrlHttp"].partition("://")
        login = issue_login(self.aws, USER)
        self.mirror = self.source.project.make_mirror(
            f"{scheme}://{login.name}:{login.password}@{host}", only_protected_branches=True
        )
        # The team's rule matches updates of the branch only, so the commit that creates it is not deployed.
        self.shop.push_only()
        eventually(
            lambda: self.aws.client("codecommit").list_branches(**repository)["branches"], "the mirror pushes"
        )

    def push(self) -> str:
        """Pushes to GitLab, and does not wait for a mirror."""
        self.commits.append(self.shop.push_only().commit)
        return self.commits[-1]

    def schedule(self, env_id: str) -> str:
        return str(self.aws.client("events").describe_rule(Name=f"event-rule-{env_id}-nightly")["State"])


@pytest.fixture
def team(request: pytest.FixtureRequest, account: LocalAws, gitlab: LocalGitLab, tmp_path: Path) -> Team:
    """With the GitLab project of the parameter."""
    made = Team(account, gitlab, tmp_path, request.param)
    made.deploy_environment()
    return made


def deployed(pipeline: Pipeline) -> set[str]:
    def commit(execution: dict[str, Any]) -> str:
        return str(execution["sourceRevisions"][0]["revisionId"])

    return {commit(each) for each in pipeline.executions() if each["status"] == "Succeeded"}


def stop_and_delete() -> tuple[str, str]:
    """The page's commands, with the names of the team's environment."""
    stop, _, delete_environment = blocks(PAGE)
    [rule, pipeline] = re.findall(r"`((?:rule|pipeline)=\S+)`", PAGE.read_text())
    return re.sub("^rule=.*", f"{rule} {pipeline}", stop), delete_environment


@pytest.mark.parametrize("team", ["platform/shop"], indirect=True)
def test_own_environment_is_replaced_without_a_lost_push(
    team: Team, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    """The names of `dev` are taken, so every step has `dev2`. The team's builds have the EnvID dev."""
    reader = Folder(team.aws, folder, tmp_path, gitlab.url)
    stop, delete_environment = stop_and_delete()
    [head] = blocks(PAGE, "yaml")
    resources = (
        head.replace("dev", "dev2").replace("old", "dev")
        + "Resources:\n"
        + OWN_RESOURCES.partition("Resources:\n")[2].replace(
            "Description: !Ref Commit", "State: !If [IsNew, DISABLED, ENABLED]"
        )
    )
    assert team.old.deploy(team.push()) == "Succeeded", team.old.deployed.failures()
    assert "role role-dev-codepipeline-cfn" in reader.run("./cfn-gitops check --env dev", fails=True)
    assert "AWS::EarlyValidation::ResourceExistenceCheck" in reader.run(
        "sam deploy --config-env dev", typed="y\n", fails=True
    )
    assert "CodePipelineCFnRole (AWS::IAM::Role): " in reader.run(
        "./cfn-gitops failures --env dev", fails=True
    )

    team.shop.resources = resources
    assert team.old.deploy(team.push()) == "Succeeded", team.old.said()
    rule = team.old.deployed.resources()[0]["PhysicalResourceId"]
    during = team.push()
    of_dev = (folder / "samconfig.toml").read_text().partition("[dev.")[2].partition("[prd.")[0]
    with (folder / "samconfig.toml").open("a") as file:
        file.write(f"\n[dev.{of_dev}".replace("dev", "dev2"))
    reader.write_parameters("dev2", OF_DEV.replace("dev", "dev2"), ProjectID="")
    reader.run("sam deploy --config-env dev2", typed="y\n")
    assert team.old.deploy(during) == "Succeeded", team.old.said()

    team.source.store_token()
    during = team.push()
    project = project_table('"GitLabUrl=https://gitlab.com",').replace("dev", "dev2")
    reader.deploy(project.replace("=main", "=development").replace("=template.yaml", "=root-stack-shop.yaml"))
    assert team.old.deploy(during) == team.shop.deploy(during) == "Succeeded", (
        team.old.said() + team.shop.said()
    )
    assert team.mirror in team.source.project.mirrors()
    assert (team.schedule("dev"), team.schedule("dev2")) == ("ENABLED", "DISABLED")

    states = team.source.project.status_states
    eventually(lambda: states(during).get("cfn-gitops/dev2/shop") == "success", "GitLab shows the deployment")

    during = team.push()
    reader.run(stop)
    assert team.shop.deploy(during) == "Succeeded", team.shop.said()
    by_old = deployed(team.old)
    assert team.old.deployed.resources()[0]["PhysicalResourceId"] == rule

    during = team.push()
    assert team.old.deployed.delete() == "DELETE_COMPLETE"
    assert team.shop.deploy(during) == "Succeeded", team.shop.said()
    team.shop.resources = resources.replace("DISABLED", "ENABLED")
    during = team.push()
    team.source.project.delete_mirror(team.mirror.id)
    reader.run(delete_environment)
    assert team.shop.deploy(during) == "Succeeded", team.shop.said()
    assert by_old | deployed(team.shop) == set(team.commits)
    assert team.schedule("dev2") == "ENABLED"
    left = [name for names in steps.what_is_there(team.aws).values() for name in names if "-dev-" in name]
    assert left == []


@pytest.mark.parametrize("team", ["platform/stays"], indirect=True)
def test_deployed_stack_stays_with_the_same_env_id(
    team: Team, gitlab: LocalGitLab, folder: Path, tmp_path: Path
) -> None:
    reader = Folder(team.aws, folder, tmp_path, gitlab.url)
    stop, delete_environment = stop_and_delete()
    assert team.old.deploy(team.push()) == "Succeeded", team.old.said()
    stack, [rule] = team.old.deployed.describe()["StackId"], team.old.deployed.resources()

    reader.run(stop)
    during = team.push()
    team.source.project.delete_mirror(team.mirror.id)
    reader.run(delete_environment)
    team.source.store_token()
    given = team.source.parameters(**of_a_project("dev", "shop"))
    reader.write_parameters("dev", OF_DEV, **given)
    reader.run("sam deploy --config-env dev", typed="y\n")
    # The new pipeline of the same name.
    assert team.old.deploy(during) == "Succeeded", team.old.said()
    assert team.old.deployed.describe()["StackId"] == stack
    assert team.old.deployed_commit() == during
    assert team.old.deployed.resources()[0]["PhysicalResourceId"] == rule["PhysicalResourceId"]

    # The way back.
    saved = json.loads((folder / "codeseries-dev.json").read_text())
    assert {each["ParameterKey"]: each["ParameterValue"] for each in saved} == {
        "EnvID": "dev",
        "ProjectID": "shop",
    }
    [way_back] = re.findall(r"`(\./cfn-gitops undeploy .*?)`", PAGE.read_text())
    reader.run(way_back, typed="cfn-gitops-dev\n")
    team.deploy_environment(folder / "codeseries-dev.yaml")
    assert team.old.deploy(team.push()) == "Succeeded", team.old.said()
    assert team.old.deployed.describe()["StackId"] == stack
