"""Common ancestors and push events."""

from __future__ import annotations

from local.gitlab.conftest import Api, Person, git


def test_merge_base_is_the_common_ancestor(api: Api, person: Person) -> None:
    first = person.pushes("HEAD:main")
    second = person.pushes("HEAD:main")
    git("checkout", "--quiet", "--orphan", "other", at=person.directory)
    unrelated = person.pushes("HEAD:other")

    def base(*refs: str) -> tuple[int, str]:
        answer = api.ask("GET", "/repository/merge_base", params={"refs[]": refs})
        return answer.status_code, answer.json().get("id") or answer.json()["message"]

    assert base("main", first) == base(second, first) == (200, first)
    assert base("main", unrelated) == (404, "404 Merge Base Not Found")
    # GitLab names the last one, also if the first one is missing.
    assert base("main", "0" * 40) == (400, f"Could not find ref: {'0' * 40}")
    assert base("0" * 40, "main") == (400, "Could not find ref: main")
    assert base("main") == (400, "Provide at least 2 refs")


def test_pushes_are_listed_newest_first(api: Api, person: Person) -> None:
    first = person.pushes("HEAD:main")
    second = person.pushes("HEAD:main")
    assert person.push(f"+{first}:main").returncode == 0
    listed = [each["push_data"] for each in api.listed("/events", action="pushed")]
    assert [(each["action"], each["ref"], each["commit_from"], each["commit_to"]) for each in listed] == [
        ("pushed", "main", second, first), ("pushed", "main", first, second), ("created", "main", None, first)]
    assert api.listed("/events", action="commented") == []
