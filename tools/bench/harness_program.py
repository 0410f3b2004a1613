"""The program in `tools/bench/harness`, built by Cargo like the tests, so that its dependencies are compiled once."""

import json
import subprocess
from pathlib import Path

from host import ROOT


def built() -> Path:
    build = subprocess.run(
        ["cargo", "build", "--locked", "--quiet", "--profile", "test", "--bench", "harness",
         "--message-format=json-render-diagnostics"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    artifacts = (json.loads(line) for line in build.splitlines())
    return next(Path(artifact["executable"]) for artifact in artifacts
                if artifact["reason"] == "compiler-artifact" and artifact["target"]["kind"] == ["bench"])
