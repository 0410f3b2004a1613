"""The process of the local AWS: `python -m tests.local.aws.serve DIRECTORY ACCOUNT REGION`.

It writes its addresses to DIRECTORY/ready.json. It exits when its standard input is closed, so it never
outlives the process that started it.
"""

import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

import yaml

from tests.local.aws import partition

# MiniStack, imported later, derives its loader from this one. In C, parsing takes a tenth of the time.
yaml.SafeLoader = yaml.CSafeLoader


def main() -> None:
    directory, account, region = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    # MiniStack reads its environment when it is imported, so set it first.
    os.environ.update(
        {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": account,
            "MINISTACK_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "0",
            "LAMBDA_EXECUTOR": "local",
        }
    )
    partition.install(region)
    asyncio.run(_serve(directory, listener, f"http://127.0.0.1:{port}"))


async def _serve(directory: Path, listener: socket.socket, endpoint: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from tests.local.aws import certificates, http_entry, patches
    from tests.local.aws.codebuild import commands as build_commands
    from tests.local.aws.codecommit import git_over_http, repositories

    git = git_over_http.start()
    git_url = f"http://127.0.0.1:{git.server_address[1]}"
    repositories.keep_in(directory / "repositories", git_url)
    authority = certificates.keep_in(directory)
    patches.install(endpoint)
    # The garbage collector need not visit the loaded modules.
    gc.freeze()

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    threading.Thread(target=_wait_for_the_end_of_input, args=(loop, stop), daemon=True).start()

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    written = directory / "ready.json.new"
    written.write_text(
        json.dumps({"endpoint_url": endpoint, "git_url": git_url, "authority": str(authority)})
    )
    written.rename(directory / "ready.json")
    await serve(http_entry.app, config, shutdown_trigger=stop.wait)
    git.shutdown()
    build_commands.end_all()
    # Do not join MiniStack's worker threads: some may wait for a function that never responds.
    sys.stdout.flush()
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


def _wait_for_the_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    main()
