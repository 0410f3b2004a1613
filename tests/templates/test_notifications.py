"""templates/notifications.yaml and repository.yaml: recipients, publishers and triggers."""

import pytest

from tests.policies import scene
from tests.templates.companions import repository, stack
from tests.templates.deployed import ACCOUNT, REGION

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:sns-dev-notifications"
PIPELINE = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:codepipeline-dev-cfn-shop"
SLACK = {"SlackWorkspaceId": "T01234567", "SlackChannelId": "C01234567"}
TEAMS = {"TeamId": scene.TEAM, "TeamsTenantId": scene.TEAM, "TeamsChannelId": "19%3Ashop%40thread.tacv2"}
CONFIGURATION = f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/slack-dev-notifications"
TEAMS_CONFIGURATION = CONFIGURATION.replace("slack-channel/slack", "microsoft-teams-channel/teams")


@pytest.fixture(scope="module")
def environment():
    """The first stack of the environment, with everything in it."""
    return stack("notifications", ProjectID="shop", EmailAddress="team@example.com", **SLACK, **TEAMS)


def made(deployed, *types):
    return {name for name in deployed.of_type(*types) if deployed.is_made(name)}


def test_the_topic_is_encrypted_with_a_key_of_its_own(environment):
    assert environment.properties("Topic")["KmsMasterKeyId"] == environment.arn("Key")


# https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html#events-ref-repositories and
# #events-ref-pipeline
OF_REPOSITORIES = {
    f"codecommit-repository-{event}"
    for event in (
        "comments-on-commits",
        "comments-on-pull-requests",
        "approvals-status-changed",
        "approvals-rule-override",
        "pull-request-created",
        "pull-request-source-updated",
        "pull-request-status-changed",
        "pull-request-merged",
        "branches-and-tags-created",
        "branches-and-tags-deleted",
        "branches-and-tags-updated",
    )
}
OF_PIPELINES = {
    f"codepipeline-pipeline-{event}"
    for event in (
        *(f"action-execution-{state}" for state in ("succeeded", "failed", "canceled", "started")),
        *(f"stage-execution-{state}" for state in ("started", "succeeded", "resumed", "canceled", "failed")),
        *(
            f"pipeline-execution-{state}"
            for state in ("failed", "canceled", "started", "resumed", "succeeded", "superseded")
        ),
        "manual-approval-failed",
        "manual-approval-needed",
        "manual-approval-succeeded",
    )
}


def events(rule, **parameters):
    return set(stack("notifications", ProjectID="shop", **parameters).properties(rule)["EventTypeIds"])


def test_mirror_rule_omits_pull_requests_and_pushes():
    mirror = events("RepositoryRule")
    assert not {
        event
        for event in mirror
        if "pull-request" in event or "approval" in event or event.endswith("-updated")
    }
    assert events("RepositoryRule", RepositoryEvents="Everything") == OF_REPOSITORIES
    assert mirror < events("RepositoryRule", RepositoryEvents="PullRequests") < OF_REPOSITORIES


def test_events_that_need_action_are_in_every_choice():
    needed = {
        "codepipeline-pipeline-pipeline-execution-failed",
        "codepipeline-pipeline-manual-approval-needed",
    }
    assert (
        needed
        < events("PipelineRule")
        < events("PipelineRule", PipelineEvents="Outcomes")
        < events("PipelineRule", PipelineEvents="Everything")
    )
    assert events("PipelineRule", PipelineEvents="Everything") <= OF_PIPELINES


def test_rules_are_of_the_projects_resources_or_of_given_ones(environment):
    assert environment.properties("RepositoryRule")["Resource"] == repository("codecommit-dev-cfn-shop")
    assert environment.properties("PipelineRule")["Resource"] == PIPELINE
    other = stack("notifications", ProjectID="shop", RepositoryName="codecommit-dev-website")
    assert other.properties("RepositoryRule")["Resource"] == repository("codecommit-dev-website")
    other = stack(
        "notifications", ProjectID="site", PipelineName="codepipeline-dev-s3-site", RepositoryEvents="None"
    )
    assert other.properties("PipelineRule")["Resource"] == PIPELINE.replace("cfn-shop", "s3-site")


@pytest.mark.parametrize("rule", ["RepositoryRule", "PipelineRule"])
def test_a_rule_waits_until_its_topic_admits_it(environment, rule):
    """A reference is a dependency anywhere in a resource. It may be conditional, unlike DependsOn."""
    assert environment.resource(rule)["Metadata"] == {"After": environment.resolve({"Ref": "TopicPolicy"})}
    assert stack("notifications", ProjectID="shop", TopicArn=TOPIC).resource(rule)["Metadata"] == {
        "After": TOPIC
    }


