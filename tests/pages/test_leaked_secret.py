"""docs/runbook/leaked-secret.md and leaked-token.md: an attacker pushes with the mirror's password, or has a
token."""

import re
from pathlib import Path

from tests.deployment.pages import Folder, blocks
from tests.local.aws import LocalAws
from tests.local.gitlab import LocalGitLab
from tests.play import steps
from tests.play.mirroring import MirroredProject
from tests.play.pipelines import accepted
from tests.play.steps import ROOT, Working

PAGE = ROOT / "docs/runbook/leaked-secret.md"
USER = "user-dev-codecommit-mirroring"
SECRET = f"codecommit-mirror/{USER}"
TAG, MAIN = "refs/tags/backdoor", "refs/heads/main"


def test_leaked_password_is_stopped_replaced_and_traced(
    aws: LocalAws,
    gitlab: LocalGitLab,
    infra: MirroredProject,
    folder: Path,
    git_settings: dict[str, str],
    tmp_path: Path,
) -> None:
    reader = Folder(aws, folder, tmp_path, gitlab.url, **git_settings)
    names, stop, rotate, delete, requests, compare, stop_executions, trace, delete_foreign = blocks(PAGE)
    leaked, repository, attacker = (
        infra.mirror_login(),
        infra.mirrored_url,
        Working(tmp_path / "attacker", "main"),
    )
    accepted(attacker.push(leaked, repository, to=TAG))
    foreign = accepted(attacker.push(leaked, repository, infra.files(), to=f"+{MAIN}")).commit
    execution = infra.execution_of(foreign)

    created = aws.client("iam").create_service_specific_credential(
        UserName=USER, ServiceName="codecommit.amazonaws.com"
    )
    foreign_id = created["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    assert "Active" in reader.run(names + stop)
    trace = trace.replace("ACCAEXAMPLE", foreign_id)
    assert "Inactive" in reader.run(names + trace + delete_foreign)
    assert foreign_id not in steps.credential_ids(aws, USER)
    assert leaked.status(repository) == 401
    kept = infra.push_only().commit
    assert f"{foreign}\t{MAIN}" in reader.run(names + compare)

    [version] = re.findall('"VersionId": "(.*)"', reader.run(names + rotate))
    assert aws.rotated(SECRET)["events"][-1] == "RotationSucceeded"
    assert (
        "AWSCURRENT"
        in aws.client("secretsmanager").describe_secret(SecretId=SECRET)["VersionIdsToStages"][version]
    )
    infra.arrives(MAIN, kept)
    assert leaked.status(repository) == 401
    reader.run(names + delete)
    assert steps.credential_ids(aws, USER) == [infra.mirror_login().credential_id]

    assert "GitPush\t127.0.0.1\tgit/2" in reader.run(names + requests)
    listed = (folder / "git.txt").read_text()
    assert foreign in listed and TAG in listed
    assert reader.run(names + compare).endswith(f"\t{TAG}\n")
    infra.waits_for_approval(execution)
    assert foreign in reader.run(names + stop_executions)
    assert infra.ended(execution) == "Stopped"
    assert infra.deploy(kept) == "Succeeded"


def test_leaked_token_is_replaced_while_the_mirror_pushes(
    aws: LocalAws, gitlab: LocalGitLab, infra: MirroredProject, reader: Folder
) -> None:
    leaked, new = gitlab.add_token("leaked"), gitlab.add_token("new")
    [store] = blocks(PAGE.with_name("leaked-token.md"))
    aws.client("secretsmanager").put_secret_value(SecretId="gitlab/infra", SecretString=leaked.value)
    leaked.revoke()
    # The mirror has a password of its own, so pushes still arrive.
    assert infra.deploy(infra.push().commit) == "Succeeded", infra.said()
    printed = reader.run(store, typed=new.value)
    assert " checks: 0 found, " in printed, printed
