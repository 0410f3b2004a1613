"""The observer of the Serverless Application Repository."""

from __future__ import annotations

import json

from observers import Seen, World, observes
from observers.scenes import allows, error_of, role_of
from observers.sources import probe

# With the statement that the row is about. A private application needs neither a license nor a README.
TEMPLATE = {"Resources": {"Role": role_of({"Service": "lambda.amazonaws.com"}, allows("s3:*", effect="Deny"))}}


@observes("published-template-with-deny")
def published_template(world: World) -> Seen | None:
    client, made = world.client("serverlessrepo"), []
    code, message = error_of(lambda: made.append(client.create_application(
        Name=probe(world), Author="probe", Description="A probe", SemanticVersion="0.0.1",
        TemplateBody=json.dumps(TEMPLATE))["ApplicationId"]))
    for application_id in made:
        client.delete_application(ApplicationId=application_id)
    if code not in ("", "BadRequestException"):
        return None
    return Seen(not code, f"CreateApplication: {code or 'accepted'} {message}".strip(), message)
