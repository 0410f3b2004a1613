"""Policies without one part: a statement, an action, a resource, a condition, a value.

Each change has to fail a row of the tables. A part whose change fails no row is not needed, or
not tested.
"""

import copy

from tests.local.policies.statements import as_list

_LISTS = ("Action", "NotAction", "Resource", "NotResource")


def mutants(document):
    """The changed part, its statement, the new value (None: removed), and the changed document."""
    statements = as_list(document["Statement"])
    for number, statement in enumerate(statements):
        sid = statement.get("Sid", f"statement {number + 1}")
        for what, changed in _of_statement(statement):
            rest = [changed if index == number else other for index, other in enumerate(statements) if index != number or changed]
            yield f"{sid}: {what}", number, changed, {**document, "Statement": rest}


def _of_statement(statement):
    yield "the whole statement", None
    for key in _LISTS:
        yield from _shorter(statement, (key,))
    if isinstance(statement.get("Principal"), dict):
        for kind in statement["Principal"]:
            yield from _shorter(statement, ("Principal", kind))
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            yield f"{operator} {key}", _without_condition(statement, operator, key)
            yield from _shorter(statement, ("Condition", operator, key))


def _shorter(statement, path):
    """Leaves out one of several values. A single value is left out with its statement or condition."""
    values = statement
    for step in path:
        values = values.get(step, [])
    if isinstance(values, list) and len(values) > 1:
        for index, value in enumerate(values):
            yield f"{path[-1]} {value}", _with(statement, path, values[:index] + values[index + 1 :])


def _with(statement, path, values):
    changed = copy.deepcopy(statement)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = values
    return changed


def _without_condition(statement, operator, key):
    changed = copy.deepcopy(statement)
    del changed["Condition"][operator][key]
    return changed
