"""Certificates for AWS's host names, so that programs with fixed AWS addresses reach this machine over TLS.

`aws codecommit credential-helper` signs only for AWS's hosts, and git-remote-codecommit builds the address
itself.
"""

import ssl
import threading
from pathlib import Path

from tests.local.gitlab.certificates import Authority

_authority = Authority.make("The local AWS")
_directory = Path()
_lock = threading.Lock()
_contexts: dict[str, ssl.SSLContext] = {}


def keep_in(directory: Path) -> Path:
    """Returns the file of the CA that clients have to trust."""
    global _directory
    _directory = directory
    file = directory / "authority.pem"
    file.write_text(_authority.certificate)
    return file


def server_context(host: str) -> ssl.SSLContext:
    with _lock:
        if host not in _contexts:
            _contexts[host] = _authority.server_context(_directory, host)
        return _contexts[host]
