"""What a review branch can reach while its code is not reviewed, and what CloudFormation gets from its build."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.aws import LocalAws
from tests.deployment.conftest import Production
from tests.deployment.pipelines import eventually, with_resources
from tests.deployment.reviewing import ReviewedProject, ReviewedStack, note_about, notes, reviewed
from tests.deployment.steps import Environment, decisions_of

pytestmark = pytest.mark.usefixtures("expected_denials")

ATTACK = '''
import hashlib, hmac, json, os, subprocess
from datetime import datetime, timezone
import boto3
from botocore.exceptions import ClientError

known = json.load(open("known.json"))
bucket, region = known["bucket"], os.environ["AWS_REGION"]
uuid = os.environ["CODEBUILD_BUILD_ID"].split(":")[1]
own, own_log = boto3.client("sts").get_caller_identity()["UserId"], known["log"]


def attempt(what, service, operation, **arguments):
    try:
        getattr(boto3.client(service), operation)(**arguments)
        outcome = "done"
    except ClientError as error:
        outcome = error.response["Error"]["Code"]
    print("ATTEMPT", json.dumps([what, "AccessDenied" if outcome in ("AccessDeniedException", "403") else outcome]))


def git(what, url, *arguments):
    """git with a login that this build's session signs, as the credential helper of AWS's images does."""
    key = boto3.Session().get_credentials().get_frozen_credentials()
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
    host, path = url.split("/")[2], "/" + url.split("/", 3)[3]
    def keyed(secret, text):
        return hmac.new(secret, text.encode(), hashlib.sha256)
    request = f"GIT\\n{path}\\n\\nhost:{host.partition(':')[0]}\\n\\nhost\\n"
    scope = f"{now[:8]}/{region}/codecommit/aws4_request"
    secret = f"AWS4{key.secret_key}".encode()
    for part in scope.split("/"):
        secret = keyed(secret, part).digest()
    hashed = hashlib.sha256(request.encode()).hexdigest()
    signed = keyed(secret, f"AWS4-HMAC-SHA256\\n{now}\\n{scope}\\n{hashed}").hexdigest()
    login = f"username={key.access_key}%{key.token}\\npassword={now}Z{signed}\\n"
    open("login", "w").write(login)
    helper = f"credential.helper=!cat {os.path.abspath('login')}; :"
    ran = subprocess.run(["git", "-c", "credential.helper=", "-c", helper, *[url if each == "URL" else each for each in arguments]],
                         text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1"})
    outcome = "AccessDenied" if "403" in ran.stderr else ran.stderr
    print("ATTEMPT", json.dumps([what, outcome if ran.returncode else "done"]))


attempt("s3 list", "s3", "list_objects_v2", Bucket=bucket)
attempt("s3 list versions", "s3", "list_object_versions", Bucket=bucket)
attempt("s3 policy", "s3", "put_bucket_policy", Bucket=bucket, Policy="{}")
for kind, keys in known["keys"].items():
    for key in keys:
        attempt(f"s3 write {kind}", "s3", "put_object", Bucket=bucket, Key=key, Body=b"hostile")
        attempt(f"s3 copy {kind}", "s3", "copy_object", Bucket=bucket, Key=f"review/{kind}",
                CopySource={"Bucket": bucket, "Key": key})
        attempt(f"s3 read {kind}", "s3", "get_object", Bucket=bucket, Key=key)
        attempt(f"s3 look at {kind}", "s3", "head_object", Bucket=bucket, Key=key)
        attempt(f"s3 delete {kind}", "s3", "delete_object", Bucket=bucket, Key=key)
attempt("s3 write its own code", "s3", "put_object", Bucket=bucket, Key=f"code/{own}/key", Body=b"own")
attempt("s3 read its own code", "s3", "get_object", Bucket=bucket, Key=f"code/{own}/key")
output = f"review/{known['project']}/{uuid}/a"
attempt("s3 write its own output", "s3", "put_object", Bucket=bucket, Key=output, Body=b"own")
attempt("s3 read its own output", "s3", "get_object", Bucket=bucket, Key=output)
for secret in known["secrets"]:
    attempt("secret read", "secretsmanager", "get_secret_value", SecretId=secret)
    attempt("secret write", "secretsmanager", "put_secret_value", SecretId=secret, SecretString="{}")
attempt("parameter read", "ssm", "get_parameter", Name=known["parameter"], WithDecryption=True)
attempt("parameters read", "ssm", "get_parameters", Names=[known["parameter"]], WithDecryption=True)
for name in known["stacks"]:
    attempt("stack described", "cloudformation", "describe_stacks", StackName=name)
    attempt("change set created", "cloudformation", "create_change_set", StackName=name, ChangeSetName="plan-a",
            UsePreviousTemplate=True, RoleARN=known["roles"][0])
    attempt("stack updated", "cloudformation", "update_stack", StackName=name, UsePreviousTemplate=True)
    attempt("stack deleted", "cloudformation", "delete_stack", StackName=name)
attempt("stack created", "cloudformation", "create_stack", StackName="cfnstack-dev-hostile", TemplateBody="{}")
for role in known["roles"]:
    attempt("role assumed", "sts", "assume_role", RoleArn=role, RoleSessionName="hostile")
attempt("user created", "iam", "create_user", UserName="hostile")
attempt("function invoked", "lambda", "invoke", FunctionName=known["function"], Payload=b"{}")
attempt("function read", "lambda", "get_function", FunctionName=known["function"])
for group in known["groups"]:
    attempt("log read", "logs", "filter_log_events", logGroupName=group)
    attempt("log written", "logs", "create_log_stream", logGroupName=group, logStreamName="hostile")
attempt("log of its own read", "logs", "get_log_events", logGroupName=own_log, logStreamName=uuid)
attempt("log of its own written", "logs", "create_log_stream", logGroupName=own_log, logStreamName=f"{uuid}-2")
attempt("build started", "codebuild", "start_build", projectName=known["build"])
attempt("build read", "codebuild", "batch_get_builds", ids=[os.environ["CODEBUILD_BUILD_ID"]])
attempt("pipeline started", "codepipeline", "start_pipeline_execution", name=known["pipeline"])
attempt("pipeline read", "codepipeline", "get_pipeline_state", name=known["pipeline"])
attempt("event sent", "events", "put_events", Entries=[{"Source": "hostile", "DetailType": "a", "Detail": "{}"}])
attempt("rule disabled", "events", "disable_rule", Name=known["rule"])
attempt("branch created by a call", "codecommit", "create_branch", repositoryName=known["repository"], branchName="a",
        commitId=known["commit"])
git("own repository cloned", known["url"], "clone", "--quiet", "URL", "own")
git("own repository pushed to", known["url"], "-C", "own", "push", "URL", "HEAD:refs/heads/development")
git("repository of the environment cloned", known["neighbour"], "ls-remote", "URL")
git("repository of another environment cloned", known["other"], "ls-remote", "URL")
'''
HOSTILE_BUILDSPEC = """version: 0.2
phases: {build: {commands: [python attack.py, mkdir out, cp root-stack-*.yaml out, cp parameter.json out]}}
artifacts: {base-directory: out, files: ['**/*']}
"""
ALLOWED = {
    "s3 write output of another build", "s3 write its own code", "s3 write its own output", "log of its own written",
    "own repository cloned", "repository of the environment cloned",
}


def outcomes(project: ReviewedProject) -> dict[str, set[str]]:
    """The outcomes of each attempt of the builds so far."""
    found: dict[str, set[str]] = {}
    for line in project.review_log().splitlines():
        if line.startswith("ATTEMPT "):
            what, outcome = json.loads(line.removeprefix("ATTEMPT "))
            found.setdefault(what, set()).add(outcome)
    return found


def artifacts_of(project: ReviewedProject) -> tuple[str, list[str]]:
    """The bucket, and the keys of the artifacts of the pipeline's first execution."""
    [execution] = [each["pipelineExecutionId"] for each in project.executions()]
    actions = {each["actionName"]: each.get("output", {}) for each in project.actions(execution)}
    places = [actions[name]["outputArtifacts"][0]["s3location"] for name in ("Source", "Build")]
    return places[0]["bucket"], [place["key"] for place in places]


