"""A local GitLab for tests and `make run`. Its rules are those of `tests/fake-aws`, and a mirror runs the
real `git push`.

    with local_gitlab.running(protected_delay=0.5) as gitlab:
        project = gitlab.project("platform/infra")
        project.protect("development")
        # git push to project.url, with gitlab.token for the password; the API at gitlab.url, with the same token

`launch` is the interface for tests. Requests and answers are compared with what others define or
recorded (`tests/witnesses`). `gitlab.complaints` lists the differences. README.md lists the missing parts.
"""  # noqa: E501

from tests.local.gitlab.launch import HeldProject, LocalGitLab

running = LocalGitLab

__all__ = ["HeldProject", "LocalGitLab", "running"]
