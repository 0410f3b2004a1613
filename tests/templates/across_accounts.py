"""The stacks of templates/cross-account-*.yaml, each with the outputs of the others as its parameters."""

from tests.templates.deployed import ACCOUNT, REGION, TEMPLATES, Deployed, source

REPOSITORIES, IMAGES = "111122223333", "444455556666"
SHOP, SITE = (f"arn:aws:codecommit:{REGION}:{REPOSITORIES}:{name}" for name in ("shop", "site"))
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
LONGEST = {"EnvID": "e" * 10, "ProjectID": "P" * 20}
# The longest region that has CodeCommit.
LONGEST_REGION = "ap-southeast-1"


def artifacts(region=REGION, **parameters):
    given = {"EnvID": "dev", "RepositoryAccountId": REPOSITORIES, "ImageAccountId": IMAGES, **parameters}
    return Deployed(
        region, source(TEMPLATES / "cross-account-artifacts.yaml"), "cross-account-artifacts-dev", **given
    )


def parameters_of(line):
    """The value that `--parameter-overrides` gets for an output."""
    return dict(pair.split("=", 1) for pair in line.split())


def elsewhere(name, account, **parameters):
    """A stack of another account, whose parameters are outputs of the pipelines' account."""
    outputs = parameters_of(artifacts().outputs()["OtherAccountsParameters"]["Value"])
    return Deployed(
        REGION, source(TEMPLATES / f"{name}.yaml"), f"{name}-dev", account, **{**outputs, **parameters}
    )


def repository(**parameters):
    return elsewhere(
        "cross-account-repository", REPOSITORIES, **{"RepositoryArns": f"{SHOP},{SITE}", **parameters}
    )


def image(**parameters):
    return elsewhere("cross-account-image", IMAGES, **parameters)


def project(**parameters):
    given = {"EnvID": "dev", "ProjectID": "shop", "RepositoryName": "shop", **parameters}
    return Deployed(template=source(TEMPLATES / "project.yaml"), stack_name="project-dev-shop", **given)


def to_bucket(**parameters):
    outputs = artifacts().outputs()
    given = {
        "EnvID": "dev",
        "ProjectID": "site",
        "RepositoryAccountId": REPOSITORIES,
        "RepositoryName": "site",
        "BranchName": "development",
        "DeployBucketName": "site-files",
        "ArtifactBucketName": outputs["ArtifactBucketName"]["Value"],
        "ArtifactKeyArn": outputs["ArtifactKeyArn"]["Value"],
        **parameters,
    }
    return Deployed(template=source(TEMPLATES / "cross-account-s3.yaml"), stack_name="s3-dev-site", **given)