def known_to_the_attacker(aws: LocalAws, reviewed: ReviewedStack, output: str) -> dict[str, Any]:
    """All names and keys that would be of use."""
    project, name = reviewed.project, reviewed.project.project_id
    bucket, artifacts = artifacts_of(project)
    packaged = f"code/AROAOTHER:AWSCodeBuild-{name}/key"
    aws.client("s3").put_object(Bucket=bucket, Key=packaged, Body=b"packaged")
    aws.client("ssm").put_parameter(Name=f"/build/dev/{name}", Type="SecureString", Value="a secret")
    return {
        "bucket": bucket, "project": name, "parameter": f"/build/dev/{name}",
        "keys": {"an artifact": artifacts, "packaged code": [packaged], "output of another build": [output]},
        "secrets": [f"codecommit-mirror/user-dev-{name}-mirror", reviewed.source.secret_id],
        "stacks": [project.deployed.name, project.stack_name, "cfn-gitops-dev", "cfnstack-prd-infra"],
        "roles": [f"arn:aws:iam::{aws.account_id}:role/{role}" for role in (
            "role-dev-codedeploy-cfn", "role-dev-codebuild-cfn", "role-dev-codepipeline-cfn", "role-dev-cfn-gitops",
            "role-dev-cfn-gitops-provisioning", "role-dev-eventbridge-codepipeline-exec", "role-dev-review-codebuild-cfn")],
        "function": "cfn-gitops-dev", "groups": ["/aws/lambda/cfn-gitops-dev", f"/aws/codebuild/{project.build_project}"],
        "log": f"/aws/codebuild/{project.review_project}", "build": project.build_project, "pipeline": project.name,
        "rule": project.event_rule, "repository": project.repository, "commit": project.deployed_commit(),
        "url": project.mirrored_url,
        **{key: aws.client("codecommit").get_repository(repositoryName=repository)["repositoryMetadata"]["cloneUrlHttp"]
           for key, repository in (("neighbour", "codecommit-dev-cfn-infra"), ("other", "codecommit-prd-cfn-infra"))}}


