"""How the API shows users and members, and `GET /personal_access_tokens/self` (lib/api/personal_access_tokens/self_information.rb).

Project and group access tokens are personal access tokens of bot users, so it also answers for them
(https://docs.gitlab.com/api/personal_access_tokens/#self-inform)."""

from __future__ import annotations

import time
from typing import Any

from tests.local.gitlab.records import User
from tests.local.gitlab.rest import Answer, Call, no_record, not_found, time_text
from tests.local.gitlab.state import Instance, Token


def shown(instance: Instance, user: User) -> dict[str, Any]:
    """lib/api/entities/user_basic.rb. No user here is blocked or a bot, or has a public email address."""
    return {"id": user.id, "username": user.username, "name": user.name,
            "state": "active", "avatar_url": None,
            "web_url": f"{instance.url}/{user.username}"}


def by_id(instance: Instance, number: str) -> Answer:
    """lib/api/users.rb and lib/api/entities/user.rb, in part."""
    for user in instance.users:
        if str(user.id) == number:
            return Answer(200, {**shown(instance, user), "bot": False, "public_email": ""})
    raise not_found("User")


def member(call: Call, number: str) -> Answer:
    """lib/api/members.rb (`find_by!`) and lib/api/entities/member.rb, in part. Its tokens make a user a member."""
    held = [each for each in call.instance.tokens if str(each.user.id) == number and each.level(call.project)]
    if not held:
        raise no_record()
    return Answer(200, {**shown(call.instance, held[0].user), "expires_at": None,
                        "access_level": max(each.level(call.project) for each in held)})


def token_information(instance: Instance, token: Token) -> Answer:
    """lib/api/entities/personal_access_token.rb: `expires_at` is a date, or null for a token that does not expire."""
    return Answer(200, {
        "id": token.user.id * 10, "name": token.name, "revoked": token.revoked,
        "created_at": time_text(instance.started), "description": None, "scopes": list(token.scopes),
        "user_id": token.user.id, "last_used_at": time_text(time.time()), "active": True,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None, "last_used_ips": ["127.0.0.1"]})
