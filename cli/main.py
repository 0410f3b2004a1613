"""The arguments of `cfn-gitops`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.environment import samconfig
from cli.environment.account import Environment, connect, region_unread_by_sam
from cli.shell import command, spelling
from cli.shell.command import cfn_gitops
from cli.shell.ending import ended
from cli.shell.failure import Failure, WrongUse
from cli.shell.output import Output
from cli.shell.terminal import loss, write, write_shown

# In the order of an environment's life.
COMMANDS = (
    "check",
    "status",
    "doctor",
    "failures",
    "approve",
    "reject",
    "undo",
    "freeze",
    "thaw",
    "leave",
    "undeploy",
)
_STATUS = (
    "Exit status: 0, 1 after a finding, a failure or a refused prompt, 2 after wrong use, 3 if it could not"
    " look at something, 130 after an interrupt."
)
_VARIABLE = "CFN_GITOPS_ENV"
# In the release the build writes the version there.
_VERSION = Path(__file__).with_name("VERSION")


# Words of other tools. Each leads to its counterpart here.
_HABITS = {
    "-o": "--json",
    "--output": "--json",
    "--format": "--json",
    "--config-env": "--env",
    "--pre": "`check` without an option",
    "-v": "--version",
    "version": "--version",
    "help": "--help",
    **dict.fromkeys(("deploy", "install", "bootstrap"), "`sam deploy --config-env dev`, after `check`"),
    **dict.fromkeys(
        ("delete", "remove", "destroy", "uninstall"), "undeploy, or leave, which keeps the projects"
    ),
    **dict.fromkeys(("get", "list", "ls", "describe", "show"), "status"),
    **dict.fromkeys(("revert", "rollback", "redeploy"), "undo"),
    **dict.fromkeys(("stop", "pause"), "freeze"),
    **dict.fromkeys(("resume", "unfreeze"), "thaw"),
    **dict.fromkeys(("logs", "events", "why", "explain"), "failures"),
}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Wraps the prose at the terminal's width. The lines of a table or of examples, which are indented,
    stay."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            each if "\n " in f"\n{each}" else textwrap.fill(each, width, break_on_hyphens=False)
            for each in text.split("\n\n")
        )


class Parser(argparse.ArgumentParser):
    """Wrong use is status 2, with the closest known word. Options have their full names: an abbreviation of
    --delete-bucket deletes nothing."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, allow_abbrev=False, formatter_class=_Help)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Rejects an unknown argument with the options of its subcommand, which calls this. Those of the
        whole are others."""
        given, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return given, unknown

    def error(self, message: str) -> Any:
        words = [
            word for action in self._actions for word in (*action.option_strings, *(action.choices or ()))
        ]
        found = re.search(r"(?:invalid choice: '|unrecognized arguments: )([^' ]+)", message)
        given = found[1] if found else ""
        hint = (
            f". Did you mean {_HABITS[given]}?" if given in _HABITS else spelling.did_you_mean(given, words)
        )
        usage = f"Usage: {self.usage % {'prog': self.prog}}. " if self.usage and "required" in message else ""
        raise WrongUse(
            f"{self.prog}: {message}{hint}",
            f"{usage}Its arguments and examples: `{cfn_gitops(*self.prog.split()[1:], '--help')}`",
        )

    def _print_message(self, message: str, file: Any = None) -> None:
        # The reader of a pipe may have ended.
        write_shown(message, file)


def parser() -> Parser:
    """Each subcommand's arguments. Its module has the rest."""
    whole = Parser(
        prog="cfn-gitops",
        description="Checks, shows and changes the environments of cfn-gitops in an AWS account.",
        epilog=(
            f"Options follow the command. `cfn-gitops COMMAND --help` shows them, and examples.\n\n{_STATUS}"
        ),
    )
    whole.add_argument("-V", "--version", action="version", version=version())
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"cli.commands.{name}")
        first, _, rest = inspect.cleandoc(
            module.__doc__ or "Removed by PYTHONOPTIMIZE. See docs/reference/commands.md."
        ).partition("\n\n")
        examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
        subcommand = commands.add_parser(
            name,
            help=" ".join(first.split()).rstrip("."),
            description=f"{first}\n\n{rest}",
            epilog=f"examples:\n{examples}\n\n{_STATUS}",
        )
        common = subcommand.add_argument_group("environment")
        common.add_argument(
            "--env",
            default="",
            metavar="NAME",
            help=(
                f"a table of samconfig.toml (default: dev, or {_VARIABLE}, which counts neither for leave and"
                " undeploy nor with --yes). Without the file, the EnvID, with --region"
            ),
        )
        common.add_argument(
            "--profile",
            default="",
            metavar="NAME",
            help="a profile of ~/.aws/config (default: that of samconfig.toml, or AWS_PROFILE)",
        )
        common.add_argument(
            "--region",
            default="",
            metavar="NAME",
            help="an AWS region (default: that of samconfig.toml, AWS_REGION, or the profile's)",
        )
        common.add_argument(
            "--config-file",
            type=_file,
            default=samconfig.FILE,
            metavar="FILE",
            help="default: samconfig.toml in this folder",
        )
        common.add_argument("--json", action="store_true", help="write one JSON document instead of text")
        if hasattr(module, "add_arguments"):
            module.add_arguments(subcommand)
    return whole


