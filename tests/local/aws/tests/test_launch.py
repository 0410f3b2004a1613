"""Start and stop of the local AWS."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.local.aws import LocalAws
from tests.local.aws.testing import eventually


def test_listens_on_loopback_only_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with LocalAws() as aws:
        urls = [urlsplit(aws.endpoint_url), urlsplit(aws.git_url)]
        assert {url.hostname for url in urls} == {"127.0.0.1"}
        assert listening_addresses(aws) == {"127.0.0.1"}
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    for url in urls:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=1)


def test_server_ends_with_its_parent_process(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.local.aws import LocalAws; import time; aws = LocalAws().__enter__(); "
            "print(aws.endpoint_url, flush=True); time.sleep(60)",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    url = urlsplit(starter.stdout.readline().strip())
    assert list(tmp_path.iterdir())
    starter.kill()
    starter.wait()
    eventually(lambda: list(tmp_path.iterdir()), lambda files: files == [])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=1)


def listening_addresses(aws: LocalAws) -> set[str]:
    """The addresses on which the process listens, from Linux's /proc."""
    assert aws._process
    links = [
        os.readlink(entry) for entry in Path(f"/proc/{aws._process.pid}/fd").iterdir() if entry.is_symlink()
    ]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address = fields[1].split(":")[0]
                found.add(
                    ".".join(str(part) for part in reversed(bytes.fromhex(address)))
                    if table == "tcp"
                    else address
                )
    return found


def test_its_programs_do_not_see_the_machines_own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "x")
    environment = LocalAws().environment()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environment.keys()
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_exchange_that_differs_from_the_models_fails_its_test() -> None:
    signed_for = "Credential=123456789012/20261128/eu-central-1/secretsmanager/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 {signed_for}, SignedHeaders=host, Signature=0",
        "X-Amz-Target": "secretsmanager.ListSecrets",
        "Content-Type": "application/x-amz-json-1.1",
    }
    with (
        pytest.raises(AssertionError, match='ListSecrets: Unknown parameter in input: "Other"'),
        LocalAws() as aws,
    ):
        urlopen(Request(aws.endpoint_url, b'{"Other": 1}', headers)).read()
