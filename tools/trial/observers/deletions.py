"""Observers of failures and deletions: a custom resource of their own, whose function answers as its properties name."""

import math
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.play.steps import Stack
from tools.trial.observers import NotSeen, Seen, World, observes
from tools.trial.observers.scenes import Scene, scratch, with_function
from tools.trial.observers.sources import absent_is_fine, logged, probe, seconds_until, stack, update, user

# Logs the request without its signature. Sends the answers that the properties name, one after the other, and logs each.
# The name in the properties is the physical ID.
CODE = """
import json, time, urllib.parse, urllib.request

def handler(event, context):
    address = event.pop("ResponseURL", "")
    url = urllib.parse.urlsplit(address)
    query = dict(urllib.parse.parse_qsl(url.query))
    print(json.dumps({**event, "probe": event.get("RequestType", "event"), "at": time.time(), "host": url.netloc,
                      "path": url.path, "date": query.get("X-Amz-Date", ""), "stack": event.get("StackId", "")}))
    if not url.netloc:
        raise RuntimeError("this event fails")
    answers, physical_id = event["ResourceProperties"]["Answers"], event["ResourceProperties"]["Name"]
    if event["RequestType"] == "Delete":
        answers, physical_id = ["SUCCESS"], event["PhysicalResourceId"]
    for number, status in enumerate(answers):
        body = {"Status": status, "Reason": "a probe", "PhysicalResourceId": physical_id, "StackId": event["StackId"],
                "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
                "Data": {"Number": str(number)}}
        request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
        urllib.request.urlopen(request)
        print(json.dumps({"probe": "answer", "at": time.time(), "host": "", "stack": event["StackId"]}))
"""


@dataclass
class Provider:
    world: World
    arn: str

    def custom(self, name: str, *answers: str, **more: Any) -> dict[str, Any]:
        """The custom resource in a template."""
        return {"Type": "Custom::Probe", **more, "Properties": {
            "ServiceToken": self.arn, "ServiceTimeout": 30, "Name": name, "Answers": list(answers)}}

    def resource(self, name: str, *answers: str) -> AbstractContextManager[Stack]:
        """A stack with the custom resource, after its creation has ended in any status."""
        template = {"Resources": {"Resource": self.custom(name, *answers)},
                    "Outputs": {"Number": {"Value": {"Fn::GetAtt": ["Resource", "Number"]}}}}
        return stack(self.world, template, f"{probe(self.world)}-{name}")

    def requests(self, stack_id: str = "", kind: str = "") -> list[dict[str, Any]]:
        """The requests that the function has logged, oldest first."""
        found = [each for each in logged(self.world.story.aws, probe(self.world)) if "probe" in each]
        return [each for each in found if stack_id in each["stack"] and kind in ("", each["probe"])]


@Scene
@contextmanager
def provider(world: World) -> Iterator[Provider]:
    # Lambda may invoke it twice more if an asynchronous event fails.
    with scratch(world, with_function(probe(world), CODE)) as made:
        yield Provider(world, made.outputs()["Arn"])


@provider.observes("redelivery-after-a-minute")
def redelivery(held: Provider) -> Seen | None:
    held.world.client("lambda").invoke(FunctionName=probe(held.world), InvocationType="Event", Payload=b"{}")
    seconds_until(lambda: len(held.requests(kind="event")) > 1, 240)
    times = [each["at"] for each in held.requests(kind="event")]
    return Seen(times[1] - times[0] >= 60, f"after {times[1] - times[0]:.0f} s") if len(times) > 1 else None


@provider.observes("second-response-ignored")
def second_response(held: Provider) -> Seen:
    with held.resource("twice", "SUCCESS", "FAILED") as made:
        if seconds_until(lambda: len(held.requests(made.id, "answer")) > 1, 60) == math.inf:
            raise NotSeen("the function did not send both responses")
        status, failures, number = made.status(), made.failures(), made.outputs().get("Number", "none")
    if status != "CREATE_COMPLETE" and not any("a probe" in each for each in failures):
        raise NotSeen(f"{status}: {failures}")
    return Seen(status == "CREATE_COMPLETE" and number == "0",
                f"SUCCESS, then FAILED: {status} with response {number}", failures)