def _file(given: str) -> Path:
    if not given:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(given)


def version() -> str:
    return f"cfn-gitops {_VERSION.read_text().strip() if _VERSION.is_file() else '(of a clone)'}"


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output("--json" in words)
    if Path(sys.argv[0]).name == "cfn-gitops":
        is_on_path = shutil.which("cfn-gitops") == sys.argv[0]
        command.start_as("cfn-gitops" if is_on_path else sys.argv[0])

    def run() -> int:
        if not words:
            parser().print_help(sys.stderr)
            return WrongUse.status
        if words[0].startswith("--") and len(words) > 1:
            raise WrongUse(
                f"{words[0]} stands before the command",
                f"Options follow it, as in `{cfn_gitops('status', '--env', 'dev')}`",
            )
        given = parser().parse_args(words)
        module = importlib.import_module(f"cli.commands.{given.command}")
        variable = "" if given.env else _environment(given)
        try:
            settings = samconfig.read(given.env or variable, given.config_file, given.region)
        except WrongUse as error:
            if not variable:
                raise
            raise WrongUse(f"{_VARIABLE} is {variable}: {error.problem}", error.remedy) from error
        env_id = settings.env_id
        profile, region = given.profile or settings.text("profile"), given.region or settings.text("region")
        file = "" if given.config_file == samconfig.FILE else str(given.config_file)
        # sam runs in the folder of the release.
        command.select("aws", profile=profile, region=region)
        command.select(
            "sam",
            profile=given.profile,
            region=given.region or ("" if region else region_unread_by_sam()),
            config_file=file and str(given.config_file.resolve()),
        )
        command.select("cfn-gitops", profile=given.profile, region=given.region, config_file=file)
        account = connect(profile, region)
        output.place(account.id, account.region, env_id, variable and f" ({_VARIABLE})")
        return int(module.run(Environment(settings, account), given, output))

    try:
        status = ended(run, output.changes.after_interrupt, output.failure)
    except Exception as defect:
        output.document["error"] = {
            "problem": f"a defect of cfn-gitops: {type(defect).__name__}",
            "remedy": "Report it",
        }
        raise
    except SystemExit:
        # After --help or --version.
        if not loss():
            raise
        status = 0
    finally:
        output.end()
    if reason := loss():
        write(
            Failure(f"the output was not written: {reason}", "Correct the cause, and run this again"),
            to=sys.stderr,
        )
        return status or Failure.status
    return status


def _environment(given: Any) -> str:
    """That of the variable, in place of --env. A forgotten one must not choose the environment of a deletion,
    or of a change without a question."""
    name = os.environ.get(_VARIABLE, "")
    if name and (given.command in ("leave", "undeploy") or getattr(given, "yes", False)):
        raise WrongUse(
            f"{_VARIABLE} is {name}, and counts neither for leave and undeploy nor with --yes",
            "Name the environment with --env",
        )
    return name
