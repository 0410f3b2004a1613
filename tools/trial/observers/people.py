"""Observers of pull requests and notifications: a repository of their own, topics, and a queue that receives everything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tools.trial.observers import NotSeen, Seen, World
from tools.trial.observers.scenes import Scene, arn_of, error_of, role_of, scratch, session
from tools.trial.observers.sources import allows, policy, probe, seconds_until

_SECONDS = 240


def _publish(service: str, condition: dict[str, Any]) -> dict[str, Any]:
    return allows("sns:Publish", condition=condition) | {"Principal": {"Service": service}}


# The parts of the messages of a trigger, an alarm and a notification rule that the others lack.
_TRIGGER, _ALARM, _RULE = '"Records"', "AlarmName", "detailType"


def _topic(name: str, *statements: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A topic whose messages the queue receives. The policy has only these statements."""
    return {name: {"Type": "AWS::SNS::Topic", "Properties": {
        "Subscription": [{"Protocol": "sqs", "Endpoint": arn_of("Queue")}], **properties}},
        f"{name}Policy": {"Type": "AWS::SNS::TopicPolicy", "Properties": {
            "Topics": [{"Ref": name}], "PolicyDocument": policy(*statements)}}}


def _rule(name: str, topic: str) -> dict[str, Any]:
    return {"Type": "AWS::CodeStarNotifications::NotificationRule", "DependsOn": f"{topic}Policy", "Properties": {
        "Name": name, "DetailType": "BASIC", "Resource": arn_of("Repository"),
        "EventTypeIds": ["codecommit-repository-branches-and-tags-created"],
        "Targets": [{"TargetType": "SNS", "TargetAddress": {"Ref": topic}}]}}


def template(name: str, account_id: str) -> dict[str, Any]:
    """With the conditions of templates/notifications.yaml."""
    own = {"ArnLike": {"aws:SourceArn": f"arn:*:*:*:{account_id}:*"}}
    account = {"StringEquals": {"aws:SourceAccount": account_id}}
    notifications = "codestar-notifications.amazonaws.com"
    via = {"StringLike": {"kms:ViaService": "sns.*"}}
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    key = policy(
        allows("kms:*") | {"Principal": root},
        allows("kms:Decrypt", "kms:GenerateDataKey*", condition=via) | {"Principal": {"Service": notifications}})
    # The policy of `Open` has no condition: a message that does not reach it was not sent.
    topics = [{"Ref": topic} for topic in ("Sourced", "Account", "Open", "Encrypted")]
    receive = policy(allows("sqs:SendMessage", resource=arn_of("Queue"), condition={"ArnEquals": {"aws:SourceArn": topics}})
                     | {"Principal": {"Service": "sns.amazonaws.com"}})
    triggers = [{"Name": f"probe{number}", "DestinationArn": topics[number], "Events": ["all"]} for number in (0, 2)]
    return {"Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Queue"}], "PolicyDocument": receive}},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": key, "PendingWindowInDays": 7}},
        **_topic("Sourced", _publish("codecommit.amazonaws.com", own), _publish("cloudwatch.amazonaws.com", own)),
        **_topic("Account", _publish(notifications, account)),
        **_topic("Open", *(_publish(service, {}) for service in (
            notifications, "codecommit.amazonaws.com", "cloudwatch.amazonaws.com"))),
        **_topic("Encrypted", _publish(notifications, {}), KmsMasterKeyId={"Ref": "Key"}),
        "Repository": {"Type": "AWS::CodeCommit::Repository", "DependsOn": ["SourcedPolicy", "OpenPolicy"], "Properties": {
            "RepositoryName": name, "Triggers": triggers}},
        **{f"{topic}Rule": _rule(f"{name}-{topic.lower()}", topic) for topic in ("Account", "Open", "Encrypted")},
        "Author": role_of(root, allows("codecommit:CreatePullRequest", resource=arn_of("Repository"))),
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "DependsOn": ["SourcedPolicy", "OpenPolicy"], "Properties": {
            "AlarmName": name, "Namespace": name, "MetricName": "none", "Statistic": "Sum", "Period": 86400,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [{"Ref": "Sourced"}, {"Ref": "Open"}]}}},
        "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}, "Author": {"Value": arn_of("Author")},
                    **{topic: {"Value": {"Ref": topic}} for topic in ("Sourced", "Account", "Open", "Encrypted")}}}


