"""`aws` and `sam` as programs that begin with their modules loaded, which takes most of the time of a short
command.

A process per program loads them once and forks for each command. The command gets the arguments, environment,
folder and open files of the program that a test or a shell starts. It then does what the installed one does,
with libyaml.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

import yaml

_INSTALLED = Path(sys.executable).parent
_MODULES = {
    "aws": ["awscli.clidriver"],
    "sam": ["samcli.commands.deploy.deploy_context", "samcli.commands.package.package_context"],
}
# When they are loaded, they set folders below HOME: of the services' models, and of an assumed role's
# credentials.
_READ_THE_ENVIRONMENT = {"awscli", "awscli.customizations.assumerole", "botocore.loaders"}
# Without the site's packages it starts in 10 ms.
_PROGRAM = """#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    server.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    server.sendall(request)
    status = server.recv(1)
sys.exit(status[0] if status else 255)
"""  # noqa: E501


def path(*names: str) -> str:
    """The folders of the programs, or of these alone, for a PATH."""
    for name in names or _MODULES:
        program(name)
    return f"{_directory()}:{_INSTALLED}"


@cache
def program(name: str) -> Path:
    address = f"{_directory()}/{name}.socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        # Pipes: Python would take the position in the command's files from files that the process has here.
        loaded = subprocess.Popen(
            [sys.executable, __file__, name, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    atexit.register(_end, loaded)
    written = _directory() / name
    written.write_text(_PROGRAM.format(python=sys.executable, address=address))
    written.chmod(0o755)
    return written


@cache
def _directory() -> Path:
    made = tempfile.TemporaryDirectory(prefix="preloaded-")
    atexit.register(made.cleanup)
    return Path(made.name)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()
    process.wait()


def _serve(name: str, listening: socket.socket) -> None:
    # Python's parser of YAML took nearly half of the time of `sam deploy`. This one is in C.
    yaml.SafeLoader = yaml.CSafeLoader
    for module in _MODULES[name]:
        importlib.import_module(module)
    gc.freeze()
    # Its input ends with the process that started it.
    while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _run(name, connection)
        connection.close()
        # Their processor time counts as this process's.
        with contextlib.suppress(ChildProcessError):
            while any(os.waitpid(-1, os.WNOHANG)):
                pass


def _run(name: str, connection: socket.socket) -> None:
    """In the forked process: runs the command and sends its exit status."""
    status = 1
    try:
        size, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_LEN(3 * struct.calcsize("i")))
        files = array.array("i", ancillary[0][2])
        with connection.makefile("rb") as request:
            arguments, folder, environment = json.loads(request.read(int.from_bytes(size, "big")))
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for module in _READ_THE_ENVIRONMENT & sys.modules.keys():
            importlib.reload(sys.modules[module])
        sys.argv = [str(_INSTALLED / name), *arguments]
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        # The reader of its output, or the program itself, may have ended.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            connection.sendall(bytes([status & 255]))
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
