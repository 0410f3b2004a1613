"""Settings of an instance's administrator, and differences between GitLab's versions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Settings:
    # How soon after a run's start the next one may start: an earlier sync is delayed until then. GitLab's are one and
    # five minutes (app/models/remote_mirror.rb: PROTECTED_BACKOFF_DELAY, UNPROTECTED_BACKOFF_DELAY).
    protected_delay: float = 60.0
    unprotected_delay: float = 300.0
    # doc/administration/silent_mode: the instance sends nothing. app/models/remote_mirror.rb: every mirror is shown,
    # and treated, as disabled.
    silent_mode: bool = False
    # Maintenance mode, or a secondary site: requests other than GET are rejected, and redirected if they are not of the
    # type JSON (lib/gitlab/middleware/read_only/controller.rb).
    read_only: bool = False
    # A proxy removes the paging headers of each full page. GitLab itself sends no header of some lists
    # (https://github.com/gitlabhq/gitlabhq/issues/10040), and no total above 10,000 elements.
    proxy_drops_paging_headers: bool = True
    # "Allow mirrors to be set up for projects". app/policies/project_policy.rb: without it, only an administrator has
    # `admin_remote_mirror`. app/models/project.rb (`remote_mirror_available?`): no mirror runs.
    mirror_available: bool = True
    # Since the change of issue gitlab-org/gitlab#603810, GitLab rejects two mirrors of one project with the same URL,
    # also with different logins. It also rejects a mirror to the project itself. spec/models/remote_mirror_spec.rb,
    # "url uniqueness" and "self-referencing url".
    urls_are_unique: bool = True
    # The number of mirrors of a project that may be enabled (app/models/remote_mirror.rb, MAX_MIRRORS_PER_PROJECT;
    # spec/models/remote_mirror_spec.rb, "validate_mirror_count"). The limit is of about February 2026, 18.9 or 18.10
    # (https://gitlab.com/gitlab-org/gitlab/-/merge_requests/221965); None is a version before it.
    max_enabled_mirrors: int | None = 10
    # `mirror_branch_regex` needs Premium (ee/lib/ee/api/helpers/remote_mirrors_helpers.rb). Otherwise the parameter is
    # unknown, and dropped like every unknown one.
    premium: bool = True
    # Whether GitLab protects the new default branch of a project
    # (app/services/projects/protect_default_branch_service.rb, application setting `default_branch_protection`).
    protects_the_default_branch: bool = True
