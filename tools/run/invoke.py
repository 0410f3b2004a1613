"""Runs the function once with an event, as Lambda would, and prints what CloudFormation would receive.

    python -m tools.run.invoke events/create.json

The environment variables select the AWS that it calls: an account's, or a local one (`make shell`).
"""

import difflib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import boto3

from cli.account import name_the_region_for_all
from cli.ending import entry
from cli.terminal import visible, write

ROOT = Path(__file__).parents[2]
# The first invocation waits for the function to be compiled.
_COMPILE_SECONDS = 1800


def event_file(given: str) -> Path:
    """Ends the program with a list of the examples if this is not a file with JSON."""
    try:
        json.loads(Path(given).read_text())
    except (OSError, ValueError) as error:
        events = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "events").glob("*.json"))
        near = difflib.get_close_matches(given, events, 1)
        listed = textwrap.fill(" ".join(events), 96, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        why = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"EVENT={visible(given)} is not a file with an event: {visible(why)}."
                 f"{f' Did you mean {near[0]}?' if near else ''} The examples are:\n{listed}")
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


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as attempt:
            attempt.settimeout(1)
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("`cargo lambda watch` did not start")


@entry("The function is stopped")
def main() -> int:
    try:
        event, port = event_file(sys.argv[1]), str(free_port())
    except SystemExit as ended:
        write(*str(ended).split("\n"), to=sys.stderr)
        return 1
    # Compiled first, with visible output, so that the invocation's time is the function's own.
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    watch = subprocess.Popen(
        ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", port],
        cwd=ROOT, env=environment(), stdout=sys.stderr, start_new_session=True)
    try:
        wait_until_listening(int(port), watch)
        # No program listens at the event's address, so the result is the response.
        return subprocess.run(
            ["cargo", "lambda", "invoke", "--data-file", event,
             "--invoke-address", "127.0.0.1", "--invoke-port", port],
            cwd=ROOT, timeout=_COMPILE_SECONDS, check=False).returncode
    finally:
        # The function is its child.
        os.killpg(watch.pid, signal.SIGTERM)
        watch.wait()


if __name__ == "__main__":
    sys.exit(main())
