"""Common ancestors and push events. `tests/rules` has the errors."""

from __future__ import annotations

from local.gitlab.conftest import Api, Person


def test_merge_base_is_the_common_ancestor(api: Api, person: Person) -> None:
    first = person.pushes("HEAD:main")
    second = person.pushes("HEAD:main")
    for refs in (["main", first], [second, first]):
        assert api.ask("GET", "/repository/merge_base", params={"refs[]": refs}).json()["id"] == first


def test_pushes_are_listed_newest_first(api: Api, person: Person) -> None:
    first = person.pushes("HEAD:main")
    second = person.pushes("HEAD:main")
    assert person.push(f"+{first}:main").returncode == 0
    listed = [each["push_data"] for each in api.listed("/events", action="pushed")]
    assert [(each["action"], each["ref"], each["commit_from"], each["commit_to"]) for each in listed] == [
        ("pushed", "main", second, first), ("pushed", "main", first, second), ("created", "main", None, first)]
    assert api.listed("/events", action="commented") == []
