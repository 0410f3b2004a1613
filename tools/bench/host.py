"""Runs a function in the harness (`tools/bench/harness`): prepares its environment, starts its process, and
returns the record of its events and of the process's resources."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import certifi

from tests.play.local import Authority

ROOT = Path(__file__).parents[2]

# A time limit longer than any step here, also with valgrind on a slow machine.
_PATIENCE = 240


@dataclass(frozen=True)
class Program:
    """The command of a function's process."""

    command: tuple[str, ...]
    directory: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """The record of one process. Times are in seconds since the start, and memory is in bytes."""

    invocations: list[dict]
    # To CloudFormation.
    responses: list[dict]
    credentials: int
    secrets: int
    # Of the process with all its threads.
    processor_seconds: float
    peak_memory: int

    def durations(self) -> list[float]:
        return [one["answered"] - one["delivered"] for one in self.invocations]


class Failed(Exception):
    """The function's result is wrong."""


class Harness:
    def __init__(self, program: Path) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="cfn-gitops-bench-"))
        try:
            self._start(program)
        except BaseException:
            shutil.rmtree(self._directory)
            raise

    def _start(self, program: Path) -> None:
        authority = Authority.make("The benchmark's AWS")
        # As many roots as a usual machine has: a function that reads only one would start too fast.
        self._bundle = self._directory / "bundle.pem"
        self._bundle.write_text(Path(certifi.where()).read_text() + authority.certificate)
        # Debian has a directory with the same roots beside the file. They must not cost twice.
        (self._directory / "roots").mkdir()
        shutil.copyfile(self._bundle, self._directory / "roots" / "copy.pem")
        certificate, key = authority.server_certificate()
        (self._directory / "server.pem").write_text(certificate)
        key_file = self._directory / "server.key"
        key_file.touch(mode=0o600)
        key_file.write_text(key)
        self._process = subprocess.Popen(
            [program, "--certificate", self._directory / "server.pem", "--key", key_file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._read = b""
        self._addresses = self._line()

    def __enter__(self) -> Harness:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._directory)

    def run(
        self,
        program: Program,
        events: list[dict],
        scheme: str = "http",
        latency_ms: int = 0,
        ending: signal.Signals = signal.SIGKILL,
    ) -> Run:
        """Starts the program, passes it the events one after another, and ends it at its next poll."""
        users = sorted({event["ResourceProperties"]["UserName"] for event in events})
        self._write(
            {
                "users": users,
                "latency_ms": latency_ms,
                "events": [event | {"ResponseURL": self._response_url(scheme, event)} for event in events],
            }
        )
        self._line()
        log = self._directory / "function.log"
        with log.open("wb") as output:
            started = time.time_ns()
            process = _start(program, self._environment(scheme), output.fileno())
            try:
                record = self._line()
                memory = _peak_memory(process)
            except (Failed, OSError) as failure:
                raise Failed(
                    f"{' '.join(program.command)}: {failure}\n{log.read_text(errors='replace')}"
                ) from failure
            finally:
                os.kill(process, ending)
                _, _, used = os.wait4(process, 0)
        run = Run(
            invocations=[_since(started, one) for one in record["invocations"]],
            responses=record["responses"],
            credentials=record["credentials"],
            secrets=record["secrets"],
            processor_seconds=used.ru_utime + used.ru_stime,
            peak_memory=memory,
        )
        faults = record["complaints"] + _faults(run, events)
        if faults:
            raise Failed("\n".join([" ".join(program.command), *faults, log.read_text(errors="replace")]))
        return run

    def _environment(self, scheme: str) -> dict[str, str]:
        addresses = self._addresses[scheme]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_LAMBDA_RUNTIME_API": self._addresses["runtime_api"],
            "AWS_LAMBDA_FUNCTION_NAME": "measured",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/measured",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "ASIABENCHMARK",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_SESSION_TOKEN": "benchmark",
            # No contender calls other services.
            "AWS_ENDPOINT_URL": addresses["codecommit"],
            "AWS_ENDPOINT_URL_IAM": addresses["iam"],
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": addresses["secretsmanager"],
            "AWS_ENDPOINT_URL_CODECOMMIT": addresses["codecommit"],
            "SSL_CERT_FILE": str(self._bundle),
            "AWS_CA_BUNDLE": str(self._bundle),
            "SSL_CERT_DIR": str(self._directory / "roots"),
            "BENCH_SCHEME": scheme,
        }

    def _response_url(self, scheme: str, event: dict) -> str:
        signed = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return (
            f"{self._addresses[scheme]['response_bucket']}/arn%3Aaws%3Acloudformation%3Aeu-central-1"
            f"%3A123456789012%3Astack/measured/{event['RequestId']}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Date={signed}&X-Amz-SignedHeaders=host&X-Amz-Expires=7200"
            f"&X-Amz-Credential=ASIABENCHMARK%2F{signed[:8]}%2Feu-central-1%2Fs3%2Faws4_request"
            f"&X-Amz-Signature={'5f7d1a9be0c34482' * 4}"
        )

    def _write(self, value: object) -> None:
        self._process.stdin.write(json.dumps(value).encode() + b"\n")

    def _line(self) -> Any:
        """The next line of the harness's output."""
        deadline = time.monotonic() + _PATIENCE
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self._process.stdout], [], [], max(left, 0))
            if not readable:
                raise Failed("nothing happened for too long")
            read = os.read(self._process.stdout.fileno(), 1 << 20)
            if not read:
                raise Failed("the harness has ended")
            self._read += read
        line, self._read = self._read.split(b"\n", 1)
        return json.loads(line)


def _start(program: Program, environment: dict[str, str], output: int) -> int:
    """A separate process, without the modules and files of this one."""
    place = os.getcwd()
    os.chdir(program.directory)
    try:
        return os.posix_spawn(
            program.command[0],
            program.command,
            environment | program.environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
        )
    finally:
        os.chdir(place)


def event(number: int) -> dict:
    """CloudFormation's Create of one of these resources, with the fewest properties."""
    return {
        "RequestType": "Create",
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:measured",
        "StackId": (
            f"arn:aws:cloudformation:eu-central-1:123456789012:stack/measured/{number:08}-0000-4000-8000-0"
        ),
        "RequestId": f"{number:08}-0000-4000-8000-000000000001",
        "LogicalResourceId": "MirrorCredential",
        "ResourceType": "Custom::MirrorCredential",
        "ResourceProperties": {
            "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:measured",
            "UserName": f"user-dev-{number}",
            "RotationSerial": "1",
        },
    }


def _since(started: int, invocation: dict) -> dict:
    return invocation | {name: (invocation[name] - started) / 1e9 for name in ("delivered", "answered")}


def _faults(run: Run, events: list[dict]) -> list[str]:
    """The faults of a function's result: a fast function that does nothing would win."""
    faults = [one["error"] or "no answer" for one in run.invocations if not one["succeeded"]]
    if len(run.invocations) != len(events):
        faults.append(f"{len(run.invocations)} of {len(events)} events were polled")
    return faults + [
        str(one) for one in run.responses if one["status"] != 200 or one["body"].get("Status") != "SUCCESS"
    ]


def _peak_memory(process: int) -> int:
    """Bytes. `ru_maxrss` would include the process before it executed the function."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
