"""A real `sam deploy` against the local AWS, from the package in a bucket to the deleted stack."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from local.aws import LocalAws
from local.aws.testing import Stack, provider_code

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Provider:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: bootstrap
      Runtime: provided.al2023
      Timeout: 20
      EventInvokeConfig:
        MaximumRetryAttempts: 0
      Policies:
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: iam:ListServiceSpecificCredentials
              Resource: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:user/${AWS::StackName}
  User:
    Type: AWS::IAM::User
    Properties:
      UserName: !Ref AWS::StackName
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: !Ref AWS::StackName
  Listed:
    Type: Custom::Obedient
    Properties:
      ServiceToken: !GetAtt Provider.Arn
      OnCreate: list credentials
      UserName: !Ref User
Outputs:
  Found:
    Value: !GetAtt Listed.Found
"""


def deploy(aws: LocalAws, stack_name: str, template: Path) -> subprocess.CompletedProcess[str]:
    sam = Path(sys.executable).with_name("sam")
    return subprocess.run(
        [sam, "deploy", "--template-file", template, "--stack-name", stack_name, "--resolve-s3", "--capabilities",
         "CAPABILITY_NAMED_IAM", "--no-confirm-changeset", "--no-progressbar", "--tags", "team=platform"],
        env=aws.environment(), cwd=template.parent, text=True, capture_output=True, check=False)


def write(directory: Path, template: str) -> Path:
    with zipfile.ZipFile(BytesIO(provider_code())) as package:
        package.extractall(directory / "code")
    (directory / "code/bootstrap").chmod(0o755)
    (directory / "template.yaml").write_text(template)
    return directory / "template.yaml"


def test_sam_deploys_changes_and_rolls_back_and_the_stack_goes(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    template = write(tmp_path, TEMPLATE)
    first = deploy(aws, stack.name, template)
    assert first.returncode == 0, first.stdout + first.stderr
    outputs = aws.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]["Outputs"]
    assert [(output["OutputKey"], output["OutputValue"]) for output in outputs] == [("Found", "0")]
    [used] = [decision for decision in aws.decisions(":assumed-role/") if decision["resource"].endswith(stack.name)]
    assert (used["action"], used["allowed"]) == ("iam:ListServiceSpecificCredentials", True)

    template.write_text(TEMPLATE.replace("OnCreate: list credentials", "OnUpdate: fail\n      OnCreate: x"))
    failed = deploy(aws, stack.name, template)
    assert failed.returncode != 0
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert "scripted failure" in str(stack.events())
    assert [sent["RequestType"] for sent in aws.exchanges("Listed")] == ["Create", "Update", "Update"]

    assert stack.delete() == "DELETE_COMPLETE"
    assert [sent["RequestType"] for sent in aws.exchanges("Listed")][3:] == ["Delete"]
    assert aws.client("codecommit").batch_get_repositories(repositoryNames=[stack.name])["repositories"] == []
