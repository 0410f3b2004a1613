"""CloudTrail's events of a successful push: one for its first request, and one with its references. Those of
a pull, too.

https://docs.aws.amazon.com/codecommit/latest/userguide/integ-cloudtrail.html#integ-cloudtrail-gitpush
"""

import json
import time
import uuid

from ministack.services import cloudtrail

from tests.local.aws.codecommit.git_logins import Caller
from tests.local.aws.codecommit.repositories import Repository
from tests.local.push_commands import Command


def record(
    repository: Repository, name: str, caller: Caller, address: str, agent: str, commands: list[Command]
) -> None:
    """`name` is GitPush or GitPull. `commands` is empty for a pull, a first request, or one that only checks
    the access."""
    references = [{"commit": command.new, "ref": command.reference} for command in commands]
    resource = {"ARN": repository.arn, "accountId": repository.account, "type": "AWS::CodeCommit::Repository"}
    now, event_id = time.time(), str(uuid.uuid4())
    about = {
        "eventVersion": "1.05",
        "eventID": event_id,
        "eventType": "AwsApiCall",
        "eventName": name,
        "eventSource": "codecommit.amazonaws.com",
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "awsRegion": repository.region,
        "recipientAccountId": repository.account,
        "readOnly": not references,
        "userIdentity": {
            "type": "IAMUser",
            "arn": caller.arn,
            "accountId": repository.account,
            "userName": caller.name,
        },
        "sourceIPAddress": address,
        "userAgent": agent,
        "resources": [resource],
        "responseElements": None,
        "requestParameters": {"references": references} if references else None,
        "additionalEventData": {
            "protocol": "HTTP",
            "dataTransferred": bool(references),
            "repositoryName": repository.name,
            "repositoryId": repository.repository_id,
        },
    }
    cloudtrail._get_event_queue().append(
        {
            "EventId": event_id,
            "EventName": name,
            "EventSource": about["eventSource"],
            "EventTime": now,
            "Username": caller.name,
            "AccessKeyId": "",
            "ReadOnly": str(not references).lower(),
            "Resources": [{"ResourceType": resource["type"], "ResourceName": repository.name}],
            "CloudTrailEvent": json.dumps(about, separators=(",", ":")),
        }
    )
