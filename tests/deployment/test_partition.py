"""An environment in GovCloud (US), from its deployment to its deletion, and one in a region without a type.
`make run REGION=` shows every act.

Other ARNs than in the commercial regions: tests/local/aws/partition.py has the source, and
tests/templates/test_partitions.py looks for literals in all templates.
"""

import subprocess
from pathlib import Path

from tests.deployment.pages import blocks
from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import steps
from tests.play.mirroring import FurtherProject, MirroredProject, Source
from tests.play.steps import ROOT, Environment


def test_environment_in_govcloud_deploys_rotates_and_is_deleted(tmp_path: Path) -> None:
    with (
        LocalAws(region="us-gov-west-1", settings=IAM_IS_LATE) as aws,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
    ):
        source, environment = (
            Source(aws, gitlab, "platform/infra", "gitlab/infra", "main"),
            Environment(aws, tmp_path),
        )
        source.store_token()
        before = steps.what_is_there(aws)
        deployed = environment.deploy(**source.parameters(BranchName="main"))
        assert deployed.succeeded, deployed.output + "\n".join(environment.failures())
        outputs = environment.outputs()
        assert outputs["ServiceToken"].startswith("arn:aws-us-gov:lambda:us-gov-west-1:")
        project = MirroredProject(aws, "dev", "infra", tmp_path, source, "main")
        commit = project.push().commit
        assert project.deploy(commit) == "Succeeded", project.said()
        assert project.deployed_commit() == commit
        assert outputs["ConsoleUrl"].startswith("https://us-gov-west-1.console.amazonaws-us-gov.com/")

        old = project.mirror_login()
        steps.rotate(aws, outputs["SecretName"])
        assert project.mirror_login().credential_id != old.credential_id
        commit = project.push().commit
        assert project.deploy(commit) == "Succeeded", project.said()

        assert project.deployed.delete() == "DELETE_COMPLETE", project.deployed.failures()
        assert environment.delete() == "DELETE_COMPLETE", environment.failures()
        left = {
            kind: sorted(set(there) - set(before[kind])) for kind, there in steps.what_is_there(aws).items()
        }
        assert {kind: names for kind, names in left.items() if names}.keys() <= {"buckets", "stacks"}, left
        assert [each for each in aws.decisions() if each["resource"].startswith("arn:aws:")] == []


def test_region_without_repositories_of_cloudformation(tmp_path: Path) -> None:
    """By docs/how-to/adopt-what-exists.md."""
    [create] = blocks(
        ROOT / "docs/how-to/adopt-what-exists.md",
        heading="## A region in which CloudFormation creates no repository",
    )
    with (
        LocalAws(region="me-central-1", settings=IAM_IS_LATE) as aws,
        local_gitlab.running(protected_delay=1, unprotected_delay=1) as gitlab,
    ):
        source = Source(aws, gitlab, "platform/shop", "gitlab/shop", "main")
        source.store_token()
        environment = Environment(aws, tmp_path)
        deployed = environment.deploy(ProjectID="")
        assert deployed.succeeded, deployed.output + "\n".join(environment.failures())
        project = FurtherProject(aws, "dev", "shop", tmp_path, source, "main")
        assert project.create() == "ROLLBACK_COMPLETE"
        assert "Unrecognized resource types: [AWS::CodeCommit::Repository]" in str(project.stack.failures())
        assert project.stack.delete() == "DELETE_COMPLETE"
        subprocess.run(["sh", "-euc", create], env=aws.environment(), check=True)
        assert project.create(RepositoryName="codecommit-dev-cfn-shop") == "CREATE_COMPLETE"
        commit = project.push().commit
        assert project.deploy(commit) == "Succeeded", project.said()
