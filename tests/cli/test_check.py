"""`check` in accounts of the local AWS. Each precondition is planted, found, corrected by its own remedy, and sound."""

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.scene import SETTINGS, Folder, Operator
from tests.local.aws import LocalAws
from tests.local.aws.testing import OTHER_ACCOUNT, a_user_with, allow, policy, trust
from tests.play.pipelines import developer_login
from tests.play.steps import Working
from tests.play.waiting import eventually

SECRET = "codecommit-mirror/user-dev-codecommit-mirroring"
OF_OTHER_STACK = [{"Key": "cfn-gitops:stack-id", "Value": f"arn:aws:cloudformation:eu-central-1:{OTHER_ACCOUNT}:stack/other/1a2b"}]
NOTHING = {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
# The parameter of an environment's stack.
EMPTY = {"Parameters": {"EnvID": {"Type": "String", "Default": "dev"}}, "Resources": NOTHING}
ACCOUNTS = itertools.count(200_000_000_000)


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
def operator(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(aws, Folder(tmp_path), monkeypatch, capsys)


def create_stack(aws: LocalAws, name: str, template: dict[str, Any], **more: Any) -> str:
    cloudformation = aws.client("cloudformation")
    created = cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), **more)["StackId"]
    eventually(lambda: not status_of(aws, name).endswith("IN_PROGRESS"), f"{name} exists")
    return str(created)


def status_of(aws: LocalAws, name: str) -> str:
    return str(aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def rolled_back_stack(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName="taken")
    create_stack(aws, "cfn-gitops-dev", {"Resources": {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": {
        "RepositoryName": "taken"}}}})
    assert status_of(aws, "cfn-gitops-dev") == "ROLLBACK_COMPLETE"


def deleted_secret(aws: LocalAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name=SECRET, SecretString="old")
    secrets.delete_secret(SecretId=SECRET)


def foreign_secret(aws: LocalAws) -> None:
    aws.client("secretsmanager").create_secret(Name=SECRET, SecretString="old", Tags=OF_OTHER_STACK)


def create_bucket(aws: LocalAws, name: str) -> None:
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})


def left_bucket(aws: LocalAws) -> None:
    name = f"s3-dev-codepipeline-artifact-{aws.account_id}-{aws.region}"
    create_bucket(aws, name)
    aws.client("s3").put_object(Bucket=name, Key="artifact", Body=b"old")


def left_role(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="role-dev-cfn-gitops", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    iam.put_role_policy(RoleName="role-dev-cfn-gitops", PolicyName="own", PolicyDocument=policy(allow("s3:*", "*")))
    created = iam.create_policy(PolicyName="attached", PolicyDocument=policy(allow("s3:*", "*")))["Policy"]
    iam.attach_role_policy(RoleName="role-dev-cfn-gitops", PolicyArn=created["Arn"])


def left_user(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="user-dev-codecommit-mirroring")
    iam.put_user_policy(UserName="user-dev-codecommit-mirroring", PolicyName="own", PolicyDocument=policy(allow("s3:*", "*")))
    iam.create_service_specific_credential(UserName="user-dev-codecommit-mirroring", ServiceName="codecommit.amazonaws.com")


def left_policy(aws: LocalAws) -> None:
    aws.client("iam").create_policy(PolicyName="policy-dev-codepipeline-cfn", PolicyDocument=policy(allow("s3:*", "*")))


def left_function(aws: LocalAws) -> None:
    with zipfile.ZipFile(content := io.BytesIO(), "w") as packed:
        packed.writestr("bootstrap", "")
    role = aws.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))["Role"]
    aws.client("lambda").create_function(FunctionName="cfn-gitops-dev", Runtime="provided.al2023", Role=role["Arn"],
                                         Handler="bootstrap", Code={"ZipFile": content.getvalue()})


def left_log_group(aws: LocalAws) -> None:
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/cfn-gitops-dev")


