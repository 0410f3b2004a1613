"""Check an environment, from GitLab's token to the pipelines' rules.

It changes nothing. The function cfn-gitops-<EnvID>-read checks the stacks, the event rules, the credentials
and the pipelines, and the tokens and mirrors of those that report to GitLab. This prints its answer, with
--json as `check` does. A part that is held, or that the function has no right to look at, is not a finding.
The exit status is 1 after a finding, and otherwise 3 if a part was not checked.
"""

from __future__ import annotations

from typing import Any

from cli.environment.account import Environment
from cli.environment.answers import Part
from cli.environment.questions import Questions
from cli.shell.findings import Finding, Held, NotChecked, NotLookedAt, write_findings
from cli.shell.output import Output

EXAMPLES = ("cfn-gitops doctor --env dev", "cfn-gitops doctor --env prd --profile operations --json")
# The function's own limit is 300 s, and it may have to start before.
_SECONDS = 310
# The subject of what the function could not read.
_NOT_CHECKED = "a part of the environment"


def run(environment: Environment, given: Any, output: Output) -> int:
    answer = Questions(environment, _SECONDS).ask("Doctor", output)
    not_checked = (
        NotChecked(_NOT_CHECKED, each.problem, each.remedy, each.code, is_failure=True)
        for each in answer.not_checked
    )
    return write_findings([*map(finding, answer.checks), *not_checked], output)


def finding(row: Part) -> Finding:
    for text, kind in ((row.held, Held), (row.not_looked_at, NotLookedAt)):
        if text:
            return kind(row.subject, text, row.remedy, row.code)
    return Finding.of(row.subject, row.problem, row.remedy, row.code)