def test_names_fit_into_64_characters_at_their_longest():
    longest = stack("notifications", EnvID="e" * 10, ProjectID="p" * 20)
    for rule in ("RepositoryRule", "PipelineRule"):
        assert len(longest.properties(rule)["Name"]) <= 64


@pytest.mark.parametrize("rule", ["RepositoryRule", "PipelineRule"])
def test_rule_notifies_topic_and_given_channels(environment, rule):
    assert [target["TargetType"] for target in environment.properties(rule)["Targets"]] == [
        "SNS",
        "AWSChatbotSlack",
        "AWSChatbotMicrosoftTeams",
    ]
    assert environment.properties(rule)["Targets"][0]["TargetAddress"] == environment.arn("Topic")
    plain = stack("notifications", ProjectID="shop").properties(rule)
    assert [target["TargetType"] for target in plain["Targets"]] == ["SNS"]


def test_further_project_uses_the_existing_topic_and_channels():
    further = stack(
        "notifications",
        ProjectID="pay",
        TopicArn=TOPIC,
        SlackConfigurationArn=CONFIGURATION,
        TeamsConfigurationArn=TEAMS_CONFIGURATION,
    )
    assert made(further, *{r["Type"] for r in further.template["Resources"].values()}) == {
        "RepositoryRule",
        "PipelineRule",
    }
    for rule in ("RepositoryRule", "PipelineRule"):
        assert [t["TargetAddress"] for t in further.properties(rule)["Targets"]] == [
            TOPIC,
            CONFIGURATION,
            TEAMS_CONFIGURATION,
        ]


def test_without_a_project_only_the_topic_is_created():
    assert made(
        stack("notifications"),
        "AWS::CodeStarNotifications::NotificationRule",
        "AWS::Chatbot::SlackChannelConfiguration",
        "AWS::Chatbot::MicrosoftTeamsChannelConfiguration",
        "AWS::IAM::Role",
        "AWS::SNS::Topic",
        "AWS::SNS::Subscription",
    ) == {"Topic"}


def test_each_rule_is_optional():
    given = {"ProjectID": "shop", "RepositoryEvents": "None"}
    assert made(stack("notifications", **given), "AWS::CodeStarNotifications::NotificationRule") == {
        "PipelineRule"
    }
    assert not made(
        stack("notifications", **given, PipelineEvents="None"), "AWS::CodeStarNotifications::NotificationRule"
    )


@pytest.mark.parametrize("channel", ["SlackChannel", "TeamsChannel"])
def test_channel_guardrail_equals_its_role_policy(environment, channel):
    policies = [f"arn:aws:iam::{ACCOUNT}:policy/policy-dev-chat"]
    assert (
        environment.properties(channel)["GuardrailPolicies"]
        == environment.properties("ChannelRole")["ManagedPolicyArns"]
        == policies
    )
    assert environment.properties(channel)["IamRoleArn"] == environment.arn("ChannelRole")


FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:on-push"


def triggers(**parameters):
    return stack("repository", ProjectID="website", **parameters).properties("Repository").get("Triggers")


def test_repository_has_the_given_triggers():
    assert triggers() is None
    assert triggers(TriggerTopicArn=TOPIC) == [
        {
            "Name": "trigger-dev-topic",
            "DestinationArn": TOPIC,
            "Events": ["all"],
            "Branches": [],
            "CustomData": "",
        }
    ]
    both = triggers(
        TriggerTopicArn=TOPIC,
        TriggerFunctionArn=FUNCTION,
        TriggerEvents="createReference,deleteReference",
        TriggerBranches="development,master",
        TriggerCustomData="#deployments",
    )
    assert [trigger["DestinationArn"] for trigger in both] == [TOPIC, FUNCTION]
    assert all(trigger["Branches"] == ["development", "master"] for trigger in both)
    assert all(trigger["Events"] == ["createReference", "deleteReference"] for trigger in both)
    assert len({trigger["Name"] for trigger in both}) == len(both) <= 10


def test_repository_is_encrypted_with_a_given_key():
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"
    assert (
        stack("repository", ProjectID="website", RepositoryKmsKeyArn=arn).properties("Repository")["KmsKeyId"]
        == arn
    )
    assert "KmsKeyId" not in stack("repository", ProjectID="website").properties("Repository")
