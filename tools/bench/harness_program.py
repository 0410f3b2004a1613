"""The program in `tools/bench/harness`, built by the command of the tests: with another one, Cargo chooses other features
and compiles the workspace again."""

import json
import subprocess
from pathlib import Path

from host import ROOT


def built() -> Path:
    build = subprocess.run(
        ["cargo", "test", "--locked", "--quiet", "--workspace", "--bench", "harness", "--no-run",
         "--message-format=json-render-diagnostics"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    artifacts = (json.loads(line) for line in build.splitlines())
    return next(Path(artifact["executable"]) for artifact in artifacts
                if artifact["reason"] == "compiler-artifact" and artifact["target"]["kind"] == ["bench"])
