"""The commands in texts."""

from __future__ import annotations

import shlex

# The words that select account, region and file, by the program: a pasted command must not reach another
# account. The environment variables select the rest.
selections: dict[str, list[str]] = {}
# `cfn-gitops`, as the user starts it.
_PROGRAM: list[str] = ["cfn-gitops"]


def select(program: str, **options: str) -> None:
    selections[program] = [
        word for name, value in options.items() if value for word in (f"--{name.replace('_', '-')}", value)
    ]


def start_as(program: str) -> None:
    _PROGRAM[:] = [program]


def aws(*words: str) -> str:
    return shlex.join(["aws", *selections.get("aws", []), *words])


def sam(operation: str, *words: str) -> str:
    selection = selections.get("aws" if operation == "logs" else "sam", [])
    return shlex.join(["sam", operation, *selection, *words])


def cfn_gitops(name: str, *words: str) -> str:
    return shlex.join([*_PROGRAM, name, *words, *selections.get("cfn-gitops", [])])


class Remedy(str):
    """A text, with the words of its commands."""

    commands: list[list[str]] = []


def joined(parts: list[str | list[str]], table: str) -> Remedy:
    text, end, commands = "", parts[-1:], []
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        # The function names the environment's EnvID, and an option names its table.
        program, *words = part
        words = [table if before == "--env" else word for before, word in zip(part, words)]
        commands.append([program, *words])
        command = {"aws": aws, "cfn-gitops": cfn_gitops}[program](*words)
        # At the end, after a colon, it stands alone, as in crates/cfn-custom-resource/src/remedy.rs.
        text += command if [part] == end and text.endswith(": ") else f"`{command}`"
    remedy = Remedy(text)
    remedy.commands = commands
    return remedy
