"""Runs the function once with an event, as Lambda would, and prints its result: what CloudFormation would receive.

    python -m tools.run.invoke events/create.json

The result is on standard output, and the function's log on standard error. The environment variables select the AWS that
it calls: an account's, or a local one (`make shell`).
"""

import argparse
import contextlib
import difflib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from cli.account import name_the_region_for_all
from cli.ending import Failure, entry
from cli.output import BOLD, DIM, in_colour, shown_json
from cli.terminal import shown, visible, write, write_shown

ROOT = Path(__file__).parents[2]
# More than the function's own limit on Lambda.
_INVOCATION_SECONDS = 1800
_SILENCE_SECONDS = 10
# Lambda's Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. `_` is the package's only function.
_PATH = "/2015-03-31/functions/_/invocations"
# cargo's and cargo-lambda's own lines among those of the function.
_OF_CARGO = (" INFO ", "    Finished ", "     Running ")
# The fields that identify the event are the same in each record. docs/reference/log-fields.yaml has all fields.
_OF_EACH_RECORD = {"timestamp", "level", "message", "target", "elapsed_ms", "lambda_request", "request", "request_type",
                   "resource_type", "stack", "logical_id", "environment", "step"}
# The function's error if no program listens at the response's address.
_NOBODY_LISTENS = {"message": "the response was not delivered",
                   "error": "no program of this machine listens at the response address"}


def event_file(given: str) -> Path:
    """Ends the program with a list of the examples if this is not a file with JSON."""
    try:
        json.loads(Path(given).read_text())
    except (OSError, ValueError) as error:
        events = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "events").glob("*.json"))
        near = difflib.get_close_matches(given, events, 1)
        listed = textwrap.fill(" ".join(events), 96, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        why = error.strerror if isinstance(error, OSError) else error
        problem = f"EVENT={visible(given)} is not a file with an event: {visible(why)}." if given else "EVENT is empty."
        sys.exit(f"{problem}{f' Did you mean {near[0]}?' if near else ''} The examples are:\n{listed}")
    return Path(given).absolute()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment() -> dict[str, str]:
    """Sets access keys from a profile or a login: the function reads them from its environment, as on Lambda."""
    name_the_region_for_all()
    session = boto3.Session()
    found = dict(os.environ)
    if session.region_name:
        found["AWS_REGION"] = session.region_name
    credentials = session.get_credentials()
    if credentials is None:
        write("no AWS credentials: the output shows the function's response to that", to=sys.stderr)
        return found
    frozen = credentials.get_frozen_credentials()
    found |= {"AWS_ACCESS_KEY_ID": frozen.access_key, "AWS_SECRET_ACCESS_KEY": frozen.secret_key}
    if frozen.token:
        found["AWS_SESSION_TOKEN"] = frozen.token
    return found


def compile_function() -> None:
    """Compiles it with visible progress, so that the invocation's time is the function's own."""
    if not shutil.which("cargo"):
        raise Failure("there is no cargo", "Install Rust with rustup: https://rustup.rs")
    # As `make run` does: cargo shows its bar with --quiet too, and only its warnings and errors in a log.
    bar = {"CARGO_TERM_PROGRESS_WHEN": "always", "CARGO_TERM_PROGRESS_WIDTH": "80"} if sys.stderr.isatty() else {}
    status = subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, env=os.environ | bar, check=False).returncode
    if status:
        raise Failure(f"the function is not compiled: `cargo build` ended with status {status}", "Follow its message")


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as attempt:
            attempt.settimeout(1)
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("`cargo lambda watch` did not start")


def result_of(event: Path, port: int) -> Any:
    """The function's result, or its error in Lambda's form."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{_PATH}", data=event.read_bytes())
    # Ignores the machine's proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_INVOCATION_SECONDS) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as failed:
        return json.loads(failed.read())
    except OSError as error:
        raise Failure(f"the function did not answer: {error}", "Its log shows the reason") from error


@contextlib.contextmanager
def showing_that_it_waits() -> Iterator[None]:
    """Within the block, a line after each ten seconds. `cargo lambda watch` sends no answer if the function has crashed."""
    began, ended = time.monotonic(), threading.Event()

    def show_the_wait() -> None:
        while not ended.wait(_SILENCE_SECONDS):
            show(f"... waiting for the function's answer ({time.monotonic() - began:.0f} s). Ctrl-C ends it and shows its log",
                 DIM)

    thread = threading.Thread(target=show_the_wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def show_result(result: Any) -> int:
    """Returns the exit status: a response to CloudFormation is a success even if it reports a failure."""
    members = result if isinstance(result, dict) else {}
    heading, status = "The function's result. CloudFormation receives nothing for this event:", 0
    if "errorType" in members:
        heading, status = "The function failed:", 1
    elif {"Status", "RequestId", "LogicalResourceId"} <= members.keys():
        heading = "CloudFormation would receive:"
    show(heading, BOLD)
    write(*shown_json(result).split("\n"))
    return status


def show_log(log: str, as_json: bool) -> None:
    """One line for each record, with time, level, message and the fields that are its own."""
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(_OF_CARGO)
             and not is_of_the_runtime(line)]
    show("The function's log:", BOLD)
    for line in lines:
        show(line if as_json else readable(line), DIM)


def readable(line: str) -> str:
    """The line itself if it is not a record, as after a crash."""
    try:
        record = json.loads(line)
        time_of_day, level, message = record["timestamp"][11:23], record["level"], record["message"]
    except (ValueError, KeyError, TypeError):
        return line
    if all(record.get(name) == text for name, text in _NOBODY_LISTENS.items()):
        return f"{time_of_day} INFO  as expected, no CloudFormation listens at the event's address"
    if message == "step":
        return f"{time_of_day} {level:5} {record.get('step')}: {record.get('outcome')}"
    own = [f"{name}={value}" for name, value in record.items() if name not in _OF_EACH_RECORD]
    return " ".join([f"{time_of_day} {level:5} {message}", *own])


def is_of_the_runtime(line: str) -> bool:
    """Whether it is the warning of lambda_runtime about a variable that `cargo lambda watch` sets, or the error with which
    the function ends if that has ended before it."""
    is_warning = '"lambda_runtime::runtime"' in line and '"message":"AWS_LAMBDA_MAX_CONCURRENCY ' in line
    return is_warning or line.startswith("Error: hyper_util::client::legacy::Error(Connect, ")


def show(text: str, style: str) -> None:
    """Writes to standard error, so that standard output has the result alone."""
    styled = f"\033[{style}m{shown(text)}\033[0m" if in_colour() and sys.stderr.isatty() else shown(text)
    write_shown(styled.rstrip() + "\n", sys.stderr)


@entry("The function is stopped")
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("event", nargs="?", default="")
    parser.add_argument("--json-log", action="store_true", help="show the records of the log as they are")
    given = parser.parse_args()
    try:
        event, port = event_file(given.event), free_port()
    except SystemExit as ended:
        write(*str(ended).split("\n"), to=sys.stderr)
        return 1
    variables = environment()
    compile_function()
    with tempfile.TemporaryFile() as log:
        watch = subprocess.Popen(
            ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)],
            cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_until_listening(port, watch)
            # No program listens at the event's address, so the result is the response.
            with showing_that_it_waits():
                result = result_of(event, port)
            return show_result(result)
        finally:
            # The function is its child. Neither is left if it did not start.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(watch.pid, signal.SIGTERM)
            watch.wait()
            log.seek(0)
            show_log(log.read().decode(errors="replace"), given.json_log)


if __name__ == "__main__":
    sys.exit(main())
