"""The tests see the same machine, even if the shell, the hook of git or the CI job that starts them has
unusual settings."""

import functools
import locale
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import pytest

# npm reaches its registry with the user's proxy and settings: tests/deployment/test_cdk.py.
INHERITED = dict(os.environ)
# The tests' own options, and the places of programs and compilers. Any other variable may change the result
# of a program: AWS_PROFILE, HTTPS_PROXY, GIT_DIR, COLUMNS, PYTHONWARNINGS.
_KEPT = re.compile(
    "PATH|LD_LIBRARY_PATH|TMPDIR|USER|LOGNAME|SCHEDULES|RECORDED_CALLS|PLANTED|DEPLOYMENT_TRANSCRIPTS|DOCS_PYTHON|"
    "PYTHON(DONTWRITEBYTECODE|PYCACHEPREFIX)|RUST(FLAGS|C_WRAPPER|C_WORKSPACE_WRAPPER)|(CARGO|CFN_GITOPS|PYTEST|RUSTUP)_.+"
)
# The user's one may be missing or read-only, or have settings of git and AWS.
_HOME = tempfile.TemporaryDirectory(prefix="home-")


def _inherit_nothing() -> None:
    home = Path.home()
    for name in INHERITED:
        if not _KEPT.fullmatch(name):
            del os.environ[name]
    os.environ |= {"HOME": _HOME.name, "LANG": "C.UTF-8"}
    for name in ("cargo", "rustup"):
        os.environ.setdefault(f"{name.upper()}_HOME", str(home / f".{name}"))
    os.umask(0o022)


_inherit_nothing()


def pytest_configure(config: pytest.Config) -> None:
    """Begins again with an interpreter that has no options: PYTHONOPTIMIZE removes assertions of the tests'
    modules, and PYTHONWARNINGS makes errors of other packages' warnings."""
    if sys.flags.optimize or sys.warnoptions or locale.getpreferredencoding(False).lower() != "utf-8":
        config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
        _HOME.cleanup()
        print("The tests start again, without Python's options.", file=sys.stderr, flush=True)
        kept = {
            name: value
            for name, value in INHERITED.items()
            if _KEPT.fullmatch(name) or not name.startswith(("PYTHON", "LANG", "LC_"))
        }
        os.execve(
            sys.executable,
            [sys.executable, "-m", "pytest", *config.invocation_params.args],
            kept | {"LANG": "C.UTF-8"},
        )
    # Below nohup or in the background of a script, programs would inherit that signals are ignored, and not
    # end as the tests expect. A handler is not inherited.
    for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) == signal.SIG_IGN:
            signal.signal(each, lambda *_: None)


# botocore reads the environment when it is imported.
import botocore.session  # noqa: E402

from tests.local.aws import LocalAws  # noqa: E402

LocalAws.raises_complaints = True
# botocore reads the models of the services for each session, which takes most of the time of a session.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