def contents(aws: LocalAws, known: dict[str, Any]) -> dict[str, bytes]:
    keys = [key for kind in ("an artifact", "packaged code") for key in known["keys"][kind]]
    return {key: aws.client("s3").get_object(Bucket=known["bucket"], Key=key)["Body"].read() for key in keys}


# claim: review-build-reaches-only-its-own-output
def test_hostile_review_build_reaches_only_its_output(aws: LocalAws, reviewed: ReviewedStack,
                                                      production: Production) -> None:
    project = reviewed.project
    benign = project.push_for_review("review/benign", template=with_resources("First"))
    uuid = project.review(benign.commit)["id"].split(":")[1]
    known = known_to_the_attacker(
        aws, reviewed, f"review/{project.project_id}/{uuid}/root-stack-{project.project_id}.yaml")
    before, stack, stored = project.executions(), project.deployed.describe(), contents(aws, known)

    hostile = project.push_for_review("review/hostile", buildspec=HOSTILE_BUILDSPEC,
                                      further={"attack.py": ATTACK, "known.json": json.dumps(known)})
    assert project.review(hostile.commit)["buildStatus"] == "SUCCEEDED", project.review_log()
    tried = outcomes(project)
    for what, outcome in sorted(tried.items()):
        print(f"{what}: {', '.join(sorted(outcome))}")
    assert {what for what, outcome in tried.items() if outcome == {"done"}} == ALLOWED
    assert {what: outcome for what, outcome in tried.items() if outcome not in ({"done"}, {"AccessDenied"})} == {}
    assert len(tried) == 50, len(tried)
    assert (project.executions(), project.deployed.describe(), contents(aws, known)) == (before, stack, stored)


LEAVES_CREDENTIALS = """version: 0.2
phases:
  build:
    commands:
      - mkdir out
      - cp root-stack-*.yaml parameter.json out
      - >-
        python -c "import boto3, json; key = boto3.Session().get_credentials(); print(json.dumps({'AccessKeyId':
        key.access_key, 'SecretAccessKey': key.secret_key, 'SessionToken': key.token}))" > out/key.json
artifacts: {base-directory: out, files: ['**/*']}
"""


# claim: cloudformation-gets-the-scanned-template
def test_template_replaced_after_the_scan_is_not_used(aws: LocalAws, environment: Environment,
                                                      reviewed: ReviewedStack) -> None:
    project, s3 = reviewed.project, aws.client("s3")
    bucket, _ = artifacts_of(project)
    # CloudFormation rejects calls for a second, so that the attacker has the time between the scan and the change set.
    aws.set(cloudformation_calls_per_second=0.5, cloudformation_burst=1)
    pushed = project.push_for_review("review/replaced", template=with_resources("Scanned"), buildspec=LEAVES_CREDENTIALS)
    merge_request = reviewed.gitlab.merge_request("review/replaced")
    build = project.review(pushed.commit)
    output = f"review/{project.project_id}/{build['id'].split(':')[1]}"
    template = f"{output}/root-stack-{project.project_id}.yaml"

    def decided(action: str, resource: str) -> list[dict[str, Any]]:
        return [each for each in decisions_of(aws, environment.function_role)
                if each["action"] == action and each["resource"].endswith(resource)]

    eventually(lambda: decided("s3:GetObject", template), "the function has read the template")
    key = json.loads(s3.get_object(Bucket=bucket, Key=f"{output}/key.json")["Body"].read())
    # Its build has ended, and its credentials are still valid.
    aws.client("s3", key).put_object(Bucket=bucket, Key=template, Body=with_resources("Hostile").encode())
    assert [each for each in decisions_of(aws, environment.function_role)
            if each["action"] == "cloudformation:CreateChangeSet" and project.deployed.name in each["resource"]] == []
    aws.reset()
    note = note_about(merge_request, pushed.commit)
    assert "| `Scanned` | `AWS::Events::Rule` | added |" in note and "Hostile" not in note
    assert b"Hostile" in s3.get_object(Bucket=bucket, Key=template)["Body"].read()
    assert len(decided("s3:GetObjectVersion", template)) == 1 and len(notes(merge_request)) == 1
