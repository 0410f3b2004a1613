"""Observers of Secrets Manager's rotation: a secret of their own, whose function fails as the secret's name states."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tools.trial.observers import NotSeen, Seen, World
from tools.trial.observers.scenes import Scene, arn_of, error_of, scratch, with_function
from tools.trial.observers.sources import allows, logged, probe, seconds_until

# How long a reattempt may take. AWS documents no interval.
_REATTEMPT_SECONDS = 420
# createSecret stores the pending version. setSecret fails always, or only the first time: a label of the version is its
# memory.
CODE = """
import boto3, json, time

def handler(event, context):
    secrets = boto3.client("secretsmanager")
    step, token, arn = event["Step"], event["ClientRequestToken"], event["SecretId"]
    print(json.dumps({"probe": step, "token": token, "secret": arn, "at": time.time(), "request": context.aws_request_id}))
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if step == "createSecret":
        secrets.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString="next", VersionStages=["AWSPENDING"])
    if step == "setSecret" and "always" in arn:
        raise RuntimeError("this step always fails")
    if step == "setSecret" and "TRIED" not in stages.get(token, []):
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="TRIED", MoveToVersionId=token)
        raise RuntimeError("this step fails once")
    if step == "finishSecret":
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                            RemoveFromVersionId=current)
"""


def template(name: str) -> dict[str, Any]:
    secret = {"Type": "AWS::SecretsManager::Secret"}
    return with_function(
        name, CODE, allows(
            "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
            resource={"Fn::Sub": f"arn:${{AWS::Partition}}:secretsmanager:*:*:secret:{name}-*"}),
        Permission={"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": arn_of("Function"), "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com", "SourceAccount": {"Ref": "AWS::AccountId"}}},
        Once=secret | {"Properties": {"Name": f"{name}-once", "SecretString": "first"}},
        Always=secret | {"Properties": {"Name": f"{name}-always", "SecretString": "first"}})


@dataclass
class Rotating:
    """Two secrets whose rotations have begun: the first one fails once, the other one always."""

    world: World
    arn: str

    @property
    def secrets(self) -> Any:
        return self.world.client("secretsmanager")

    def id(self, which: str) -> str:
        return f"{probe(self.world)}-{which}"

    def rotate(self, which: str, at_once: bool = True, days: int = 30) -> None:
        self.secrets.rotate_secret(SecretId=self.id(which), RotationLambdaARN=self.arn, RotateImmediately=at_once,
                                   RotationRules={"AutomaticallyAfterDays": days})

    def calls(self, which: str, step: str) -> list[dict[str, Any]]:
        """The calls of this step, oldest first. Lambda's own retry of a call has the ID of the first one."""
        own = [each for each in logged(self.world.story.aws, probe(self.world))
               if each.get("probe") == step and self.id(which) in each["secret"]]
        return list({each["request"]: each for each in own[::-1]}.values())[::-1]

    def pending(self, which: str) -> str:
        """The version with AWSPENDING, which is not current. Empty if there is none."""
        versions = self.secrets.describe_secret(SecretId=self.id(which))["VersionIdsToStages"]
        return next((version for version, labels in versions.items()
                     if "AWSPENDING" in labels and "AWSCURRENT" not in labels), "")

    def is_enabled(self, which: str) -> bool:
        return bool(self.secrets.describe_secret(SecretId=self.id(which)).get("RotationEnabled"))


@Scene
@contextmanager
def rotating(world: World) -> Iterator[Rotating]:
    with scratch(world, template(probe(world))) as made:
        held = Rotating(world, made.outputs()["Arn"])
        for which in ("once", "always"):
            held.rotate(which)
        seconds_until(lambda: all(held.calls(which, "setSecret") for which in ("once", "always")), 120)
        yield held


@rotating.observes("rotation-reattempt-same-version")
def reattempt(held: Rotating) -> Seen | None:
    seconds_until(lambda: len(held.calls("once", "setSecret")) > 1, _REATTEMPT_SECONDS)
    calls = held.calls("once", "setSecret")
    tokens = {each["token"] for each in calls}
    return Seen(len(tokens) == 1, f"{len(calls)} calls with {len(tokens)} tokens") if len(calls) > 1 else None


@rotating.observes("rotation-pending-blocks-schedule")
def changed_schedule(held: Rotating) -> Seen | None:
    pending = held.pending("always")
    if not pending:
        return None
    first = error_of(lambda: held.rotate("always", at_once=False, days=31))
    held.secrets.update_secret_version_stage(
        SecretId=held.id("always"), VersionStage="AWSPENDING", RemoveFromVersionId=pending)
    later = error_of(lambda: held.rotate("always", at_once=False, days=32))
    others = [each for each in (first, later) if any(each) and not _is_pending(*each)]
    if others or held.pending("always") == pending:
        raise NotSeen(f"{others or 'AWSPENDING was not removed'}")
    return Seen(any(first) and not any(later), f"pending: {first[1] or 'accepted'}; later: {later[1] or 'accepted'}",
                [first, later])


def _is_pending(code: str, message: str) -> bool:
    return code == "InvalidRequestException" and "previous rotation" in message


@rotating.observes("rotation-enabled-tells-reattempt")
def enabled(held: Rotating) -> Seen:
    """The former reattempts show how long the next one may take."""
    if not held.pending("always"):
        held.rotate("always")
        seconds_until(lambda: held.pending("always"), 60)
    calls = held.calls("always", "setSecret")
    gaps = [later["at"] - one["at"] for one, later in zip(calls, calls[1:], strict=False) if one["token"] == later["token"]]
    if not gaps or not held.pending("always"):
        raise NotSeen("there was no reattempt, or no pending version")
    before = held.is_enabled("always")
    held.secrets.cancel_rotate_secret(SecretId=held.id("always"))
    after = held.is_enabled("always")
    # A call within seconds had begun before, and the log is late.
    seconds_until(lambda: False, 30)
    known = len(held.calls("always", "setSecret"))
    continued = seconds_until(lambda: len(held.calls("always", "setSecret")) > known, 2 * max(gaps) + 60) < math.inf
    return Seen(before and not after and not continued,
                f"RotationEnabled is {before}, after CancelRotateSecret {after}; reattempted: {continued}")
