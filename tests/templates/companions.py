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


def environment(**parameters):
    return Deployed(**{"EnvID": "dev", **parameters})


def project(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", **parameters}
    return Deployed(template=source(TEMPLATES / "project.yaml"), stack_name="project-dev-shop", **given)


# The first project and a further one, and the logical ID of their pipelines.
BOTH = pytest.mark.parametrize(
    ("deployed", "pipeline"),
    [(environment, "Project"), (project, "Pipeline")],
    ids=["environment", "project"],
)


def repository(name, region=REGION):
    return f"arn:aws:codecommit:{region}:{ACCOUNT}:{name}"
