"""A real clone: instance profile, role of the other account, signed login, git. tests/policies has the denied
calls."""

import json
from pathlib import Path

from tests.clone.machine import Machine
from tests.clone.scene import INSTANCES, LABS, REPOSITORIES, Scene, address

SOURCE_ROLE = f"arn:aws:iam::{REPOSITORIES}:role/role-dev-clone-source"


def take_role(machine: Machine, arn: str, instead_of: str = SOURCE_ROLE) -> None:
    file = machine.home / ".aws/config"
    before, after = file.read_text().split(f"role_arn = {instead_of}\n")
    file.write_text(f"{before}role_arn = {arn}\n{after}")


def a_profile(scene: Scene, name: str) -> str:
    """The session of a role that may do everything in its own account, and that no trust policy names."""
    iam = scene.aws.in_account(INSTANCES).client("iam")
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ec2.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )
    iam.put_role_policy(
        RoleName=name,
        PolicyName="all",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )
    arn: str = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return arn


def test_an_instance_clones_and_later_pulls(scene: Scene, machine: Machine) -> None:
    scene.aws.forget()
    cloned = machine.clone()
    assert cloned.returncode == 0, cloned.stderr
    assert (machine.home / "shop/README").read_text() == "the shop\n"
    output = {
        (each["action"], each["resource"])
        for each in scene.aws.decisions()
        if each["allowed"] and ":assumed-role/role-dev-clone" in each["principal"]
    }
    assert ("sts:AssumeRole", SOURCE_ROLE) in output
    assert ("codecommit:GitPull", f"arn:aws:codecommit:eu-central-1:{REPOSITORIES}:shop") in output
    commit = scene.push("shop", "main", {"NEWS": f"{machine.home}\n"})
    assert machine.as_user("git", "-C", "shop", "pull", "--quiet").returncode == 0
    assert machine.as_user("git", "-C", "shop", "rev-parse", "HEAD").stdout.strip() == commit


def test_aws_cli_and_git_remote_codecommit_use_the_same_profile(machine: Machine) -> None:
    output = machine.as_user(
        "aws",
        "codecommit",
        "get-repository",
        "--repository-name",
        "shop",
        "--profile",
        machine.profile,
        "--query",
        "repositoryMetadata.cloneUrlHttp",
        "--output",
        "text",
    )
    assert output.stdout.strip().endswith("/v1/repos/shop"), output.stderr
    cloned = machine.as_user("git", "clone", "--quiet", f"codecommit::eu-central-1://{machine.profile}@shop")
    assert cloned.returncode == 0, cloned.stderr
    assert (machine.home / "shop/README").read_text() == "the shop\n"


def test_a_role_that_the_instances_had_before_can_be_named(scene: Scene, tmp_path: Path) -> None:
    profile_arn = a_profile(scene, "role-own-shop-server")
    scene.deploy("own", repositories=["shop"], role={"InstanceRoleName": "role-own-shop-server"})
    machine = Machine(scene, "own", tmp_path, profile_arn=profile_arn)
    assert machine.run_user_data().returncode == 0
    cloned = machine.clone()
    assert cloned.returncode == 0, cloned.stderr


def test_no_login_is_kept_where_the_machine_keeps_logins(machine: Machine) -> None:
    """The logins expire after 15 minutes and contain a session's token."""
    config = machine.home / ".gitconfig"
    config.write_text(f"[credential]\n\thelper = store\n{config.read_text()}")
    assert machine.clone().returncode == 0
    assert not (machine.home / ".git-credentials").exists()


def test_with_vpc_endpoints_git_is_answered_through_these_alone(scene: Scene, tmp_path: Path) -> None:
    """No call here uses an endpoint: the clone is denied, but the host name resolves."""
    scene.deploy("vpc", repositories=["shop"], role={"VpcEndpointIds": "vpce-0123456789abcdef0"})
    machine = Machine(scene, "vpc", tmp_path)
    assert machine.run_user_data().returncode == 0
    rejected = machine.clone()
    assert rejected.returncode != 0
    assert "403" in rejected.stderr
    output = machine.as_user(
        "aws", "codecommit", "get-repository", "--repository-name", "shop", "--profile", machine.profile
    )
    assert output.returncode == 0, output.stderr


def test_second_account_clones_lent_repositories(scene: Scene, tmp_path: Path) -> None:
    """In the same environment, with roles of its own, beside the first account's."""
    scene.push("far", "main", {"README": "far away\n"}, region="us-east-1")
    scene.deploy("dev", repositories=["far"], region="us-east-1", account=LABS, instances_id="labs")
    machine = Machine(scene, "dev", tmp_path, account=LABS)
    assert machine.run_user_data().returncode == 0
    cloned = machine.clone("far", region="us-east-1")
    assert cloned.returncode == 0, cloned.stderr
    assert (machine.home / "far/README").read_text() == "far away\n"
    # These instances may not use the first account's role.
    take_role(machine, SOURCE_ROLE, instead_of=f"{SOURCE_ROLE}-labs")
    rejected = machine.as_user("git", "ls-remote", address("far", "us-east-1"))
    assert rejected.returncode != 0
    assert "AccessDenied" in rejected.stderr


def test_the_helper_signs_for_awss_hosts_alone(scene: Scene, machine: Machine) -> None:
    """The other tests clone from AWS's own host name."""
    for host, answered in ((address("shop", "eu-central-1").split("/")[2], True), ("git.example.com", False)):
        output = machine.as_user(
            "bash",
            "-c",
            "aws --profile codecommit-dev codecommit credential-helper get <<< "
            f"$'protocol=https\\nhost={host}\\npath=v1/repos/shop\\n'",
        )
        assert output.returncode == 0, output.stderr
        assert ("password=" in output.stdout) is answered
