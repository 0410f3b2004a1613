"""The arguments of `cfn-gitops`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli import samconfig
from cli.account import Environment, connect
from cli.ending import ended
from cli.output import Output
from cli.terminal import shown, write_shown

# In the order of an environment's life.
COMMANDS = ("check", "status", "doctor", "failures", "upgrade", "leave", "undeploy")
# In the release the build writes the version there.
_VERSION = Path(__file__).with_name("VERSION")


class Parser(argparse.ArgumentParser):
    """Wrong use is status 2, with the closest known word."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Rejects an unknown argument with the options of its subcommand, which calls this. Those of the whole are others."""
        given, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return given, unknown

    def error(self, message: str) -> Any:
        words = [word for action in self._actions for word in (*action.option_strings, *(action.choices or ()))]
        given = re.search(r"(?:invalid choice: '|unrecognized arguments: )([^' ]+)", message)
        self.exit(2, f"{self.prog}: {shown(message)}{samconfig.did_you_mean(given[1], words) if given else ''}\n"
                     f"Run `{self.prog} --help` for its arguments and examples.\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # The reader of a pipe may have ended.
        write_shown(message, file)


def parser() -> Parser:
    """Each subcommand's arguments. Its module has the rest."""
    whole = Parser(prog="cfn-gitops", description="Checks, shows and changes the environments of cfn-gitops in an AWS account.",
                   epilog="`cfn-gitops COMMAND --help` shows its arguments and examples.\n\nExit status: 0, 1 after a finding "
                          "or a failure, 2 after wrong use, 130 after an interrupt.",
                   formatter_class=argparse.RawDescriptionHelpFormatter)
    whole.add_argument("--version", action="version", version=version())
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"cli.commands.{name}")
        first, _, rest = inspect.cleandoc(module.__doc__).partition("\n\n")
        examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
        command = commands.add_parser(name, help=" ".join(first.split()).rstrip("."), description=f"{first}\n\n{rest}",
                                      epilog=f"examples:\n{examples}", formatter_class=argparse.RawDescriptionHelpFormatter)
        common = command.add_argument_group("environment")
        common.add_argument("--env", default="dev", metavar="NAME", help="a table of samconfig.toml (default: dev)")
        common.add_argument("--profile", default="", metavar="NAME", help="a profile of ~/.aws/config (default: AWS_PROFILE)")
        common.add_argument("--region", default="", metavar="NAME", help="an AWS region (default: AWS_REGION, or the profile's)")
        common.add_argument("--config-file", type=Path, default=samconfig.FILE, metavar="FILE",
                            help="default: samconfig.toml in this folder")
        common.add_argument("--json", action="store_true", help="write one JSON document instead of text")
        if hasattr(module, "add_arguments"):
            module.add_arguments(command)
    return whole


def version() -> str:
    return f"cfn-gitops {_VERSION.read_text().strip() if _VERSION.is_file() else '(of a clone)'}"


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    module = importlib.import_module(f"cli.commands.{given.command}")
    output = Output(given.json)

    def run() -> int:
        settings = samconfig.read(given.env, file=given.config_file)
        profile, region = given.profile or settings.profile, given.region or settings.region
        output.selection = " ".join(f"--{name} {shlex.quote(value)}" for name, value in (("profile", profile), ("region", region)) if value)
        account = connect(profile, region)
        environment = Environment(settings, account)
        output.place(account.id, account.region, settings.env_id)
        return int(module.run(environment, given, output))

    def interrupted() -> str:
        if not output.has_begun:
            return "Nothing was changed"
        return (f"Done: {'; '.join(output.done)}. " if output.done else "") + str(module.INTERRUPTED)

    status = ended(run, interrupted, output.failure)
    output.end()
    return status
