"""One local AWS with two accounts for all tests here, and the two stacks of an environment in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clone.machine import Machine
from tests.clone.scene import Scene
from tests.local.aws import LocalAws


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


@pytest.fixture(scope="session")
def scene(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The environment dev, with a repository that is lent to the instances."""
    scene = Scene(aws, tmp_path_factory.mktemp("scene"))
    scene.push("shop", "main", {"README": "the shop\n"})
    scene.deploy("dev", repositories=["shop"])
    return scene


@pytest.fixture(scope="session")
def first_start(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """An instance of dev after its first start. Tests do not change it."""
    machine = Machine(scene, "dev", tmp_path_factory.mktemp("first-start"))
    started = machine.run_user_data()
    assert started.returncode == 0, started.stderr
    return machine


@pytest.fixture
def machine(scene: Scene, first_start: Machine, tmp_path: Path) -> Machine:
    """A second instance, with the files that the first start of the first one wrote."""
    machine = Machine(scene, "dev", tmp_path)
    machine.become(first_start.configuration())
    return machine
