"""An environment in China, from its deployment to its deletion. `make run REGION=` shows every act there.

Other ARNs, another domain and another EC2 principal than in the commercial regions:
tests/local/aws/partition.py has the sources, and tests/templates/test_partitions.py looks for literals in all
templates.
"""

from pathlib import Path

from tests.local import gitlab as local_gitlab
from tests.local.aws import LocalAws
from tests.local.aws.settings import IAM_IS_LATE
from tests.play import steps
from tests.play.mirroring import MirroredProject, Source
from tests.play.steps import Environment


def test_environment_in_china_deploys_rotates_and_is_deleted(tmp_path: Path) -> None:
    with (
        LocalAws(region="cn-north-1", settings=IAM_IS_LATE) as aws,
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
        assert outputs["ServiceToken"].startswith("arn:aws-cn:lambda:cn-north-1:")
        project = MirroredProject(aws, "dev", "infra", tmp_path, source, "main")
        commit = project.push().commit
        assert project.deploy(commit) == "Succeeded", project.said()
        assert project.deployed_commit() == commit
        assert outputs["ConsoleUrl"].startswith("https://cn-north-1.console.amazonaws.cn/")

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
