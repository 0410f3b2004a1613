"""`check` in accounts of the local AWS. Each precondition is planted, found, corrected by its own remedy, and
sound."""

import functools
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from cli.checks import region
from cli.checks.names import Names
from cli.checks.token import KEYS as TOKEN_KEYS
from cli.commands.check import KEYS, next_command
from cli.environment import yaml_template
from cli.environment.owners import Owners
from cli.main import parser
from cli.shell import command
from cli.shell.failure import WrongUse
from tests.cli.scene import ROOT, SETTINGS, Folder, Operator, with_line
from tests.local.aws import LocalAws
from tests.local.aws.testing import OTHER_ACCOUNT, a_user_with, allow, policy, trust
from tests.play.pipelines import developer_login
from tests.play.steps import Working
from tests.play.waiting import eventually

WITHOUT_A_PROJECT = SETTINGS.replace('"ProjectID=infra"', "'ProjectID=\"\"'")
PROJECT = """
[shop-dev.deploy.parameters]
template_file = "templates/project.yaml"
stack_name = "project-dev-shop"
parameter_overrides = [
    "EnvID=dev",
    "ProjectID=shop",
    "BranchNam=main",
    "GitLabProject=platform/shop",
    "GitLabTokenSecretId=gitlab/shop",
]
"""
SECRET = "codecommit-mirror/user-dev-codecommit-mirroring"
OF_OTHER_STACK = [
    {
        "Key": "cfn-gitops:stack-id",
        "Value": f"arn:aws:cloudformation:eu-central-1:{OTHER_ACCOUNT}:stack/other/1a2b",
    }
]
NOTHING = {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
# The parameter of an environment's stack.
EMPTY = {"Parameters": {"EnvID": {"Type": "String", "Default": "dev"}}, "Resources": NOTHING}
ACCOUNTS = itertools.count(200_000_000_000)
# Without libyaml, template.yaml takes most of the time of a check.
_parsed = functools.cache(yaml_template.parsed)


@pytest.fixture(scope="session")
def running() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def aws(running: LocalAws) -> Iterator[LocalAws]:
    """An account of its own."""
    yield running.in_account(str(next(ACCOUNTS)))
    running.reset()


@pytest.fixture
def operator(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    monkeypatch.setattr(yaml_template, "parsed", _parsed)
    return Operator(aws, Folder(tmp_path), monkeypatch, capsys)


def create_stack(aws: LocalAws, name: str, template: dict[str, Any], **more: Any) -> str:
    cloudformation = aws.client("cloudformation")
    created = cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), **more)[
        "StackId"
    ]
    eventually(lambda: not status_of(aws, name).endswith("IN_PROGRESS"), f"{name} exists")
    return str(created)


def status_of(aws: LocalAws, name: str) -> str:
    return str(aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def rolled_back_stack(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName="taken")
    create_stack(
        aws,
        "cfn-gitops-dev",
        {
            "Resources": {
                "Repository": {
                    "Type": "AWS::CodeCommit::Repository",
                    "Properties": {"RepositoryName": "taken"},
                }
            }
        },
    )
    assert status_of(aws, "cfn-gitops-dev") == "ROLLBACK_COMPLETE"


def deleted_secret(aws: LocalAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name=SECRET, SecretString="old")
    secrets.delete_secret(SecretId=SECRET)


def foreign_secret(aws: LocalAws) -> None:
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="old", Tags=OF_OTHER_STACK)


def create_bucket(aws: LocalAws, name: str) -> None:
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})


