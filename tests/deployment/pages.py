"""The commands and settings of a page, in the folder in which its reader works."""

import json
import operator
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore

from tests import preloaded
from tests.local.aws import LocalAws
from tests.play.pipelines import Pipeline
from tests.play.steps import BOOTSTRAP, ROOT, sam_settings, template_with

# The content of the pictures of tools/docs/pictures.py.
RECORDED = Path(__file__).with_name("recorded.json")
_OF_PAGES = r"https://gitlab\.(example\.)?com"


def blocks(page: Path, language: str = "sh", heading: str = "") -> list[str]:
    """The code blocks of the page, or of the section with this heading, without their indentation."""
    text = page.read_text()
    if heading:
        text = text.split(f"\n{heading}\n")[1].split(f"\n{heading.split()[0]} ")[0]
    return [
        textwrap.dedent(block)
        for _, block in re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    ]


def project_table(*lines: str, of_gitlab: bool = True) -> str:
    """The table of docs/how-to/add-a-project.md, with more lines of parameters."""
    table, *_ = blocks(ROOT / "docs/how-to/add-a-project.md", "toml")
    if not of_gitlab:
        table = re.sub(r'    "GitLab.*\n', "", table)
    return "\n".join((table.removesuffix("]\n"), *lines, "]\n"))


def loop_over_projects(role_arn: str = "") -> str:
    """The file of docs/how-to/add-a-project.md, with this role of deployments or without one."""
    loop, _ = blocks(ROOT / "docs/how-to/add-a-project.md", heading="## Many projects")
    kept, count = re.subn(
        r"( *--role-arn) .*( \\\n)",
        lambda found: f"{found[1]} {role_arn}{found[2]}" if role_arn else "",
        loop,
    )
    assert count == 1
    return kept


def clone(directory: Path) -> Path:
    """The files that `sam` reads in a clone after `cargo lambda build`."""
    function = directory / "target/lambda/cfn-gitops"
    function.mkdir(parents=True)
    shutil.copy(BOOTSTRAP, function / "bootstrap")
    for file in (template_with(BOOTSTRAP, function), ROOT / "samconfig.toml"):
        shutil.copy(file, directory)
    (directory / "templates").symlink_to(ROOT / "templates")
    return directory


class Folder:
    """A shell in a clone or in a release folder, for one account. It uses the local GitLab instead of that of
    the pages."""

    def __init__(
        self, aws: LocalAws, directory: Path, scratch: Path, gitlab_url: str = "", **variables: str
    ) -> None:
        self.directory, self._gitlab_url = directory, gitlab_url
        self._environment = {
            **aws.environment(),
            **sam_settings(scratch),
            "HOME": str(scratch),
            "COLUMNS": "200",
            "PATH": f"{preloaded.path()}:/usr/bin:/bin",
            **variables,
        }
        _look_at_stacks_each_second(scratch)

    def run(self, command: str, typed: str = "", fails: bool = False) -> str:
        adapted = re.sub(_OF_PAGES, self._gitlab_url, command)
        ran = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", adapted],
            cwd=self.directory,
            input=typed,
            text=True,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert (ran.returncode != 0) == fails, f"{adapted}\n{ran.stdout}"
        return ran.stdout

    def write_table(self, shown: str) -> None:
        """A project's table at the end of samconfig.toml, instead of that of the same name."""
        path, (name, _, _) = self.directory / "samconfig.toml", shown.partition("\n")
        adapted = re.sub(_OF_PAGES, self._gitlab_url, shown)
        path.write_text(f"{path.read_text().partition(name)[0].rstrip()}\n\n{adapted}")

    def deploy(self, shown: str, fails: bool = False) -> str:
        """A project, with its table."""
        self.write_table(shown)
        return self.run(
            f"sam deploy --config-env {shown[1:].partition('.')[0]} --no-progressbar", fails=fails
        )

    def write_parameters(self, table: str, shown: str, **more: str) -> None:
        """Writes the `parameter_overrides` that a page shows into a table of samconfig.toml, with more
        lines."""
        path = self.directory / "samconfig.toml"
        before, name, after = path.read_text().partition(f"[{table}.deploy.parameters]\n")
        added = "".join(f"    '''{key}=\"{value}\"''',\n" for key, value in more.items())
        new = shown.removesuffix("]\n") + added + "]\n"
        written, count = re.subn(
            r"^parameter_overrides = \[\n.*?^\]\n",
            lambda _: new,
            after,
            count=1,
            flags=re.DOTALL | re.MULTILINE,
        )
        assert count == 1, table
        path.write_text(before + name + written)


def compare_recorded(name: str, value: list[Any], matches: Callable[[Any, Any], bool] = operator.eq) -> None:
    """Compares a picture's content with the value of this run. `CFN_GITOPS_WRITE_PAGES=1` writes it
    instead."""
    recorded = json.loads(RECORDED.read_text())
    if "CFN_GITOPS_WRITE_PAGES" in os.environ:
        items = {
            key: ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in items)
            for key, items in sorted({**recorded, name: value}.items())
        }
        RECORDED.write_text(
            "{\n" + ",\n".join(f' "{key}": [\n  {lines}\n ]' for key, lines in items.items()) + "\n}\n"
        )
    else:
        assert matches(recorded[name], value), f"{name}: {value}"


def as_shop(text: str, project: Pipeline, commit: str) -> list[str]:
    """The lines that a reader sees, with the names of the pages and always the same IDs."""
    text = re.sub(
        r"\]\(https?://[^)]+\)",
        "](…)",
        text.replace(project.project_id, "shop").replace(commit[:8], "1df42edf"),
    )
    text = re.sub(r"/shop/[0-9a-f]{16}\b", "/shop/90fb448c11a22cad", text)
    return [line for line in text.splitlines() if line and not line.startswith("<!--")]


# The table dev as it is in the repository.
OF_DEV = 'parameter_overrides = [\n    "EnvID=dev",\n]\n'


def _look_at_stacks_each_second(home: Path) -> None:
    """`aws cloudformation wait` looks every 30 s. botocore reads the user's own models first."""
    name = "cloudformation/2010-05-15/waiters-2.json"
    waiters = json.loads((Path(botocore.__file__).parent / "data" / name).read_text())
    for waiter in waiters["waiters"].values():
        waiter["delay"] = 1
    own = home / ".aws/models" / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(json.dumps(waiters))
