"""Schedules the runs of a mirror, and updates its state.

app/workers/repository_update_remote_mirror_worker.rb and app/services/projects/update_remote_mirror_service.rb, with
threads for Sidekiq's jobs, and timers for delayed ones.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from tests.local.gitlab import mirror_push, mirror_urls
from tests.local.gitlab.state import Instance, Mirror, Project

# update_remote_mirror_service.rb: `tries < MAX_TRIES` is retried, and the first try is number 0.
MAX_TRIES = 3
# Sidekiq's concurrency.
_MIRRORS_AT_ONCE = 4


@dataclass
class Run:
    """A recorded run of a mirror, for tests."""

    project: str
    mirror_id: int
    user: str | None
    started: float
    ended: float = 0.0
    succeeded: bool = False
    error: str = ""


class Runs:
    def __init__(self, instance: Instance) -> None:
        self.recorded: list[Run] = []
        self._instance = instance
        self._pool = ThreadPoolExecutor(_MIRRORS_AT_ONCE, thread_name_prefix="mirror")
        self._timers: set[threading.Timer] = set()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._at_hand = 0
        self._changed = threading.Condition()
        self._stopped = False

    # --- requests for a run ------------------------------------------------------------

    def project_was_pushed_to(self, project: Project) -> None:
        """`update_remote_mirrors` of app/workers/post_receive.rb (formerly of
        app/services/git/process_ref_changes_service.rb). Its marking of stuck mirrors is not implemented."""
        for mirror in list(project.mirrors):
            self.sync(project, mirror)

    def sync(self, project: Project, mirror: Mirror) -> None:
        """app/models/remote_mirror.rb, `sync`: at once, or delayed if the last run started recently."""
        with self._instance.changes:
            if not self._instance.is_enabled(mirror):
                return
            delay = self._instance.backoff_delay(mirror)
            began = mirror.last_update_started_at
            is_put_off = began is not None and began >= time.time() - delay
        self._perform(project, mirror, time.time(), 0, after=delay if is_put_off else 0.0)

    # --- the job -----------------------------------------------------------------------

    def _perform(self, project: Project, mirror: Mirror, scheduled: float, tries: int, after: float) -> None:
        with self._changed:
            if self._stopped:
                return
            if after > 0:
                timer = threading.Timer(after, lambda: self._due(timer, project, mirror, scheduled, tries))
                timer.daemon = True
                self._timers.add(timer)
                timer.start()
            else:
                self._hand_over(project, mirror, scheduled, tries)

    def _due(self, timer: threading.Timer, project: Project, mirror: Mirror, scheduled: float, tries: int) -> None:
        with self._changed:
            self._timers.discard(timer)
            if not self._stopped:
                self._hand_over(project, mirror, scheduled, tries)

    def _hand_over(self, project: Project, mirror: Mirror, scheduled: float, tries: int) -> None:
        self._at_hand += 1
        self._pool.submit(self._work, project, mirror, scheduled, tries)

    def _work(self, project: Project, mirror: Mirror, scheduled: float, tries: int) -> None:
        try:
            if mirror.is_deleted or _updated_since(mirror, scheduled):
                return
            with mirror.running:
                if not mirror.is_deleted and not _updated_since(mirror, scheduled):
                    self._update(project, mirror, tries)
        finally:
            with self._changed:
                self._at_hand -= 1
                self._changed.notify_all()

    def _update(self, project: Project, mirror: Mirror, tries: int) -> None:
        instance = self._instance
        with instance.changes:
            if not instance.is_enabled(mirror):
                return
            mirror.update_status, mirror.last_update_started_at = "started", time.time()
            order = mirror_push.Order.of(project, mirror)
        run = Run(project.path, mirror.id, mirror.credentials.user, time.time())
        self.recorded.append(run)
        try:
            divergent = mirror_push.carry_out(order, project, self._goes_on.wait)
        except mirror_push.CommandError as error:
            run.ended, run.error = time.time(), str(error)
            self._retry_or_fail(project, mirror, run.error, tries)
            return
        run.ended, run.succeeded = time.time(), not divergent
        with instance.changes:
            if divergent:
                run.error = "\n\n".join(["Some refs have diverged and have not been updated on the remote:",
                                         "\n".join(divergent)])
                _fail(mirror, run.error)
            else:
                mirror.update_status, mirror.last_error = "finished", None
                mirror.last_update_at = mirror.last_successful_update_at = run.ended

    def _retry_or_fail(self, project: Project, mirror: Mirror, message: str, tries: int) -> None:
        with self._instance.changes:
            if tries >= MAX_TRIES:
                _fail(mirror, message)
                return
            mirror.update_status, mirror.last_error = "to_retry", mirror_urls.sanitized(message, mirror.credentials)
            delay = self._instance.backoff_delay(mirror)
        # The retry is ordered one second ahead: otherwise the failed run would count as the later one
        # (`schedule_retry`). Here the delays may be shorter than that second.
        self._perform(project, mirror, time.time() + min(1.0, delay), tries + 1, after=delay)

    # --- for tests ---------------------------------------------------------------------

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block, runs wait between reading the remote and pushing to it."""
        self._goes_on.clear()
        try:
            yield
        finally:
            self._goes_on.set()

    def are_quiet(self) -> bool:
        """Whether no run is active or waits for its time."""
        with self._changed:
            return self._at_hand == 0 and not self._timers

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
        self._goes_on.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _updated_since(mirror: Mirror, scheduled: float) -> bool:
    """app/models/remote_mirror.rb, `updated_since?`: a run that started later has also done this one's work."""
    return (mirror.update_status != "failed" and mirror.last_update_started_at is not None
            and mirror.last_update_started_at > scheduled)


def _fail(mirror: Mirror, message: str) -> None:
    """`hard_fail!` and `mark_as_failed!`: both end in `send_failure_notifications`, which sets the time."""
    mirror.update_status, mirror.last_error = "failed", mirror_urls.sanitized(message, mirror.credentials)
    mirror.last_update_at = time.time()
