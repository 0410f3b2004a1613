"""Several accounts with their stacks: evaluates a call with all policies together."""

import json
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from tests.local.policies.evaluation import Caller, decide
from tests.local.policies.statements import as_list
from tests.policies.collected import ADMINISTRATOR, Policy


def allows_the_account(account, action="*"):
    """A resource's policy that leaves the decision to the account's own policies."""
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@cache
def aws_managed(name):
    """An AWS managed policy."""
    return json.loads((Path(__file__).parent / "aws_managed" / f"{name}.json").read_text())


def _without(text, part):
    return text.replace(part, "", 1), part in text


@dataclass(frozen=True)
class World:
    policies: tuple[Policy, ...]
    buckets: tuple = ()  # (ARN, account): the only ARN without an account
    boundaries: tuple = ()  # (ARN of a user or role, document)

    @cached_property
    def _own(self):
        found = {}
        for policy in self.policies:
            for arn in policy.principals:
                found.setdefault(arn, []).append(policy.document)
            if policy.side == "trust":
                found.setdefault(policy.resource, [])
        return found

    @cached_property
    def _of_resources(self):
        """Several statements on one bus or function form one policy."""
        found = {}
        for policy in self.policies:
            if policy.side in ("resource", "trust"):
                found.setdefault(policy.resource, []).extend(as_list(policy.document["Statement"]))
        return {arn: {"Version": "2012-10-17", "Statement": statements} for arn, statements in found.items()}

    @cached_property
    def controls(self):
        return tuple(policy.document for policy in self.policies if policy.side == "control")

    def caller(self, name):
        """Resolves the caller of a row:

        - a service's name;
        - the ARN of a role or user that a stack created (any other ARN is an error, and so is a
          principal without permissions), or `<a user's ARN> in <a group's ARN>`;
        - `anybody <ARN>`: a principal with all permissions that its own account can grant;
        - `<ARN> with everything`: a stack's role or user that an administrator gave all permissions;
        - `<ARN> with deployed services`: the same with the policies of templates/deployed-services.yaml;
        - `<ARN> with PowerUserAccess`: the same with one of the policies in aws_managed/;
        - `<ARN> under the boundary`: a role that a pipeline created, with all permissions that its boundary
          allows;
        - followed by ` under control`: in an account that the service control policies are attached to.
        """
        if name.endswith(".amazonaws.com"):
            return Caller(service=name)
        name, controlled = _without(name, " under control")
        name, deployed = _without(name, " under the boundary")
        name, _, given = name.partition(" with ")
        arn, is_anybody = _without(name, "anybody ")
        arn, _, group = arn.partition(" in ")
        account, rest = arn.split(":", 5)[4:]
        kind, _, short = rest.partition("/")
        levels = ((ADMINISTRATOR,), (ADMINISTRATOR, *self.controls)) if controlled else ()
        if kind == "root":
            return Caller(account=account, identity=None, control_policies=levels)
        documents, boundary = [], None
        if deployed:
            (boundary,) = (policy.document for policy in self.policies if policy.side == "boundary")
            documents = [ADMINISTRATOR]
        elif not is_anybody:
            known = group or arn
            assert known in self._own, f"{known} is not created by a stack"
            documents, boundary = self._own[known], dict(self.boundaries).get(known)
        if given == "deployed services":
            documents = [*documents, *(policy.document for policy in self.policies if policy.side == "added")]
        elif is_anybody or given:
            documents = [
                *documents,
                ADMINISTRATOR if is_anybody or given == "everything" else aws_managed(given),
            ]
        return Caller(
            account=account,
            **{kind: short},
            identity=tuple(documents),
            boundary=boundary,
            control_policies=levels,
        )

    def session(self, arn, policy):
        """A session of a role that a stack created, with a session policy."""
        return replace(self.caller(arn), session_policies=(policy,))

    def may(self, caller, action, resource, keys=None):
        who = self.caller(caller) if isinstance(caller, str) else caller
        owner = self.owner(resource)
        if owner in ("", "aws"):
            # A list call lists the caller's own account. AWS's own resources, such as its
            # transforms, belong to every account whose policies allow the call.
            owner = who.account
        return decide(who, action, resource, owner, self._policy(action, resource, owner), keys)

    def own_policies_allow(self, caller, action, resource, keys=None):
        """Whether the caller's own policies allow the call, on a resource that the caller's whole account may
        use."""
        who = self.caller(caller)
        owner = {"aws:ResourceAccount": self.owner(resource) or who.account}
        return decide(
            who, action, resource, who.account, allows_the_account(who.account), {**owner, **(keys or {})}
        )

    def owner(self, resource):
        for bucket, account in self.buckets:
            if resource == bucket or resource.startswith(f"{bucket}/"):
                return account
        # No owner: a bucket that no stack creates, or not a single resource.
        return resource.split(":", 5)[4] if resource != "*" else ""

    def _policy(self, action, resource, owner):
        if resource.startswith("arn:aws:s3:::"):
            return self._of_resources.get(resource.split("/")[0])
        if resource in self._of_resources:
            return self._of_resources[resource]
        # A role that no stack creates trusts its whole account, as many roles do. So does a key with the
        # default policy: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        return (
            allows_the_account(owner, action)
            if action == "sts:AssumeRole" or action.startswith("kms:")
            else None
        )

    def with_(self, old, document):
        """The same accounts with another document in the place of `old`'s."""
        changed = tuple(
            replace(old, document=document) if policy is old else policy for policy in self.policies
        )
        return World(changed, self.buckets, self.boundaries)
