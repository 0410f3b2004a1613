"""IAM users' tags, where MiniStack differs from AWS."""

from xml.sax.saxutils import escape

from ministack.services import iam

from tests.local.aws import tag_rules


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
                return iam._error(
                    409, "LimitExceeded", f"Cannot exceed quota for TagsPerUser: {tag_rules.LIMIT}"
                )
        return ministack_tag_user(params)

    iam._tag_user = tag_user
    iam._IAM_HANDLERS["TagUser"] = tag_user
    iam._IAM_HANDLERS["ListUserTags"] = _list_user_tags


def _list_user_tags(params: dict) -> tuple:
    """Like AWS: paginated with Marker and MaxItems, and escaped."""
    name = iam._p(params, "UserName")
    user = iam._users.get(name)
    if not user:
        return iam._error(404, "NoSuchEntity", f"The user with name {name} cannot be found.")
    tags = sorted(user["Tags"], key=lambda tag: tag["Key"])
    start, most = int(iam._p(params, "Marker") or 0), int(iam._p(params, "MaxItems") or 100)
    page, more = tags[start : start + most], start + most < len(tags)
    members = "".join(
        f"<member><Key>{escape(tag['Key'])}</Key><Value>{escape(tag['Value'])}</Value></member>"
        for tag in page
    )
    marker = f"<Marker>{start + most}</Marker>" if more else ""
    return iam._xml(
        200,
        "ListUserTagsResponse",
        f"<ListUserTagsResult><Tags>{members}</Tags>"
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{marker}</ListUserTagsResult>",
    )
