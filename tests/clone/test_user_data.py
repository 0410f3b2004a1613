"""The user data of clone-instance.yaml, run as an instance runs it: files that it writes and files that it
keeps."""

from pathlib import Path

from tests.clone.machine import Machine
from tests.clone.scene import EXTERNAL_ID, INSTANCES, REPOSITORIES, Scene

HOST = "https://git-codecommit.eu-central-1.amazonaws.com"
AWS_CONFIG = f"""[profile codecommit-dev]
region = eu-central-1
credential_source = Ec2InstanceMetadata
role_arn = arn:aws:iam::{REPOSITORIES}:role/role-dev-clone-source
external_id = {EXTERNAL_ID}
"""
GIT_CONFIG = f"""[credential "{HOST}"]
\tUseHttpPath = true
\thelper = {""}
\thelper = !aws --profile codecommit-dev codecommit credential-helper
"""


def test_writes_profile_and_helper_for_codecommit_url(first_start: Machine) -> None:
    assert first_start.configuration() == {".aws/config": AWS_CONFIG, ".gitconfig": GIT_CONFIG}
    assert first_start.installed() == []


def test_restores_changed_settings_and_keeps_foreign_ones(scene: Scene, tmp_path: Path) -> None:
    machine = Machine(scene, "dev", tmp_path)
    (machine.home / ".aws").mkdir()
    (machine.home / ".aws/config").write_text(
        "[profile other]\nregion = us-east-1\n\n[profile codecommit-dev]\nregion = us-west-2\noutput ="
        " table\n"
    )
    (machine.home / ".gitconfig").write_text(
        f'[user]\n\tname = Taro\n[credential]\n\thelper = store\n[credential "{HOST}"]\n\thelper = cache\n'
    )
    assert machine.run_user_data().returncode == 0
    wrote = machine.configuration()
    assert "[profile other]\nregion = us-east-1\n" in wrote[".aws/config"]
    assert "output = table\n" in wrote[".aws/config"]
    assert "region = us-west-2" not in wrote[".aws/config"]
    assert wrote[".gitconfig"].startswith("[user]\n\tname = Taro\n[credential]\n\thelper = store\n")
    assert "cache" not in wrote[".gitconfig"]
    assert (
        machine.as_user("git", "config", "--get-all", f"credential.{HOST}.helper").stdout
        == "\n!aws --profile codecommit-dev codecommit credential-helper\n"
    )


def test_it_installs_git_and_the_aws_cli_where_they_are_missing(scene: Scene, tmp_path: Path) -> None:
    machine = Machine(scene, "dev", tmp_path)
    started = machine.run_user_data(bare=True)
    assert started.returncode == 0, started.stderr
    assert machine.installed() == ["install --assumeyes git", "install --assumeyes awscli-2"]
    assert machine.configuration() == {".aws/config": AWS_CONFIG, ".gitconfig": GIT_CONFIG}


def test_the_user_can_run_it_as_well_and_again(scene: Scene, tmp_path: Path) -> None:
    machine = Machine(scene, "dev", tmp_path, runs_as="ec2-user")
    for _ in range(2):
        ran = machine.run_user_data(home=str(machine.home))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert machine.configuration() == {".aws/config": AWS_CONFIG, ".gitconfig": GIT_CONFIG}


def test_missing_user_is_named(scene: Scene, tmp_path: Path) -> None:
    scene.deploy("nouser", repositories=["shop"], instance={"UserName": "nobody-here"})
    machine = Machine(scene, "nouser", tmp_path)
    rejected = machine.run_user_data()
    assert rejected.returncode != 0
    assert "there is no user nobody-here" in rejected.stderr
    assert machine.configuration() == {}


def test_other_hosts_have_no_helper(machine: Machine) -> None:
    """A helper for every host would be called for the logins of all hosts."""

    def helper_of(url: str) -> str:
        return machine.as_user("git", "config", "--get-urlmatch", "credential.helper", url).stdout.strip()

    assert helper_of(f"{HOST}/v1/repos/shop") == "!aws --profile codecommit-dev codecommit credential-helper"
    assert helper_of("https://gitlab.com/platform/shop") == ""
    assert helper_of("https://git-codecommit.us-east-1.amazonaws.com/v1/repos/shop") == ""


def test_launch_template_requires_tokens_that_stay_on_instance(scene: Scene) -> None:
    versions = (
        scene.aws.in_account(INSTANCES)
        .client("ec2")
        .describe_launch_template_versions(
            LaunchTemplateName="launch-template-dev-clone", Versions=["$Latest"]
        )["LaunchTemplateVersions"]
    )
    data = versions[0]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["IamInstanceProfile"]["Arn"] == scene.profile_arn("dev")


def test_it_is_small_enough_for_ec2(scene: Scene, tmp_path: Path) -> None:
    """16 KB, before it is encoded; an external ID may have 1,000 characters.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
    """
    assert len(Machine(scene, "dev", tmp_path).user_data().encode()) + 1000 < 16 * 1024
