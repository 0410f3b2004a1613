"""The program in `tools/bench/harness`, built by the command of the tests in the Makefile: with other
features, or without clippy's driver, Cargo would compile the workspace again."""

import json
import os
import subprocess
from pathlib import Path

from tools.bench.host import ROOT


def built() -> Path:
    build = subprocess.run(
        [
            "cargo",
            "test",
            "--locked",
            "--quiet",
            "--workspace",
            "--bench",
            "harness",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"RUSTC_WORKSPACE_WRAPPER": "clippy-driver", "CLIPPY_ARGS": "-Dwarnings"},
    ).stdout
    artifacts = (json.loads(line) for line in build.splitlines())
    return next(
        Path(artifact["executable"])
        for artifact in artifacts
        if artifact["reason"] == "compiler-artifact" and artifact["target"]["kind"] == ["bench"]
    )