@provider.observes("timed-out-create-gets-delete")
def timed_out(held: Provider) -> Seen | None:
    with held.resource("never") as made:
        seconds_until(lambda: held.requests(made.id, "Delete"), 120)
        creates, deletes = ([each["date"] for each in held.requests(made.id, kind)] for kind in ("Create", "Delete"))
        events = [each["ResourceStatus"] for each in made.events() if each["LogicalResourceId"] == "Resource"]
    # A Delete without a line in the log shows nothing.
    if not creates or (not deletes and "DELETE_IN_PROGRESS" in events):
        return None
    return Seen(bool(deletes) and min(deletes) > creates[0], f"{len(deletes)} Deletes; the resource: {', '.join(events)}",
                [creates, deletes])


@provider.observes("vpc-response-bucket-name")
def response_bucket(held: Provider) -> Seen | None:
    region = held.world.story.aws.region
    expected = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
    urls = [each["host"] + each["path"] for each in held.requests() if each["host"]]
    shown = sorted({(re.findall(r"cloudformation-custom-resource-[\w-]+", url) or ["another one"])[0] for url in urls})
    return Seen(shown == [expected], f"in {region}: {', '.join(shown)}", shown) if shown else None


@provider.observes("rollback-update-carries-old-id")
def request_of_a_rollback(held: Provider) -> Seen | None:
    """The replacement has succeeded, and the next resource has failed."""
    with held.resource("one", "SUCCESS") as made:
        update(made, {"Resources": {"Resource": held.custom("two", "SUCCESS"),
                                    "Then": held.custom("fails", "FAILED", DependsOn="Resource")}})
    # The last one belongs to the deletion of the stack.
    seconds_until(lambda: len(held.requests(made.id, "Delete")) > 2)
    updates = held.requests(made.id, "Update")
    if not updates or not held.requests(made.id, "Delete"):
        return None
    if len(updates) < 2:
        return Seen(False, "the rollback sends no Update")
    last = {name: updates[-1].get(name) for name in ("PhysicalResourceId", "ResourceProperties", "OldResourceProperties")}
    return Seen(last["PhysicalResourceId"] == "one", f"the rollback's Update has the ID {last['PhysicalResourceId']}", last)


@provider.observes("response-url-has-amz-date")
def date_of_response_urls(held: Provider) -> Seen | None:
    dates = [each["date"] for each in held.requests() if each["host"]]
    return Seen(all(dates), f"{len(dates)} response URLs", dates[0]) if dates else None


@observes("one-record-writer")
def last_tag(world: World) -> Seen:
    iam = world.client("iam")
    with user(world) as name:
        for number in range(10):
            iam.tag_user(UserName=name, Tags=[{"Key": "probe", "Value": str(number)}])
        seconds_until(lambda: _tag(iam, name) == "9", 60)
        # A late write of an earlier call would replace it permanently, a late read for seconds.
        seconds_until(lambda: _tag(iam, name) != "9", 10)
        settled = seconds_until(lambda: _tag(iam, name) == "9", 60)
        last = _tag(iam, name)
    if not last:
        raise NotSeen("IAM shows no tag")
    return Seen(settled < math.inf, f"of ten writes the last one remains: {last}", last)


def _tag(iam: Any, name: str) -> str:
    return next((tag["Value"] for tag in iam.list_user_tags(UserName=name)["Tags"]), "")


@observes("tombstone-secret-shown-in-time")
def tombstone(world: World) -> Seen:
    """A tombstone is a secret without a value that is scheduled for deletion."""
    secrets, name = world.client("secretsmanager"), f"{probe(world)}-tombstone"
    try:
        secrets.create_secret(Name=name)
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)

        def is_shown() -> bool:
            with absent_is_fine():
                return bool(secrets.describe_secret(SecretId=name).get("DeletedDate"))
            return False

        took = seconds_until(is_shown, 60)
        # The creation of a child stack takes longer, because of its roles.
        return Seen(took <= 10, f"shown after {took:.1f} s")
    finally:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
