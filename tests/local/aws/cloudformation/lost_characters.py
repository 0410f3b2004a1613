"""Read calls of CloudFormation return `?` for each character beyond ASCII. It executes such text as it is.

Outputs, parameters, tags, reasons, descriptions and templates are affected. "CloudFormation properly executes
it, but it will break the non-ASCII characters when reading them back through the API (GetTemplate,
DescribeStacks)": https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/814
https://github.com/aws/aws-cdk/issues/25309 (tags)
"""

from collections.abc import Callable
from functools import partial

from ministack.services.cloudformation import handlers


def install() -> None:
    table = handlers._ACTION_HANDLERS
    for action in [each for each in table if each.startswith(("Describe", "Get", "List"))]:
        table[action] = partial(_lossy, table[action])


def _lossy(ministack_handler: Callable[[dict], tuple], params: dict) -> tuple:
    status, headers, body = ministack_handler(params)
    return status, headers, body.decode().encode("ascii", "replace")