def left_role(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="role-dev-cfn-gitops", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    iam.put_role_policy(
        RoleName="role-dev-cfn-gitops", PolicyName="own", PolicyDocument=policy(allow("s3:*", "*"))
    )
    created = iam.create_policy(PolicyName="attached", PolicyDocument=policy(allow("s3:*", "*")))["Policy"]
    iam.attach_role_policy(RoleName="role-dev-cfn-gitops", PolicyArn=created["Arn"])


def left_user(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="user-dev-codecommit-mirroring")
    iam.put_user_policy(
        UserName="user-dev-codecommit-mirroring", PolicyName="own", PolicyDocument=policy(allow("s3:*", "*"))
    )
    iam.create_service_specific_credential(
        UserName="user-dev-codecommit-mirroring", ServiceName="codecommit.amazonaws.com"
    )


def left_policy(aws: LocalAws) -> None:
    aws.client("iam").create_policy(
        PolicyName="policy-dev-codepipeline-cfn", PolicyDocument=policy(allow("s3:*", "*"))
    )


def left_log_group(aws: LocalAws) -> None:
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/cfn-gitops-dev")


def left_rule(aws: LocalAws) -> None:
    events = aws.client("events")
    events.put_rule(Name="event-rule-dev-cfn-gitops-health", ScheduleExpression="rate(15 minutes)")
    events.put_targets(
        Rule="event-rule-dev-cfn-gitops-health",
        Targets=[
            {"Id": "function", "Arn": f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:cfn-gitops-dev"}
        ],
    )


def foreign_repository(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName="codecommit-dev-cfn-infra")


def foreign_child(aws: LocalAws) -> None:
    create_stack(aws, "gitops-dev-infra", {"Resources": NOTHING}, Tags=OF_OTHER_STACK)


def delete_by_hand(aws: LocalAws, subject: str) -> None:
    """The remedy of a rule, of a pipeline's stack, which a person may have kept, and of a resource without a
    region is not a command."""
    iam, name = aws.client("iam"), subject.split()[-1]
    if subject.startswith("event rule"):
        aws.client("events").remove_targets(Rule=name, Ids=["function"])
        aws.client("events").delete_rule(Name=name)
    elif subject.startswith("stack"):
        aws.client("cloudformation").delete_stack(StackName=name)
    elif subject.startswith("managed policy"):
        iam.delete_policy(PolicyArn=f"arn:aws:iam::{aws.account_id}:policy/{name}")
    elif subject.startswith("role"):
        for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
        iam.delete_role_policy(RoleName=name, PolicyName="own")
        iam.delete_role(RoleName=name)
    else:
        for each in iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]:
            iam.delete_service_specific_credential(
                UserName=name, ServiceSpecificCredentialId=each["ServiceSpecificCredentialId"]
            )
        iam.delete_user_policy(UserName=name, PolicyName="own")
        iam.delete_user(UserName=name)


# The two of a name are in different accounts.
PLANTED: list[list[tuple[Callable[[LocalAws], None], str, str]]] = [
    [
        (rolled_back_stack, "stack cfn-gitops-dev", ""),
        (deleted_secret, f"secret {SECRET}", "CFG-304"),
        (left_role, "role role-dev-cfn-gitops", ""),
        (left_user, "user user-dev-codecommit-mirroring", ""),
        (left_policy, "managed policy policy-dev-codepipeline-cfn", ""),
        (left_log_group, "log group /aws/lambda/cfn-gitops-dev", ""),
        (left_rule, "event rule event-rule-dev-cfn-gitops-health", ""),
        (foreign_repository, "repository codecommit-dev-cfn-infra", "CFG-504"),
    ],
    [(foreign_secret, f"secret {SECRET}", "CFG-303"), (foreign_child, "stack gitops-dev-infra", "CFG-502")],
]


@pytest.mark.parametrize("planted", PLANTED, ids=["first", "second"])
def test_taken_names_are_found_and_their_remedies_work(
    operator: Operator, planted: list[tuple[Callable[[LocalAws], None], str, str]]
) -> None:
    for plant, _, _ in planted:
        plant(operator.aws)
    checked = operator.check()
    assert checked.status == 1 and len(checked.found) == len(planted), checked.found
    for _, subject, code in planted:
        [row] = [row for row in checked.found if row["subject"].startswith(subject)]
        assert row.get("code", "") == code, row
        is_of_iam = "EnvID dev may be deployed in another region: name it with --region" in row["remedy"]
        assert is_of_iam == subject.startswith(("role", "user", "managed policy"))
        if is_of_iam or subject.startswith(("event rule", "stack gitops-")):
            assert " aws " not in row["remedy"]
            delete_by_hand(operator.aws, row["subject"])
        else:
            operator.follow(row)
    eventually(lambda: not operator.check().found, "the remedies work")


def test_names_of_another_stack_with_the_env_id_are_kept(operator: Operator) -> None:
    create_stack(operator.aws, "environment", EMPTY)
    left_log_group(operator.aws)
    left_policy(operator.aws)
    found = operator.check().found
    assert [row["subject"].split()[0] for row in found] == ["managed", "log"]
    assert all(
        row["remedy"].startswith("Stack environment has this EnvID, too") and " aws " not in row["remedy"]
        for row in found
    )


def test_full_check_has_each_key_and_ends_with_the_next_command(operator: Operator) -> None:
    checked = operator.check()
    assert checked.status == 0 and not checked.found, checked.found
    # Without a token. test_check_gitlab.py has each of the others.
    assert {row["key"] for row in checked.rows} == {*KEYS} - {*TOKEN_KEYS} | {"token-secret"}
    # No account can show these.
    assert [
        (row["subject"], row.get("code"))
        for row in checked.of("not checked")
        if row["subject"] != "GitLab token"
    ] == [
        ("CodeCommit for new customers", "CFG-510"),
        ("service control policies", "CFG-202"),
        ("quota of CodeBuild, as it is applied", None),
    ]
    assert checked.document["account"] == operator.aws.account_id
    assert (
        checked.document["next"]
        == f"Next: make build && sam deploy --config-file {operator.folder.config} --config-env dev. It has"
        " the project infra without a mirror, because GitLabProject is not set:"
        " docs/how-to/connect-gitlab.md"
    )
    operator.folder.write(WITHOUT_A_PROJECT)
    assert operator.check().document["next"].endswith("--config-env dev")
    assert "next" not in operator.check(*(f"--ignore={key}" for key in KEYS)).document


def test_samconfig_as_it_is_shipped_is_found(operator: Operator) -> None:
    shipped = (ROOT / "samconfig.toml").read_text()
    operator.folder.write(shipped)
    checked = operator.check()
    [row] = checked.found
    assert (checked.status, row["key"]) == (1, "first-project")
    assert row["remedy"].startswith(
        "Remove the # before the lines of your first project in parameter_overrides of"
        " [dev.deploy.parameters]"
    )
    [line] = re.findall(r"""["']ProjectID=.*?["'](?=,|$)""", row["remedy"])
    for corrected in (
        shipped.replace('# "ProjectID=infra', '"ProjectID=infra', 1),
        shipped.replace("parameter_overrides = [\n", f"parameter_overrides = [\n    {line},\n", 1),
    ):
        operator.folder.write(corrected)
        assert operator.check().status == 0, corrected


def test_settings_without_the_file_have_one_row(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.folder.config.unlink()
    monkeypatch.chdir(operator.folder.path)
    checked = operator.check("--region", operator.aws.region)
    assert checked.status == 0 and "next" not in checked.document, checked.rows
    [row] = [row for row in checked.rows if row["subject"].startswith("samconfig.toml")]
    assert row["result"] == "not checked" and row["reason"].startswith("there is no such file in this folder")


def test_next_command_is_that_of_the_release_or_of_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert next_command("prd") == "make deploy ENV=prd"
    command.selections["sam"] = ["--profile", "a"]
    assert next_command("prd") == "make build && sam deploy --profile a --config-env prd"
    command.selections.clear()
    monkeypatch.setattr(sys, "argv", [str(ROOT / "cfn-gitops")])
    assert next_command("prd") == "sam deploy --config-env prd"


def test_values_that_are_not_read_stop_what_needs_them_alone(operator: Operator) -> None:
    operator.folder.write(SETTINGS.replace('"ProjectID=infra"', '"ProjectID="'))
    checked = operator.check()
    reasons = {row["key"]: row["reason"] for row in checked.of("not checked") if row["key"] != "unknown"}
    assert checked.status == 3 and "ProjectID= in parameter_overrides of" in reasons.pop("parameters")
    assert {*reasons.values()} == {"the values of the parameters are not known"}
    assert {"stack", "exports", "services", "executions"} <= {row["key"] for row in checked.of("sound")}


def test_ignored_rows_are_not_read_for_themselves(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_back_stack(operator.aws)
    left_log_group(operator.aws)
    checked = operator.check("--ignore", "stack")
    assert [row["key"] for row in checked.found] == ["names"] and checked.document["ignored"] == ["stack"]
    # Findings stand last.
    assert checked.rows[-1] == checked.found[0] and "next" not in checked.document
    for part, name in ((Names, "_exists"), (region, "build_quota"), (Names, "secret")):
        monkeypatch.setattr(part, name, MagicMock(side_effect=AssertionError))
    ignored = [f"--ignore={key}" for key in ("names", "quotas", "secret")]
    checked = operator.check("--ignore", "stack", *ignored)
    assert checked.status == 0 and not {"stack", "names"} & {row["key"] for row in checked.rows}


def test_unknown_key_is_wrong_use_with_the_list() -> None:
    with pytest.raises(WrongUse, match="invalid choice: 'quota' .*executions.*. Did you mean quotas"):
        parser().parse_args(["check", "--ignore", "quota"])


def test_retained_repository_is_adopted(operator: Operator) -> None:
    operator.aws.client("codecommit").create_repository(
        repositoryName="codecommit-dev-cfn-infra", tags={"cfn-gitops:stack-name": "gitops-dev-infra"}
    )
    checked = operator.check()
    assert not checked.found and checked.of("sound", "the new one adopts it")


def test_environment_under_another_stack_name_is_found(operator: Operator) -> None:
    create_stack(
        operator.aws,
        "environment",
        {
            **EMPTY,
            "Outputs": {
                "ServiceToken": {"Value": "function", "Export": {"Name": "cfn-gitops-dev-ServiceToken"}}
            },
        },
    )
    [row] = operator.check().found
    assert row["subject"] == "exports cfn-gitops-dev-…" and "stack_name" in row["remedy"]
    operator.folder.write(SETTINGS.replace('"cfn-gitops-dev"', '"environment"'))
    assert not operator.check().found


def test_stack_with_another_env_id_is_found(operator: Operator) -> None:
    create_stack(
        operator.aws, "cfn-gitops-dev", EMPTY, Parameters=[{"ParameterKey": "EnvID", "ParameterValue": "tst"}]
    )
    [row] = operator.check().found
    assert "it has EnvID tst" in row["problem"]
    operator.folder.write(SETTINGS.replace('"EnvID=dev"', '"EnvID=tst", "BranchName=main"'))
    assert not operator.check().found


def test_project_is_checked_by_its_table(operator: Operator) -> None:
    (operator.folder.path / "templates").mkdir()
    project = operator.folder.path / "templates/project.yaml"
    project.write_text((ROOT / "templates/project.yaml").read_text())
    other = PROJECT.replace("shop-dev", "shop-prd").replace("=dev", "=prd")
    quoted, unnamed = PROJECT.replace("shop-dev", '"a;b"'), PROJECT.replace("shop-dev", "none")
    unnamed = unnamed.replace('stack_name = "project-dev-shop"\n', "")
    operator.folder.write(f"{SETTINGS}{PROJECT}{other}{quoted}{unnamed}")
    checked = operator.check("--project", "shop-dev")
    assert {row["key"] for row in checked.rows} == {"parameters", "tags", "stack", *TOKEN_KEYS}
    assert [(row["subject"], row["key"]) for row in checked.found] == [
        ("samconfig.toml: BranchNam", "parameters"),
        ("secret gitlab/shop", "token-secret"),
    ]
    assert checked.of("sound", "stack project-dev-shop does not exist yet")
    assert "next" not in checked.document
    for name, problem in [
        ("shop-prd", "the project shop-prd is of the environment prd, not dev"),
        ("a;b", "the name of table [a;b] is not letters, digits, _ and - alone"),
        ("none", "[none.global.parameters] lacks stack_name"),
        ("shop-def", "samconfig.toml has no project shop-def. Did you mean shop-dev?"),
    ]:
        wrong = operator.check("--project", name)
        assert wrong.status == 2 and problem in wrong.document["error"]["problem"]


def test_quota_of_zero_builds_is_found(operator: Operator, running: LocalAws) -> None:
    running.set(quota_of_builds=0)
    [row] = operator.check().found
    assert row["subject"].startswith("quota of concurrent builds") and "is 0" in row["problem"]
    running.reset()
    assert not operator.check().found


def test_denied_reads_are_not_checked(operator: Operator) -> None:
    operator.use(a_user_with(operator.aws, "reader", allow(["cloudformation:DescribeStacks", "sts:*"], "*")))
    checked = operator.check()
    assert checked.status == 3 and not checked.found and "next" not in checked.document, checked.found
    reasons = {row["subject"]: row.get("reason", "") for row in checked.of("not checked")}
    for subject in (
        "CodeCommit in eu-central-1",
        "quotas of IAM",
        "role names",
        f"secret {SECRET}",
        "quota of concurrent builds, as Service Quotas shows it",
    ):
        assert "is denied" in reasons[subject], reasons


def test_denied_list_of_stacks_stops_what_needs_it_alone(operator: Operator) -> None:
    create_stack(operator.aws, "cfn-gitops-dev", EMPTY)
    operator.folder.write(with_line('"GitLabTokenSecretId=gitlab/infra"'))
    operator.use(
        a_user_with(
            operator.aws,
            "lister",
            allow("*", "*"),
            {"Effect": "Deny", "Action": "cloudformation:DescribeStacks", "Resource": "*"},
        )
    )
    checked = operator.check()
    needing = {
        "stack",
        "first-project",
        "names",
        "exports",
        "secret",
        "pipeline",
        "executions",
        "token-secret",
        "tags",
    }
    denied = {row["key"] for row in checked.of("not checked") if "DescribeStacks is denied" in row["reason"]}
    assert checked.status == 3 and denied == {*needing, "quotas", "services"}, denied
    assert {row["key"] for row in checked.of("sound")} == {"parameters", "services", "quotas"}


def test_waiting_approval_is_found(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline_that_waits(operator.aws, Working(tmp_path / "work"))
    # Only a tag names it as one of the environment's stack.
    assert not operator.check().found
    monkeypatch.setattr(
        Owners,
        "_resources_of",
        lambda *_: {
            "Pipeline": {"ResourceType": "Custom::GitOpsPipeline", "PhysicalResourceId": "gitops-dev-shop"}
        },
    )
    [row] = operator.check().found
    assert row["subject"] == "pipeline codepipeline-dev-cfn-shop" and row["problem"].startswith(
        "an approval waits since "
    )
    assert "cancels it if it changes this pipeline" in row["problem"]
    # Both commands show the change set, and ask.
    assert (
        re.sub(" --(profile|region|config-file) [^ ,`]+", "", row["remedy"])
        == "Approve it with `cfn-gitops approve shop --env dev`, or reject it with `cfn-gitops reject shop"
        " --env dev`"
    )
    reject(operator.aws, "codepipeline-dev-cfn-shop")
    eventually(lambda: not operator.check().found, "the rejected execution has ended")


def reject(aws: LocalAws, pipeline: str) -> None:
    client = aws.client("codepipeline")
    [token] = [
        action["latestExecution"]["token"]
        for stage in client.get_pipeline_state(name=pipeline)["stageStates"]
        for action in stage["actionStates"]
        if action["actionName"] == "Approval"
    ]
    client.put_approval_result(
        pipelineName=pipeline,
        stageName="Deploy",
        actionName="Approval",
        token=token,
        result={"status": "Rejected", "summary": "later"},
    )


def pipeline_that_waits(aws: LocalAws, working: Working) -> None:
    """A pipeline of the environment with an approval, and a child stack that names it."""
    name, iam = "codepipeline-dev-cfn-shop", aws.client("iam")
    role = iam.create_role(RoleName="pipeline", AssumeRolePolicyDocument=trust("codepipeline.amazonaws.com"))[
        "Role"
    ]["Arn"]
    iam.put_role_policy(RoleName="pipeline", PolicyName="own", PolicyDocument=policy(allow("*", "*")))
    create_bucket(aws, f"artifacts-{aws.account_id}")
    created = aws.client("codecommit").create_repository(repositoryName="codecommit-dev-cfn-shop")[
        "repositoryMetadata"
    ]
    login = developer_login(aws, "dev")
    eventually(lambda: login.status(created["cloneUrlHttp"]) == 200, "CodeCommit accepts the login")
    assert working.push(login, created["cloneUrlHttp"]).accepted
    aws_action = {"owner": "AWS", "version": "1"}
    source = {
        "name": "Source",
        "actionTypeId": {"category": "Source", "provider": "CodeCommit", **aws_action},
        "configuration": {"RepositoryName": "codecommit-dev-cfn-shop", "BranchName": "development"},
        "outputArtifacts": [{"name": "Source"}],
    }
    approval = {
        "name": "Approval",
        "actionTypeId": {"category": "Approval", "provider": "Manual", **aws_action},
    }
    aws.client("codepipeline").create_pipeline(
        pipeline={
            "name": name,
            "roleArn": role,
            "pipelineType": "V2",
            "artifactStore": {"type": "S3", "location": f"artifacts-{aws.account_id}"},
            "stages": [{"name": "Source", "actions": [source]}, {"name": "Deploy", "actions": [approval]}],
        }
    )
    owner = create_stack(aws, "cfn-gitops-dev", EMPTY)
    create_stack(
        aws,
        "gitops-dev-shop",
        {"Resources": NOTHING, "Outputs": {"PipelineName": {"Value": name}}},
        Tags=[
            {"Key": "cfn-gitops:stack-id", "Value": owner},
            {"Key": "cfn-gitops:logical-id", "Value": "Pipeline"},
        ],
    )
    eventually(
        lambda: "token" in str(aws.client("codepipeline").get_pipeline_state(name=name)), "the approval waits"
    )


def test_missing_template_is_wrong_use(operator: Operator) -> None:
    (operator.folder.path / "template.yaml").unlink()
    checked = operator.check()
    assert (
        checked.status == 2
        and "template.yaml is not read: No such file or directory" in checked.document["error"]["problem"]
    )
