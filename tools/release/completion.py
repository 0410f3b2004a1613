"""Writes the files with which bash, zsh and fish complete the command.

shtab writes them while a release is built. argcomplete would start the command at each Tab, which takes half
a second.
"""

import argparse
from pathlib import Path

import shtab

from cli import main


def write(directory: Path) -> None:
    directory.mkdir()
    parser = main.parser()
    for command in commands_of(parser).choices.values():
        for action in command._actions:
            if action.dest == "config_file":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    (directory / "cfn-gitops.bash").write_text(shtab.complete(parser, "bash"))
    (directory / "_cfn-gitops").write_text(shtab.complete(parser, "zsh"))
    (directory / "cfn-gitops.fish").write_text(fish(parser))


def fish(parser: argparse.ArgumentParser) -> str:
    """shtab has it only in versions under the MPL. https://fishshell.com/docs/current/cmds/complete.html"""
    commands, lines = commands_of(parser), ["complete -c cfn-gitops -f"]
    texts = {each.dest: each.help for each in commands._choices_actions}
    for name, command in [("", parser), *commands.choices.items()]:
        place = f"'__fish_seen_subcommand_from {name}'" if name else "__fish_use_subcommand"
        if name:
            lines.append(
                f"complete -c cfn-gitops -n __fish_use_subcommand -a {name} -d {_quoted(texts[name])}"
            )
        for action in command._actions:
            for option in action.option_strings:
                kind = "-l" if option.startswith("--") else "-s"
                value = " -rF" if action.dest == "config_file" else " -x" if action.nargs != 0 else ""
                if action.choices:
                    value += f" -a {_quoted(' '.join(action.choices))}"
                lines.append(
                    f"complete -c cfn-gitops -n {place} {kind} {option.lstrip('-')}"
                    f" -d {_quoted(action.help)}{value}"
                )
    return "\n".join(lines) + "\n"


def commands_of(parser: argparse.ArgumentParser) -> argparse._SubParsersAction:
    return next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction))


def _quoted(text: str | None) -> str:
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"
