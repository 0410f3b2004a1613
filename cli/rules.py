"""The function's names and rules, from the file that `cargo test --test schemas` writes."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

RULES: dict[str, Any] = json.loads(resources.files(__package__).joinpath("rules.json").read_text("utf-8"))
PIPELINES: dict[str, Any] = RULES["pipelines"]
# Those of a freeze: that of the approval in a pipeline without a change set, and the deployment's.
STAGES = APPROVAL, _ = PIPELINES["frozen_stages"]


def name_of(thing: str, env_id: str, project_id: str = "") -> str:
    """The name of a thing of the environment. Without a project, the beginning of the names of all its
    projects."""
    return _filled(PIPELINES["names"][thing], env_id, project_id)


def event_rules(env_id: str, project_id: str = "") -> dict[str, str]:
    """The names of a project's event rules, by what they pass: a push, a push of the image, or one to a
    review branch."""
    return {kind: _filled(scheme, env_id, project_id) for kind, scheme in PIPELINES["event_rules"].items()}


def _filled(scheme: str, env_id: str, project_id: str) -> str:
    return scheme.replace("${EnvID}", env_id).replace("${ProjectID}", project_id)