def left_rule(aws: LocalAws) -> None:
    events = aws.client("events")
    events.put_rule(Name="event-rule-dev-cfn-gitops-health", ScheduleExpression="rate(15 minutes)")
    events.put_targets(Rule="event-rule-dev-cfn-gitops-health", Targets=[
        {"Id": "function", "Arn": f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:cfn-gitops-dev"}])


def left_alarm(aws: LocalAws) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="alarm-dev-cfn-gitops-mirrors", Namespace="CfnGitOps", MetricName="MirrorHealthy", Statistic="Minimum", Period=900,
        EvaluationPeriods=2, Threshold=1, ComparisonOperator="LessThanThreshold")


def left_dashboard(aws: LocalAws) -> None:
    aws.client("cloudwatch").put_dashboard(DashboardName=f"cfn-gitops-dev-{aws.region}", DashboardBody='{"widgets": []}')


def foreign_repository(aws: LocalAws) -> None:
    aws.client("codecommit").create_repository(repositoryName="codecommit-dev-cfn-infra")


def foreign_child(aws: LocalAws) -> None:
    create_stack(aws, "gitops-dev-infra", {"Resources": NOTHING}, Tags=OF_OTHER_STACK)


def delete_from_iam(aws: LocalAws, subject: str) -> None:
    """The remedy of a resource without a region is not a command."""
    iam, name = aws.client("iam"), subject.split()[-1]
    if subject.startswith("managed policy"):
        iam.delete_policy(PolicyArn=f"arn:aws:iam::{aws.account_id}:policy/{name}")
    elif subject.startswith("role"):
        for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
        iam.delete_role_policy(RoleName=name, PolicyName="own")
        iam.delete_role(RoleName=name)
    else:
        for each in iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]:
            iam.delete_service_specific_credential(UserName=name, ServiceSpecificCredentialId=each["ServiceSpecificCredentialId"])
        iam.delete_user_policy(UserName=name, PolicyName="own")
        iam.delete_user(UserName=name)


# The two of a name are in different accounts.
PLANTED: list[list[tuple[Callable[[LocalAws], None], str, str]]] = [
    [(rolled_back_stack, "stack cfn-gitops-dev", ""), (deleted_secret, f"secret {SECRET}", "CFG-304"),
     (left_bucket, "bucket s3-dev-codepipeline-artifact-", ""), (left_role, "role role-dev-cfn-gitops", ""),
     (left_user, "user user-dev-codecommit-mirroring", ""), (left_policy, "managed policy policy-dev-codepipeline-cfn", ""),
     (left_function, "function cfn-gitops-dev", ""), (left_log_group, "log group /aws/lambda/cfn-gitops-dev", ""),
     (left_rule, "event rule event-rule-dev-cfn-gitops-health", ""), (left_alarm, "alarm alarm-dev-cfn-gitops-mirrors", ""),
     (left_dashboard, "dashboard cfn-gitops-dev-", ""), (foreign_repository, "repository codecommit-dev-cfn-infra", "CFG-504")],
    [(foreign_secret, f"secret {SECRET}", "CFG-303"), (foreign_child, "stack gitops-dev-infra", "CFG-502")],
]


@pytest.mark.parametrize("planted", PLANTED, ids=["first", "second"])
def test_taken_names_are_found_and_their_remedies_work(
        operator: Operator, planted: list[tuple[Callable[[LocalAws], None], str, str]]) -> None:
    for plant, _, _ in planted:
        plant(operator.aws)
    checked = operator.check()
    assert checked.status == 1 and len(checked.found) == len(planted), checked.found
    for _, subject, code in planted:
        [row] = [row for row in checked.found if row["subject"].startswith(subject)]
        assert row.get("code", "") == code, row
        if "may be deployed in another region" in row["remedy"]:
            assert " aws " not in row["remedy"]
            delete_from_iam(operator.aws, row["subject"])
        else:
            operator.follow(row)
    eventually(lambda: not operator.check().found, "the remedies work")


def test_environment_of_another_region_is_not_deleted(operator: Operator) -> None:
    iam = operator.aws.client("iam")
    iam.create_role(RoleName="role-dev-cfn-gitops", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    iam.put_role_policy(RoleName="role-dev-cfn-gitops", PolicyName="own", PolicyDocument=policy(
        allow("events:*", f"arn:aws:events:us-east-1:{operator.aws.account_id}:rule/event-rule-dev-*")))
    [row] = operator.check().found
    assert "EnvID dev may be deployed in another region (us-east-1): name it with --region" in row["remedy"]
    assert "aws iam" not in row["remedy"]


def test_names_of_another_stack_with_the_env_id_are_kept(operator: Operator) -> None:
    create_stack(operator.aws, "environment", EMPTY)
    left_log_group(operator.aws)
    left_policy(operator.aws)
    found = operator.check().found
    assert [row["subject"].split()[0] for row in found] == ["managed", "log"]
    assert all(row["remedy"].startswith("Stack environment has this EnvID, too") and " aws " not in row["remedy"] for row in found)


def test_sound_account_has_no_finding(operator: Operator) -> None:
    checked = operator.check()
    assert checked.status == 0 and not checked.found, checked.found
    # No account can show these.
    assert [(row["subject"], row.get("code")) for row in checked.of("not checked") if row["subject"] != "GitLab token"] == [
        ("CodeCommit for new customers", "CFG-510"), ("service control policies", "CFG-202"),
        ("quota of CodeBuild, as it is applied", None)]
    assert checked.document["account"] == operator.aws.account_id


def test_retained_repository_is_adopted(operator: Operator) -> None:
    operator.aws.client("codecommit").create_repository(
        repositoryName="codecommit-dev-cfn-infra", tags={"cfn-gitops:stack-name": "gitops-dev-infra"})
    checked = operator.check()
    assert not checked.found and checked.of("sound", "the new one adopts it")


def test_bucket_of_another_account_is_not_checked(operator: Operator, running: LocalAws) -> None:
    name = f"s3-dev-codepipeline-artifact-{operator.aws.account_id}-{operator.aws.region}"
    create_bucket(running.in_account(OTHER_ACCOUNT), name)
    checked = operator.check()
    assert checked.status == 0
    [row] = checked.of("not checked", "bucket s3-dev")
    assert "either another account has the name, or you lack s3:ListBucket" in row["reason"]


def test_environment_under_another_stack_name_is_found(operator: Operator) -> None:
    create_stack(operator.aws, "environment", {**EMPTY, "Outputs": {"ServiceToken": {
        "Value": "function", "Export": {"Name": "cfn-gitops-dev-ServiceToken"}}}})
    [row] = operator.check().found
    assert row["subject"] == "exports cfn-gitops-dev-…" and "stack_name" in row["remedy"]
    operator.folder.write(SETTINGS.replace('"cfn-gitops-dev"', '"environment"'))
    assert not operator.check().found


def test_stack_with_another_env_id_is_found(operator: Operator) -> None:
    create_stack(operator.aws, "cfn-gitops-dev", EMPTY, Parameters=[{"ParameterKey": "EnvID", "ParameterValue": "tst"}])
    [row] = operator.check().found
    assert "it has EnvID tst" in row["problem"]
    operator.folder.write(SETTINGS.replace('"EnvID=dev"', '"EnvID=tst", "BranchName=main"'))
    assert not operator.check().found


def test_quota_of_zero_builds_is_found(operator: Operator, running: LocalAws) -> None:
    running.set(quota_of_builds=0)
    [row] = operator.check().found
    assert row["subject"].startswith("quota of concurrent builds") and "is 0" in row["problem"]
    running.reset()
    assert not operator.check().found


def test_denied_reads_are_not_checked(operator: Operator) -> None:
    operator.use(a_user_with(operator.aws, "reader", allow(["cloudformation:DescribeStacks", "sts:*"], "*")))
    checked = operator.check()
    assert checked.status == 0 and not checked.found, checked.found
    reasons = {row["subject"]: row.get("reason", "") for row in checked.of("not checked")}
    for subject in ("CodeCommit in eu-central-1", "quotas of IAM",
                    f"secret {SECRET}", "quota of concurrent builds, as Service Quotas shows it"):
        assert "is denied" in reasons[subject], reasons


def test_denied_list_of_resources_stops_no_other_row(operator: Operator) -> None:
    create_stack(operator.aws, "cfn-gitops-dev", EMPTY)
    operator.use(a_user_with(operator.aws, "lister", allow("*", "*"), {
        "Effect": "Deny", "Action": "cloudformation:ListStackResources", "Resource": "*"}))
    checked = operator.check()
    assert not checked.found and "is denied" in checked.of("not checked", "names and quotas")[0]["reason"]
    assert checked.of("sound", "CodeCommit in ") and not checked.of("sound", "quotas of IAM") and not checked.of("sound", "names of")


def test_own_template_and_settings_of_another_form_are_not_checked(operator: Operator) -> None:
    operator.folder.write(SETTINGS.replace('"CAPABILITY_NAMED_IAM"', "true"))
    own = operator.folder.path / "template.yaml"
    own.write_text(own.read_text().replace("\nParameters:\n", "\nParameters:\n  Nothing:\n").replace("\nResources:\n", """
Resources:
  Fn::ForEach::Topics: [Name, [a], {"Topic${Name}": {Type: AWS::SNS::Topic}}]
  Topic: {Type: AWS::SNS::Topic}
  Null:
"""))
    checked = operator.check()
    assert checked.status == 0 and not checked.found, checked.found
    assert {row["subject"] for row in checked.of("not checked")} > {
        "samconfig.toml, line 5: capabilities", "template.yaml: Fn::ForEach::Topics", "template.yaml: Null"}
    assert checked.of("sound", "names of roles")


def test_waiting_approval_is_found(operator: Operator, tmp_path: Path) -> None:
    pipeline_that_waits(operator.aws, Working(tmp_path / "work"))
    [row] = operator.check().found
    assert row["subject"] == "pipeline codepipeline-dev-cfn-shop" and row["problem"].startswith("an approval waits since ")
    assert "cancels it if it changes this pipeline" in row["problem"]
    # The page of a production approval, and no command that rejects it.
    region = operator.aws.region
    assert row["remedy"] == (f"Approve or reject it first: https://{region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/"
                             f"codepipeline-dev-cfn-shop/view?region={region}")
    reject(operator.aws, "codepipeline-dev-cfn-shop")
    eventually(lambda: not operator.check().found, "the rejected execution has ended")


def reject(aws: LocalAws, pipeline: str) -> None:
    client = aws.client("codepipeline")
    [token] = [action["latestExecution"]["token"] for stage in client.get_pipeline_state(name=pipeline)["stageStates"]
               for action in stage["actionStates"] if action["actionName"] == "Approval"]
    client.put_approval_result(pipelineName=pipeline, stageName="Deploy", actionName="Approval", token=token,
                               result={"status": "Rejected", "summary": "later"})


def pipeline_that_waits(aws: LocalAws, working: Working) -> None:
    """A pipeline of the environment with an approval, and a child stack that names it."""
    name, iam = "codepipeline-dev-cfn-shop", aws.client("iam")
    role = iam.create_role(RoleName="pipeline", AssumeRolePolicyDocument=trust("codepipeline.amazonaws.com"))["Role"]["Arn"]
    iam.put_role_policy(RoleName="pipeline", PolicyName="own", PolicyDocument=policy(allow("*", "*")))
    create_bucket(aws, f"artifacts-{aws.account_id}")
    created = aws.client("codecommit").create_repository(repositoryName="codecommit-dev-cfn-shop")["repositoryMetadata"]
    login = developer_login(aws, "dev")
    eventually(lambda: login.status(created["cloneUrlHttp"]) == 200, "CodeCommit accepts the login")
    assert working.push(login, created["cloneUrlHttp"]).accepted
    aws_action = {"owner": "AWS", "version": "1"}
    source = {"name": "Source", "actionTypeId": {"category": "Source", "provider": "CodeCommit", **aws_action},
              "configuration": {"RepositoryName": "codecommit-dev-cfn-shop", "BranchName": "development"},
              "outputArtifacts": [{"name": "Source"}]}
    approval = {"name": "Approval", "actionTypeId": {"category": "Approval", "provider": "Manual", **aws_action}}
    aws.client("codepipeline").create_pipeline(pipeline={
        "name": name, "roleArn": role, "pipelineType": "V2",
        "artifactStore": {"type": "S3", "location": f"artifacts-{aws.account_id}"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Deploy", "actions": [approval]}]})
    owner = create_stack(aws, "cfn-gitops-dev", EMPTY)
    create_stack(aws, "gitops-dev-shop", {"Resources": NOTHING, "Outputs": {"PipelineName": {"Value": name}}},
                 Tags=[{"Key": "cfn-gitops:stack-id", "Value": owner}])
    eventually(lambda: "token" in str(aws.client("codepipeline").get_pipeline_state(name=name)), "the approval waits")


def test_missing_template_is_not_checked(operator: Operator) -> None:
    (operator.folder.path / "template.yaml").unlink()
    checked = operator.check()
    assert checked.status == 0
    [row] = checked.of("not checked", "parameters and names")
    assert "template.yaml is not read: No such file or directory" in row["reason"]
