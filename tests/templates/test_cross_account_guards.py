"""Protection of a source or an image in another account: bucket, key, bus, forwarding rules, repository."""

import json

import pytest
from ministack.services import eventbridge

from tests.templates.across_accounts import (
    BUS,
    IMAGES,
    REPOSITORIES,
    SHOP,
    SITE,
    artifacts,
    elsewhere,
    image,
    repository,
)
from tests.templates.deployed import REGION, Deployed
from tests.templates.renderings import rendering


def test_the_bucket_is_without_acls_and_under_the_key():
    """checkov requires that it is private and versioned."""
    properties = artifacts().properties("ArtifactBucket")
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": artifacts().arn("ArtifactKey"),
    }


def matches(pattern, event):
    """The result of TestEventPattern."""
    return eventbridge._matches_pattern(json.dumps(pattern), eventbridge._event_from_test_payload(event))


def push(arn=SHOP, branch="development", kind="branch", event="referenceUpdated"):
    return {
        "id": "1",
        "version": "0",
        "time": "2026-11-20T10:00:00Z",
        "source": "aws.codecommit",
        "detail-type": "CodeCommit Repository State Change",
        "account": REPOSITORIES,
        "region": REGION,
        "resources": [arn],
        "detail": {
            "event": event,
            "repositoryName": arn.split(":")[-1],
            "referenceType": kind,
            "referenceName": branch,
            "commitId": "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        },
    }


def pushed_image(name="ecr-dev-image", tag="latest", account=IMAGES, action="PUSH", result="SUCCESS"):
    return {
        "id": "1",
        "version": "0",
        "time": "2026-11-20T10:00:00Z",
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "account": account,
        "region": REGION,
        "resources": [],
        "detail": {
            "result": result,
            "repository-name": name,
            "image-digest": "sha256:" + "0" * 64,
            "action-type": action,
            "image-tag": tag,
        },
    }


@pytest.mark.parametrize(
    ("event", "is_reported"),
    [
        (push(), True),
        (push(event="referenceCreated"), True),
        (push(SITE), True),
        (push(event="referenceDeleted"), False),
        (push(kind="tag"), False),
        (push(branch="feature/development"), False),
        (push(SHOP + "2"), False),
        (push(SHOP.replace(REPOSITORIES, IMAGES)), False),
        (push(SHOP.replace(REGION, "eu-west-1")), False),
    ],
)
def test_pushes_of_the_environments_branch_are_forwarded(event, is_reported):
    assert matches(repository().properties("ForwardRule")["EventPattern"], event) is is_reported


@pytest.mark.parametrize(
    ("given", "branches"),
    [
        ({}, ["development"]),
        ({"EnvID": "prd"}, ["master"]),
        ({"BranchNames": "main,release/1"}, ["main", "release/1"]),
    ],
)
def test_branches_are_the_environments_or_the_named_ones(given, branches):
    assert (
        repository(**given).properties("ForwardRule")["EventPattern"]["detail"]["referenceName"] == branches
    )


@pytest.mark.parametrize(
    ("event", "is_reported"),
    [
        (pushed_image(), True),
        (pushed_image(tag="v1"), False),
        (pushed_image("another"), False),
        (pushed_image(action="DELETE"), False),
        (pushed_image(result="FAILURE"), False),
        # An event that was sent to this account itself.
        (pushed_image(account="777788889999"), False),
    ],
)
def test_pushes_of_the_tag_are_forwarded(event, is_reported):
    assert matches(image().properties("ForwardRule")["EventPattern"], event) is is_reported


def made_by_the_function(logical_id):
    """A rule of the pipeline's stack as the function renders it, for repositories of the accounts here."""
    rendered = rendering("source-and-image-of-another-account")
    stack = Deployed(template=rendered, stack_name="gitops-dev-infra", EnvID="dev", ProjectID="infra")
    return stack.properties(logical_id)["EventPattern"]


def test_forwarded_event_starts_the_pipeline_of_the_function():
    code, images = made_by_the_function("EventRule"), made_by_the_function("ImageEventRule")
    (arn,), (account,) = code["resources"], images["account"]
    (name,), (tag,) = images["detail"]["repository-name"], images["detail"]["image-tag"]
    event = {**push(arn), "account": arn.split(":")[4]}
    assert matches(repository(RepositoryArns=arn).properties("ForwardRule")["EventPattern"], event)
    assert matches(code, event)
    assert not matches(code, push(SHOP))
    event = pushed_image(name, tag, account)
    forwards = elsewhere("cross-account-image", account, RepositoryName=name, ImageTag=tag)
    assert matches(forwards.properties("ForwardRule")["EventPattern"], event)
    assert matches(images, event)
    assert not matches(images, pushed_image(name, tag, "777788889999"))
    assert not matches(images, pushed_image(name, "another", account))


@pytest.mark.parametrize("stack", [repository, image])
def test_forwarded_event_reaches_the_bus_unchanged_with_a_role(stack):
    made = stack()
    (target,) = made.properties("ForwardRule")["Targets"]
    assert target == {
        "Id": "pipeline-account",
        "Arn": BUS,
        "RoleArn": made.arn("ForwardRole"),
        "DeadLetterConfig": {"Arn": made.arn("LostQueue")},
    }
    assert artifacts().outputs()["EventBusArn"]["Value"] == BUS


@pytest.mark.parametrize(("stack", "kind"), [(repository, "codecommit"), (image, "ecr")])
def test_undelivered_event_raises_an_alarm(stack, kind):
    made = stack()
    alarm = made.properties("LostAlarm")
    assert made.name("LostAlarm") == f"alarm-dev-forward-{kind}"
    watched = {
        (
            each["MetricStat"]["Metric"]["MetricName"],
            tuple(d["Value"] for d in each["MetricStat"]["Metric"]["Dimensions"]),
        )
        for each in alarm["Metrics"]
        if "MetricStat" in each
    }
    # The dimension is the queue's name, which GetAtt returns.
    assert watched == {
        ("ApproximateNumberOfMessagesVisible", ("LostQueue.QueueName",)),
        ("FailedInvocations", (made.name("ForwardRule"),)),
    }
    assert made.properties("LostQueue")["SqsManagedSseEnabled"] is True


def test_tag_can_move_and_untagged_images_are_retained():
    properties = image().properties("Repository")
    assert properties["ImageTagMutability"] == "MUTABLE"
    (rule,) = json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"] == {
        "tagStatus": "untagged",
        "countType": "imageCountMoreThan",
        "countNumber": 200,
    }


def test_repository_has_the_default_or_the_given_name():
    assert image().name("Repository") == "ecr-dev-image"
    given = image(RepositoryName="team/shop")
    assert given.name("Repository") == "team/shop"
    assert given.properties("ForwardRule")["EventPattern"]["detail"]["repository-name"] == ["team/shop"]
