"""cfn-lint in this process: its rules and schemas are loaded once."""

from functools import cache
from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner
from cfnlint.runner.template import run_template_by_file_paths

ROOT = Path(__file__).parents[2]


@cache
def _rules():
    return Runner(_configuration(ROOT / "template.yaml")).rules


def _configuration(*templates):
    return ConfigMixIn(["--", *map(str, templates)])


def linted(*templates):
    """The findings by file name: rule, message, place."""
    found = {Path(template).name: [] for template in templates}
    matches = list(run_template_by_file_paths(_configuration(*templates), _rules()))
    # The order of its output.
    for match in sorted(matches, key=lambda each: (each.filename, each.linenumber, each.rule.id)):
        found[Path(match.filename).name].append((match.rule.id, match.message, match.path or []))
    return found
