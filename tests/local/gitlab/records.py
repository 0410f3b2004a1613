"""The records of a project, except its repository and mirrors: pipelines with their statuses, environments with their
deployments, merge requests with their notes, and the users who created them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class User:
    id: int
    username: str
    name: str


@dataclass
class Status:
    """A job of a pipeline (app/models/commit_status.rb)."""

    id: int
    name: str
    ref: str
    user: User
    created_at: float
    state: str = "created"
    target_url: str | None = None
    description: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    is_retried: bool = False
    # Whether its ref was protected when it was created.
    is_protected: bool = False


@dataclass
class Pipeline:
    """An external pipeline, which a commit status creates (app/models/ci/pipeline.rb)."""

    id: int
    sha: str
    ref: str
    statuses: list[Status] = field(default_factory=list)


@dataclass
class Environment:
    """app/models/environment.rb."""

    id: int
    name: str
    slug: str
    tier: str
    created_at: float
    updated_at: float
    external_url: str | None = None
    state: str = "available"


@dataclass
class Deployment:
    """app/models/deployment.rb."""

    id: int
    iid: int
    environment: Environment
    sha: str
    ref: str
    tag: bool
    user: User
    created_at: float
    status: str


@dataclass
class Note:
    """app/models/note.rb: a comment on a merge request or a commit."""

    id: int
    body: str
    author: User
    created_at: float
    updated_at: float
    # `DiscussionNote` for a note of a thread. None for other notes.
    type: str | None = None


@dataclass
class Discussion:
    id: str
    notes: list[Note]


@dataclass
class MergeRequest:
    """app/models/merge_request.rb."""

    id: int
    iid: int
    title: str
    source_branch: str
    target_branch: str
    author: User
    created_at: float
    # `opened` or `closed`.
    state: str = "opened"
    # The commits of its latest diff, newest first.
    commits: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


@dataclass
class PushEvent:
    """A push of a branch or tag, or of several (app/models/push_event_payload.rb)."""

    id: int
    created_at: float
    user: User
    # `branch` or `tag`.
    ref_type: str
    # `created`, `pushed` or `removed`.
    action: str
    # None for several.
    ref: str | None = None
    # The objects: of an annotated tag, the tag object. None for a new one, and for several.
    commit_from: str | None = None
    # None for a deleted one, and for several.
    commit_to: str | None = None
    # The number of several.
    ref_count: int | None = None


@dataclass
class Records:
    """The records of a project that reports create or read."""

    pipelines: list[Pipeline] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    merge_requests: list[MergeRequest] = field(default_factory=list)
    # The threads of each commit, by its SHA.
    discussions: dict[str, list[Discussion]] = field(default_factory=dict)
    # The oldest first.
    push_events: list[PushEvent] = field(default_factory=list)
