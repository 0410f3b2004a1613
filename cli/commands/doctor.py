"""Check an environment, from GitLab's token to the pipelines' rules.

It changes nothing. The function cfn-gitops-<EnvID>-read checks the stacks, the event rules, the credentials,
the tokens, the mirrors and the pipelines, and this prints its answer. A part that is held, or that the
function has no right to look at, is not a finding. The exit status is 1 after a finding, and otherwise 3 if a
part was not checked.
"""

from __future__ import annotations

from typing import Any

from cli.environment.account import Environment
from cli.environment.questions import Questions
from cli.shell.output import Finding, Held, NotChecked, NotLookedAt, Output

EXAMPLES = ("cfn-gitops doctor --env dev", "cfn-gitops doctor --env prd --profile operations --json")
# The function's own limit is 300 s, and it may have to start before.
_SECONDS = 310
# The subject of what the function could not read.
_NOT_CHECKED = "a part of the environment"


def run(environment: Environment, given: Any, output: Output) -> int:
    answer = Questions(environment, _SECONDS).ask("Doctor", output)
    return output.findings(
        [
            *map(finding, answer["Checks"]),
            *(
                finding({"Subject": _NOT_CHECKED, "NotChecked": each["Problem"], **each})
                for each in answer["NotChecked"]
            ),
        ]
    )


def finding(row: dict[str, Any]) -> Finding:
    """A row of the answer."""
    subject, remedy, code = row["Subject"], row.get("Remedy", ""), row.get("Code", "")
    if "NotChecked" in row:
        return NotChecked(subject, row["NotChecked"], remedy, code, is_failure=True)
    for member, kind in (("Held", Held), ("NotLookedAt", NotLookedAt)):
        if member in row:
            return kind(subject, row[member], remedy, code)
    return Finding.of(subject, row.get("Problem", ""), remedy, code)
