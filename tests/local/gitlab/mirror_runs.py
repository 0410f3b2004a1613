"""Carries out the pushes of mirrors: the emulator schedules them, and records how they ended."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.local.gitlab import mirror_push
from tests.local.gitlab.emulator import Emulator

# Sidekiq's concurrency.
_MIRRORS_AT_ONCE = 4
_LOOKS_EVERY = 0.02


@dataclass
class Run:
    project: str
    mirror_id: int
    error: str = ""


class Runs:
    def __init__(self, emulator: Emulator) -> None:
        self.recorded: list[Run] = []
        self._emulator = emulator
        self._pool = ThreadPoolExecutor(_MIRRORS_AT_ONCE, thread_name_prefix="mirror")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mirrors", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stopped.wait(_LOOKS_EVERY):
            for begun in self._emulator.execute("begun"):
                self._pool.submit(self._push, mirror_push.Order(**begun))

    def _push(self, order: mirror_push.Order) -> None:
        run, divergent, error = Run(order.path, order.mirror), [], None
        self.recorded.append(run)
        try:
            divergent = mirror_push.carry_out(order, self._emulator.repositories[order.project])
        except mirror_push.CommandError as failure:
            error = run.error = str(failure)
        if divergent:
            run.error = f"diverged: {divergent}"
        self._emulator.execute("ended", mirror=order.mirror, error=error, diverged=divergent)

    def wait_until_quiet(self, seconds: float = 30.0) -> None:
        """Until no mirror runs or waits for its time."""
        deadline = time.monotonic() + seconds
        while not self._emulator.execute("is_quiet"):
            if time.monotonic() > deadline:
                raise AssertionError("mirrors still run")
            time.sleep(_LOOKS_EVERY)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
