"""The rules for tags that IAM and Secrets Manager share.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html,
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Tag.html: a key has 1 to 128 of these
characters, a value 0 to 256. JSON and comma-separated lists are rejected.
"""

import re

# "Tags per user: 50" https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, and "Tags
# per secret: 50" https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
LIMIT = 50
_ALLOWED = re.compile(r"[\w \u00a0.:/=+\-@]*")


def fault(tags: list[dict[str, str]]) -> str | None:
    """The text of AWS's validation. `None` if the tags are valid."""
    for number, tag in enumerate(tags, 1):
        for part, most in (("key", 128), ("value", 256)):
            text = tag.get(part.capitalize(), "")
            if len(text) > most or not _ALLOWED.fullmatch(text):
                return (
                    f"1 validation error detected: Value at 'tags.{number}.member.{part}' failed to satisfy "
                    f"constraint: at most {most} of letters, digits, spaces and _.:/=+-@"
                )
    return None


def is_reserved(tags: list[dict[str, str]]) -> bool:
    """Only CloudFormation's handlers, which call the same functions as the API, may set its own tags."""
    return any(
        tag["Key"].lower().startswith("aws:") and not tag["Key"].startswith("aws:cloudformation:")
        for tag in tags
    )