@dataclass
class Notified:
    world: World
    outputs: dict[str, str]
    # The messages by the logical ID of their topic.
    received: dict[str, list[str]] = field(default_factory=dict)

    @property
    def codecommit(self) -> Any:
        return self.world.client("codecommit")

    def commit(self, branch: str, parent: str = "") -> str:
        """Commits to a branch, which this creates if it is the first commit."""
        made = self.codecommit.put_file(
            repositoryName=probe(self.world), branchName=branch, filePath="file", fileContent=branch.encode(),
            **({"parentCommitId": parent} if parent else {}))
        return str(made["commitId"])

    def has(self, topic: str, text: str = "") -> bool:
        """Whether the queue received such a message of the topic, now or before."""
        answer = self.world.client("sqs").receive_message(
            QueueUrl=self.outputs["Queue"], WaitTimeSeconds=2, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            name = next((key for key, value in self.outputs.items() if value == body.get("TopicArn")), "")
            self.received.setdefault(name, []).append(body.get("Message", ""))
            self.world.client("sqs").delete_message(
                QueueUrl=self.outputs["Queue"], ReceiptHandle=message["ReceiptHandle"])
        return any(text in each for each in self.received.get(topic, []))

    def reached(self, topic: str, *texts: str) -> list[str]:
        """Those of the messages that reached the topic. All of them must have reached the open one."""
        def missing(where: str) -> list[str]:
            return [text for text in texts if not self.has(where, text)]

        seconds_until(lambda: not missing("Open") and not missing(topic), _SECONDS)
        if missing("Open"):
            raise NotSeen(f"no topic has the message with {', '.join(missing('Open'))}")
        absent = missing(topic)
        return [text for text in texts if text not in absent]

    def of_rule(self, topic: str) -> Seen:
        """Whether a notification rule reached the topic."""
        came = self.reached(topic, _RULE)
        return Seen(bool(came), f"the rule's message {'arrived' if came else 'did not arrive'}")


@Scene
@contextmanager
def notified(world: World) -> Iterator[Notified]:
    with scratch(world, template(probe(world), world.story.aws.account_id)) as made:
        held = Notified(world, made.outputs())
        first = held.commit("main")
        held.codecommit.create_branch(repositoryName=probe(world), branchName="feature", commitId=first)
        world.client("cloudwatch").set_alarm_state(AlarmName=probe(world), StateValue="ALARM", StateReason="probe")
        yield held


@notified.observes("triggers-and-alarms-send-source-arn")
def source_arn(held: Notified) -> Seen:
    came = held.reached("Sourced", _TRIGGER, _ALARM)
    found = {"trigger": _TRIGGER in came, "alarm": _ALARM in came}
    return Seen(all(found.values()), ", ".join(f"{name}: {'' if came else 'not '}arrived" for name, came in found.items()))


@notified.observes("notification-source-account")
def source_account(held: Notified) -> Seen:
    return held.of_rule("Account")


@notified.observes("kms-via-service-for-topics")
def via_service(held: Notified) -> Seen:
    return held.of_rule("Encrypted")


@notified.observes("approval-rule-on-pull-request")
def approval_rule(held: Notified) -> Seen:
    """The pull request is opened by another role, because its author cannot approve it."""
    codecommit, name = held.codecommit, f"{probe(held.world)}-rule"
    own = held.world.client("sts").get_caller_identity()["Arn"]
    content = {"Version": "2018-11-08", "DestinationReferences": ["refs/heads/main"], "Statements": [
        {"Type": "Approvers", "NumberOfApprovalsNeeded": 1, "ApprovalPoolMembers": [own]}]}
    codecommit.create_approval_rule_template(approvalRuleTemplateName=name, approvalRuleTemplateContent=json.dumps(content))
    try:
        codecommit.associate_approval_rule_template_with_repository(
            approvalRuleTemplateName=name, repositoryName=probe(held.world))
        opened = _opened(held)
        which = {"pullRequestId": opened["pullRequestId"], "revisionId": opened["revisionId"]}
        before = codecommit.evaluate_pull_request_approval_rules(**which)["evaluation"]
        codecommit.update_pull_request_approval_state(**which, approvalState="APPROVE")
        seconds_until(lambda: codecommit.evaluate_pull_request_approval_rules(**which)["evaluation"]["approved"], 30)
        after = codecommit.evaluate_pull_request_approval_rules(**which)["evaluation"]
        shown = [name in before["approvalRulesNotSatisfied"], before["approved"], name in after["approvalRulesSatisfied"]]
        return Seen(shown == [True, False, True], f"appears: {shown[0]}, satisfied by its pool: {shown[2]}", [before, after])
    finally:
        error_of(lambda: codecommit.disassociate_approval_rule_template_from_repository(
            approvalRuleTemplateName=name, repositoryName=probe(held.world)))
        codecommit.delete_approval_rule_template(approvalRuleTemplateName=name)


def _opened(held: Notified) -> dict[str, Any]:
    """A pull request of the other role."""
    tip = held.codecommit.get_branch(repositoryName=probe(held.world), branchName="feature")["branch"]["commitId"]
    held.commit("feature", tip)
    author = session(held.world, held.outputs["Author"])
    made = author.client("codecommit", endpoint_url=held.codecommit.meta.endpoint_url).create_pull_request(
        title="a probe", targets=[{"repositoryName": probe(held.world), "sourceReference": "feature",
                                   "destinationReference": "main"}])
    return dict(made["pullRequest"])
