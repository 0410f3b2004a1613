"""Every grant that a source in another account needs, so that a test can remove each one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.deployment.two_accounts import OTHER, TwoAccounts

Document = dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """One action that one statement of one policy allows. `image`: for the image's calls, not for the code's."""

    policy: str
    sid: str
    action: str
    image: bool
    read: Callable[[], Document]
    write: Callable[[Document], None]
    index: int

    def __str__(self) -> str:
        return f"{self.policy} {self.sid} {self.action}".replace("  ", " ")

    @contextmanager
    def taken_away(self) -> Iterator[None]:
        whole = self.read()
        rest = copy.deepcopy(whole)
        statement = rest["Statement"][self.index]
        kept = [action for action in as_list(statement["Action"]) if action != self.action]
        if kept:
            statement["Action"] = kept
        else:
            # A policy needs at least one statement. This one names an action that no service has.
            statement["Effect"], statement["Condition"] = "Deny", {"Bool": {"aws:SecureTransport": "never"}}
        self.write(rest)
        try:
            yield
        finally:
            self.write(whole)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def every(scene: TwoAccounts) -> list[Grant]:
    found: list[Grant] = []
    for role in ("codecommit-source", "eventbridge-forward", "ecr-source", "eventbridge-forward-ecr"):
        found += _of_role(scene, f"role-dev-{role}", image="ecr" in role)
    for policy in ("codepipeline-cfn", "codebuild-cfn"):
        found += [grant for grant in _of_managed_policy(scene, f"policy-dev-{policy}")]
    found += _of_bucket(scene) + _of_key(scene) + _of_bus(scene)
    return found


def of_what_is_kept(scene: TwoAccounts) -> dict[str, str]:
    """The policies that remain after the artifacts' stack, and the bus's, as texts."""
    kept = scene.artifacts.outputs()
    return {
        "bucket": scene.aws.client("s3").get_bucket_policy(Bucket=kept["ArtifactBucketName"])["Policy"],
        "key": scene.aws.client("kms").get_key_policy(KeyId=kept["ArtifactKeyArn"], PolicyName="default")["Policy"],
        "event bus": scene.aws.client("events").describe_event_bus(Name="default").get("Policy", ""),
    }


def _grants(policy: str, document: Document, read: Callable[[], Document], write: Callable[[Document], None],
            wanted: Callable[[Document], bool], image: Callable[[Document], bool]) -> list[Grant]:
    return [Grant(policy, statement.get("Sid", ""), action, image(statement), read, write, index)
            for index, statement in enumerate(document["Statement"])
            if statement["Effect"] == "Allow" and wanted(statement)
            for action in as_list(statement["Action"])]


def _of_role(scene: TwoAccounts, role: str, image: bool) -> list[Grant]:
    iam = scene.there.client("iam")

    def trust() -> Document:
        return dict(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])

    def write_trust(document: Document) -> None:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))
        scene.aws.put_iam_into_effect()

    found = _grants(f"trust of {role}", trust(), trust, write_trust, lambda _: True, lambda _: image)
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        def read(name: str = name) -> Document:
            return dict(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])

        def write(document: Document, name: str = name) -> None:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
            scene.aws.put_iam_into_effect()

        found += _grants(role, read(), read, write, lambda _: True, lambda _: image)
    return found


def _of_managed_policy(scene: TwoAccounts, name: str) -> list[Grant]:
    """The statements that were added for other accounts."""
    iam = scene.aws.client("iam")
    arn = f"arn:aws:iam::{scene.aws.account_id}:policy/{name}"
    key_arn = scene.artifacts.outputs()["ArtifactKeyArn"]

    def read() -> Document:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return dict(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])

    def write(document: Document) -> None:
        # "A managed policy can have up to five versions."
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
        scene.aws.put_iam_into_effect()

    def is_of_another_account(statement: Document) -> bool:
        resources = json.dumps(statement["Resource"])
        return OTHER in resources or "crossaccount" in resources or key_arn in resources

    return _grants(name, read(), read, write, is_of_another_account, lambda _: False)


def _of_bucket(scene: TwoAccounts) -> list[Grant]:
    s3, bucket = scene.aws.client("s3"), scene.artifacts.outputs()["ArtifactBucketName"]

    def read() -> Document:
        return dict(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]))

    def write(document: Document) -> None:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))

    return _grants("bucket", read(), read, write, lambda _: True, _is_of_the_image)


def _of_key(scene: TwoAccounts) -> list[Grant]:
    kms, key = scene.aws.client("kms"), scene.artifacts.outputs()["ArtifactKeyArn"]

    def read() -> Document:
        return dict(json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]))

    def write(document: Document) -> None:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))

    # Its first statement cannot be removed: KMS rejects a policy after which no principal could change the key.
    def is_of_another_account(statement: Document) -> bool:
        return OTHER in json.dumps(statement["Principal"])

    return _grants("key", read(), read, write, is_of_another_account, _is_of_the_image)


def _of_bus(scene: TwoAccounts) -> list[Grant]:
    events = scene.aws.client("events")

    def read() -> Document:
        return dict(json.loads(events.describe_event_bus(Name="default")["Policy"]))

    def write(document: Document) -> None:
        events.put_permission(EventBusName="default", Policy=json.dumps(document))

    return _grants("event bus", read(), read, write, lambda _: True, lambda statement: "ecr" in statement["Sid"])


def _is_of_the_image(statement: Document) -> bool:
    return statement["Sid"].startswith("Image")
