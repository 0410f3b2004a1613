"""The tables of tests/templates/rights.py, which say what the environment's own principals may do.

Their rows look at the principal's own policies alone: the keys, buckets and roles in them are anybody's.
Here they are rows like all others, about the same names.
"""

from tests.policies import scene
from tests.templates import named, rights

_DEPLOYED = scene.stacks()["template"].deployed
_ROLES_ELSEWHERE = tuple(named.SOURCE_ROLES)


def _rows(table):
    return [(_DEPLOYED.arn(principal), actions, resource, keys) for principal, actions, resource, keys in table]


def _is_decided_here(row):
    """What other accounts' roles and the second bucket have a say in is in rows_across_accounts.py."""
    _, _, resource, _ = row
    return resource not in _ROLES_ELSEWHERE and not resource.startswith((named.FOREIGN_BUCKET, named.SECOND_BUCKET, named.FOREIGN_KEY))


MAY = [row for row in _rows(rights.MAY) if _is_decided_here(row)]
MAY_NOT = _rows(rights.MAY_NOT)
