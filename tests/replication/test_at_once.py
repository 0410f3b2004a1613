"""Concurrent runs of the script and pushes during a run: an older run never reverts a newer one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.replication.scene import REPLICA_REGION, SOURCE_REGION, Scene, client, until


class Events:
    """The replica's events in order: each state that it had."""

    def __init__(self, scene: Scene) -> None:
        self._sqs, events = client(scene.aws, "sqs", REPLICA_REGION), client(scene.aws, "events", REPLICA_REGION)
        self._queue = self._sqs.create_queue(QueueName=scene.name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=scene.name, EventPattern=json.dumps({"resources": [scene.replica["Arn"]]}))
        events.put_targets(Rule=scene.name, Targets=[{"Id": "queue", "Arn": arn}])
        self._seen: list[str | None] = []

    def until(self, commit: str) -> list[str | None]:
        """The commits of `main` up to this one, with the other references' changes."""
        until(lambda: not self._receive() and commit in self._seen)
        return self._seen

    def _receive(self) -> bool:
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            detail = json.loads(message["Body"])["detail"]
            if detail["referenceName"] == "main":
                self._seen.append(detail.get("commitId"))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(found)


@pytest.fixture
def pushed(scene: Scene) -> Iterator[Scene]:
    scene.commit("one")
    scene.push("main")
    scene.replicate()
    yield scene


def test_older_run_pushing_last_keeps_newer_replica(pushed: Scene) -> None:
    scene, events = pushed, Events(pushed)
    two = scene.commit("two")
    scene.push("main")
    older = scene.run().hold("push").start()
    until(lambda: older.is_held("push"))  # it has cloned "two"
    three = scene.commit("three")
    scene.push("main", "main:branch-of-three")
    scene.replicate()
    older.release("push")
    assert older.code() == 0, older.log
    assert scene.in_step()
    assert "was changed by another push" in older.log
    assert "retrying" not in older.log  # not a network fault
    assert two not in events.until(three)


def test_older_run_keeps_branch_seen_only_by_newer_run(pushed: Scene) -> None:
    scene = pushed
    scene.push("main:first")
    older = scene.run().hold("push").start()
    until(lambda: older.is_held("push"))
    scene.push("main:second")
    scene.replicate()
    older.release("push")
    assert older.code() == 0, older.log
    assert scene.in_step()
    assert "refs/heads/second was changed by another push" in older.log


def test_older_run_does_not_delete_recreated_branch(pushed: Scene) -> None:
    scene = pushed
    scene.push("main:comes-and-goes")
    scene.replicate()
    scene.push(":comes-and-goes")
    older = scene.run().hold("push").start()
    until(lambda: older.is_held("push"))
    scene.commit("again")
    scene.push("main:comes-and-goes")
    scene.replicate()
    older.release("push")
    assert older.code() == 0, older.log
    assert scene.in_step()


def test_source_push_during_a_run_is_in_the_final_replica(pushed: Scene) -> None:
    scene = pushed
    scene.commit("two")
    scene.push("main")
    run = scene.run().hold("push").start()
    until(lambda: run.is_held("push"))
    scene.commit("three")
    scene.push("main", "main:more")
    run.release("push")
    assert run.code() == 0, run.log
    assert scene.in_step()


def test_concurrent_runs_during_pushes_end_in_step(pushed: Scene) -> None:
    scene = pushed
    runs = []
    for number in range(6):
        scene.commit(f"number {number}")
        scene.push("--force", "main", f"main:branch-{number}", *([f":branch-{number - 2}"] if number > 1 else []))
        if number == 3:
            scene.set_default(SOURCE_REGION, "branch-3")
        if number == 4:
            scene.set_default(SOURCE_REGION, "main")
        runs.append(scene.run().start())  # as each event starts a build
    assert [run.code() for run in runs] == [0] * 6, [run.log for run in runs]
    assert scene.in_step()


def test_constantly_changing_source_is_left_to_the_next_run(pushed: Scene) -> None:
    scene = pushed
    scene.commit("two")
    scene.push("main")
    run = scene.run(ROUNDS="1").hold("push").start()
    until(lambda: run.is_held("push"))
    scene.commit("three")
    scene.push("main")
    run.release("push")
    assert run.code() == 1
    assert "not in step after 1 rounds" in run.log
    scene.replicate()
