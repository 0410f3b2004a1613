"""Concurrent runs of the script and pushes during a run: an older run never reverts a newer one."""

import json

import pytest

from tests.replication.scene import REPLICA_REGION, SOURCE_REGION, Scene, in_region, until


class Events:
    """The replica's events in order: each state that it had."""

    def __init__(self, scene: Scene) -> None:
        there = in_region(scene.aws, REPLICA_REGION)
        self._sqs, events = there.client("sqs"), there.client("events")
        self._queue = self._sqs.create_queue(QueueName=scene.name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
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
def scene(scene: Scene) -> Scene:
    """After a first run."""
    scene.commit("one")
    scene.push("main")
    scene.replicate()
    return scene


def test_older_run_pushing_last_keeps_newer_replica(scene: Scene) -> None:
    events, two = Events(scene), scene.commit("two")
    scene.push("main")
    older = scene.run().held_before("push")  # it has cloned "two"
    three = scene.commit("three")
    scene.push("main", "main:branch-of-three")
    scene.replicate()
    scene.ends_in_step(older.release("push"))
    assert "refs/heads/branch-of-three was changed by another push" in older.log
    assert "retrying" not in older.log  # not a network fault
    assert two not in events.until(three)


def test_older_run_does_not_delete_recreated_branch(scene: Scene) -> None:
    scene.push("main:comes-and-goes")
    scene.replicate()
    scene.push(":comes-and-goes")
    older = scene.run().held_before("push")
    scene.commit("again")
    scene.push("main:comes-and-goes")
    scene.replicate()
    scene.ends_in_step(older.release("push"))


def test_source_push_during_a_run_is_in_the_final_replica(scene: Scene) -> None:
    scene.commit("two")
    scene.push("main")
    run = scene.run().held_before("push")
    scene.commit("three")
    scene.push("main", "main:more")
    scene.ends_in_step(run.release("push"))


def test_concurrent_runs_during_pushes_end_in_step(scene: Scene) -> None:
    runs = []
    for number in range(6):
        scene.commit(f"number {number}")
        scene.push(
            "--force", "main", f"main:branch-{number}", *([f":branch-{number - 2}"] if number > 1 else [])
        )
        if number == 3:
            scene.set_default(SOURCE_REGION, "branch-3")
        if number == 4:
            scene.set_default(SOURCE_REGION, "main")
        runs.append(scene.run().start())  # as each event starts a build
    assert [run.code() for run in runs] == [0] * 6, [run.log for run in runs]
    assert scene.in_step()


def test_constantly_changing_source_is_left_to_the_next_run(scene: Scene) -> None:
    scene.commit("two")
    scene.push("main")
    run = scene.run(ROUNDS="1").held_before("push")
    scene.commit("three")
    scene.push("main")
    assert run.release("push").code() == 1
    assert "not in step after 1 rounds" in run.log
    scene.replicate()
