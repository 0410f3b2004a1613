"""Start and stop, TLS, the record of requests, and responses that a test sets."""

import socket
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.local import gitlab as local_gitlab
from tests.local.gitlab import HeldProject, LocalGitLab
from tests.local.gitlab.conftest import Api, Person, Target


def test_listens_on_loopback_only_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with local_gitlab.running(tls=True) as gitlab:
        url = urlsplit(gitlab.url)
        assert (url.scheme, url.hostname) == ("https", "127.0.0.1")
        gitlab.project("a/b")
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=1)


def test_over_tls_its_own_authority_has_to_be_trusted(tmp_path: Path, target: Target) -> None:
    """An idle connection does not block the others."""
    with (
        local_gitlab.running(tls=True, protected_delay=0.2, unprotected_delay=0.2) as gitlab,
        socket.create_connection(("127.0.0.1", int(urlsplit(gitlab.url).port or 0))),
    ):
        project = gitlab.project("platform/infra")
        api = Api(gitlab, project.path)
        with pytest.raises(requests.exceptions.SSLError):
            api.ask("GET", "/remote_mirrors")
        trusted = tmp_path / "ca.pem"
        trusted.write_text(gitlab.ca_certificate or "")
        api.session.verify = str(trusted)
        mirror = api.created(target.with_login(), enabled=True)
        person = Person(tmp_path / "work", gitlab, project)
        person.commit()
        assert person.push().returncode != 0
        assert person.push(GIT_SSL_CAINFO=str(trusted)).returncode == 0
        api.until(mirror, "finished")
        assert gitlab.complaints == []


def test_form_is_rejected_without_a_fault_of_the_server(
    api: Api, gitlab: LocalGitLab, project: HeldProject
) -> None:
    assert api.ask("POST", "/protected_branches", data={"name": "dev"}).status_code == 415
    assert "dev" not in project.protected() and gitlab.complaints == []


def test_only_matching_requests_get_the_response_instead(
    api: Api, gitlab: LocalGitLab, project: HeldProject
) -> None:
    gitlab.answers_instead(
        429, 1, "Retry later\n", {"Retry-After": "7"}, method="POST", path=r"/protected_branches$"
    )
    assert api.ask("GET", "/protected_branches").status_code == 200
    limited = api.ask("POST", "/protected_branches", json={"name": "dev"})
    assert (limited.status_code, limited.text, limited.headers["Retry-After"]) == (429, "Retry later\n", "7")
    assert "dev" not in project.protected()
    assert [(seen.token, seen.status) for seen in gitlab.requests] == [
        ("the maintainer", 200),
        ("the maintainer", 429),
    ]
    assert api.ask("POST", "/protected_branches", json={"name": "dev"}).status_code == 201


def test_written_status_is_recorded(api: Api, gitlab: LocalGitLab, person: Person) -> None:
    commit = person.pushes()
    assert (
        api.ask("POST", f"/statuses/{commit}", json={"state": "failed", "name": "build"}).status_code == 201
    )
    assert (
        api.ask("POST", f"/statuses/{'0' * 40}", json={"state": "failed", "name": "build"}).status_code == 404
    )
    assert api.ask("GET", f"/repository/commits/{commit}/statuses").status_code == 200
    assert api.ask("POST", "/protected_branches", json={"name": "dev"}).status_code == 201
    [written] = [seen.written for seen in gitlab.requests if seen.written]
    assert (written["sha"], written["name"], written["status"]) == (commit, "build", "failed")
