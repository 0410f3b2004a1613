"""Environments, projects, people and notifications as deployed."""

import pytest

from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source


def stack(name, **parameters):
    """templates/<name>.yaml in the environment dev."""
    return Deployed(
        template=source(TEMPLATES / f"{name}.yaml"),
        stack_name=f"{name}-dev",
        **{"EnvID": "dev", **parameters},
    )


# Without ProjectID, the first project's settings have to be empty.
OF_A_PROJECT = {"BranchName": "main", "DeployTemplatePath": "template.yaml"}


def environment(**parameters):
    of_a_project = {} if parameters.get("ProjectID") == "" else OF_A_PROJECT
    return Deployed(**{"EnvID": "dev", **of_a_project, **parameters})


def project(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", **OF_A_PROJECT, **parameters}
    return Deployed(template=source(TEMPLATES / "project.yaml"), stack_name="project-dev-shop", **given)


# The first project and a further one, and the logical ID of their pipelines.
BOTH = pytest.mark.parametrize(
    ("deployed", "pipeline"),
    [(environment, "Project"), (project, "Pipeline")],
    ids=["environment", "project"],
)


def repository(name, region=REGION):
    return f"arn:aws:codecommit:{region}:{ACCOUNT}:{name}"
