"""The tables of tests/templates/rights.py, which list the permissions of the environment's own principals.

There, only the principal's own policies are evaluated, so keys, buckets and roles have no owner.
Here they are rows like all others, about the same names.
"""

from tests.policies import scene
from tests.templates import rights

_DEPLOYED = scene.stacks()["template"].deployed


def _rows(table):
    return [(_DEPLOYED.arn(principal), actions, resource, keys) for principal, actions, resource, keys in table]


# rows_across_accounts.py has the others.
MAY = [row for row in _rows(rights.MAY) if not rights.needs_another_account(row)]
MAY_NOT = _rows(rights.MAY_NOT)
