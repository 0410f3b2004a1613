"""IAM users' tags, where MiniStack differs from AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import iam
from ministack.services.cloudformation import provisioners

from local.aws import tag_rules
from local.aws.settings import settings


def install() -> None:
    ministack_tag_user = iam._tag_user

    def tag_user(params: dict) -> tuple:
        user = iam._users.get(iam._p(params, "UserName"))
        if fault := tag_rules.fault(iam._extract_tags(params)):
            return iam._error(400, "ValidationError", fault)
        if tag_rules.is_reserved(iam._extract_tags(params)):
            return iam._error(400, "InvalidInput", "Invalid tag key: the prefix aws: is reserved")
        if user:
            held = {iam._identity_tag_key(tag["Key"]) for tag in user["Tags"]}
            added = {iam._identity_tag_key(tag["Key"]) for tag in iam._extract_tags(params)}
            if len(held | added) > tag_rules.LIMIT:
                return iam._error(409, "LimitExceeded", f"Cannot exceed quota for TagsPerUser: {tag_rules.LIMIT}")
        return ministack_tag_user(params)

    iam._tag_user = tag_user
    iam._IAM_HANDLERS["TagUser"] = tag_user
    iam._IAM_HANDLERS["ListUserTags"] = _list_user_tags
    table = provisioners._RESOURCE_HANDLERS["AWS::IAM::User"]
    table["update"] = _replacing_tags(table["update"])


def _replacing_tags(ministack_update: Callable[..., Any]) -> Callable[..., Any]:
    """The update handler's permissions in its schema include iam:ListUserTags. So it may compare the template's and the
    stack's tags with all tags of the user, and remove those that others added. Its behaviour is not documented.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeType.html, for AWS::IAM::User
    """

    def update(physical_id: str, old: dict, new: dict, *more: Any, **named: Any) -> Any:
        answer = ministack_update(physical_id, old, new, *more, **named)
        if settings.user_updates_remove_other_tags and old.get("Tags") != new.get("Tags"):
            kept = {iam._identity_tag_key(tag["Key"]) for tag in new.get("Tags") or []}
            user = iam._users[physical_id]
            user["Tags"] = [tag for tag in user["Tags"] if iam._identity_tag_key(tag["Key"]) in kept]
        return answer

    return update


def _list_user_tags(params: dict) -> tuple:
    """Like AWS: paginated with Marker and MaxItems, and escaped."""
    name = iam._p(params, "UserName")
    user = iam._users.get(name)
    if not user:
        return iam._error(404, "NoSuchEntity", f"The user with name {name} cannot be found.")
    tags = sorted(user["Tags"], key=lambda tag: tag["Key"])
    start, most = int(iam._p(params, "Marker") or 0), int(iam._p(params, "MaxItems") or 100)
    page, more = tags[start:start + most], start + most < len(tags)
    members = "".join(f"<member><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></member>"
                      for tag in page)
    marker = f"<Marker>{start + most}</Marker>" if more else ""
    return iam._xml(200, "ListUserTagsResponse",
                    f"<ListUserTagsResult><Tags>{members}</Tags>"
                    f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{marker}</ListUserTagsResult>")
