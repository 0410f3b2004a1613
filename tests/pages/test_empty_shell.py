"""The README's five steps in the shell of `make shell EMPTY=1`: as printed, with the differences of its
greeting."""

import os
import subprocess
import sys
from pathlib import Path

from tests import preloaded
from tests.deployment.pages import blocks
from tests.play.steps import ROOT
from tools.run import shell

_COMMANDS = blocks(ROOT / "README.md", heading="## Deploy it")
[_PARAMETERS] = blocks(ROOT / "README.md", "toml", "## Deploy it")
[_TOKEN] = [block for block in _COMMANDS if "create-secret" in block]
_ADDRESS = "$GITLAB_URL"
_STEPS = {step: lines for step, _, lines in shell.steps(_ADDRESS)}
[_APPROVE] = _STEPS["Step 5"]

# Typed by a user: the parameters of the README, and the line of the greeting, into the first table, dev.
_EDIT = """
import os, re
text = open("samconfig.toml").read()
new = os.environ["PARAMETERS"].removesuffix("]\\n") + os.environ["LINE"] + "\\n]\\n"
former = re.search(r"^parameter_overrides = \\[\\n.*?^\\]\\n", text, re.S | re.M)[0]
open("samconfig.toml", "w").write(text.replace(former, new, 1))
"""

_LINE = _STEPS["Step 4"][0].strip().replace('"', '\\"')
_APPROVED = f"""
until echo approve | {_APPROVE}; do sleep 1; done
until aws cloudformation describe-stacks --stack-name cfnstack-dev-infra --output text \\
    --query "Stacks[0].StackStatus" | grep -x CREATE_COMPLETE; do :; done
./cfn-gitops doctor --env dev
./cfn-gitops status --env dev
echo Typed
"""


def typed() -> str:
    """Every command of the section, in its order."""
    lines = ["#!/bin/bash", "set -eu -o pipefail"]
    for block in _COMMANDS:
        if block is _TOKEN:
            lines += [*_STEPS["Step 2"], *_STEPS["Step 3"], f'LINE={_LINE} {sys.executable} -c "$EDIT"']
        else:
            lines.append(f"echo y | {block}" if "sam deploy" in block else block)
    return "\n".join([*lines, _APPROVED])


def test_five_steps_of_the_readme_work_as_printed(tmp_path: Path) -> None:
    # The token's command is the README's, but for the address and the end.
    assert "\n".join(_STEPS["Step 2"]) == _TOKEN.replace("https://gitlab.com", _ADDRESS).partition("    # ")[
        0
    ].rstrip() + (" < gitlab-token")
    program = tmp_path / "typed"
    program.write_text(typed())
    program.chmod(0o755)
    before = {path.name for path in ROOT.iterdir()}
    environment = os.environ | {
        "SHELL": str(program),
        "PATH": f"{preloaded.path()}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "EDIT": _EDIT,
        "PARAMETERS": _PARAMETERS,
        "TMPDIR": str(tmp_path),
        "__SAM_CLI_APP_DIR": str(tmp_path / "sam"),
        "HOME": str(tmp_path),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tools.run.shell", "--empty"],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0 and ran.stdout.splitlines()[-1] == "Typed", ran.stdout
    # Its folder and data are deleted, and nothing is left in the clone.
    assert (
        sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("cfn-gitops-", "local-")))
        == []
    )
    assert {path.name for path in ROOT.iterdir()} == before
