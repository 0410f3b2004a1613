"""The script with the real AWS CLI: its calls, its parsing, and logins for the hosts of two regions.

The CLI's helper returns logins only for AWS's hosts. git's configuration replaces the local repositories'
addresses with these, and connects through the local AWS, which serves these host names.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.replication.scene import REPLICA_REGION, SOURCE_REGION, Scene


def environment(scene: Scene) -> dict[str, str]:
    home = scene.directory / "home"
    home.mkdir()
    lines = [f"[http]\n proxy = {scene.aws.git_url}\n sslCAInfo = {scene.aws.authority}\n"]
    for region, repository in ((SOURCE_REGION, scene.source), (REPLICA_REGION, scene.replica)):
        here = urlsplit(repository["cloneUrlHttp"])
        lines.append(
            f'[url "https://git-codecommit.{region}.amazonaws.com/v1/repos/"]\n'
            f" insteadOf = {here.scheme}://{here.netloc}/{region}/v1/repos/\n"
        )
    (home / ".gitconfig").write_text("".join(lines))
    return {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{scene.path}{os.pathsep}{os.environ['PATH']}",
        # As in a build: the project's region, which is not the replica's.
        "AWS_REGION": SOURCE_REGION,
        "AWS_DEFAULT_REGION": SOURCE_REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_aws_cli_requests_answers_and_logins_fit_the_script(scene: Scene) -> None:
    """The replica is empty, so the CLI's response has no default branch."""
    scene.commit("one")
    scene.push("main")
    run = scene.replicate(**environment(scene))
    assert f"https://git-codecommit.{REPLICA_REGION}.amazonaws.com/v1/repos/{scene.name}" in run.log
    assert "the default branch of the replica becomes main" in run.log
    assert "in step: 1 references, default branch main" in run.log


def test_a_missing_tag_is_empty_in_the_clis_answer(scene: Scene) -> None:
    scene.codecommit[REPLICA_REGION].untag_resource(
        resourceArn=scene.replica["Arn"], tagKeys=["cfn-gitops:replica-of"]
    )
    run = scene.run(**environment(scene))
    assert run.code() == 1
    assert "and is ''" in run.log
