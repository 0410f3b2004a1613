"""Every remaining wildcard of a policy has an explanation beside it.

A name of the scheme (<kind>-<EnvID>-...) and the objects of a bucket need no explanation: see the top
of template.yaml. Any wider pattern needs a comment in its statement or right above it, before the
wildcard.
"""

import re

import pytest
import yaml

from tests.policies import scene

ELEMENTS = ("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal")
# The text before the first wildcard, if it names an environment, a parameter or a bucket.
NARROW = re.compile(r"\$\{(EnvID|Names|\w*Names|\w+\.Arn|\w*BucketName|MirrorUserNames)\}[^*?]*$")


def statements(node):
    """Mapping nodes that are statements of a policy, anywhere in the document."""
    if isinstance(node, yaml.MappingNode):
        keys = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        if "Effect" in keys and keys & {"Action", "NotAction"}:
            yield node
            return
        for _, value in node.value:
            yield from statements(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from statements(value)


def scalars(node):
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from scalars(value)
    else:
        for _, value in node.value:
            yield from scalars(value)


def wide(statement):
    for key, value in statement.value:
        if key.value in ELEMENTS:
            for scalar in scalars(value):
                before, wildcard, _ = re.match(r"([^*?]*)([*?]?)(.*)", scalar.value, re.DOTALL).groups()
                if wildcard and not NARROW.search(before):
                    yield key.value, scalar


def is_explained(lines, statement, scalar):
    """PyYAML counts lines from 0."""
    first = statement.start_mark.line
    inside = lines[first : scalar.start_mark.line]
    above = lines[first - 1] if first else ""
    return any(line.strip().startswith("#") for line in [above, *inside])


def unexplained(path):
    text = path.read_text()
    lines = text.splitlines()
    for statement in statements(yaml.compose(text)):
        for element, scalar in wide(statement):
            if not is_explained(lines, statement, scalar):
                yield f"{path.name}:{scalar.start_mark.line + 1}: {element} {scalar.value}"


@pytest.mark.parametrize("path", scene.templates(), ids=lambda path: path.stem)
def test_every_wildcard_is_explained(path):
    assert list(unexplained(path)) == []


def test_wildcards_are_found():
    found = [scalar for path in scene.templates() for node in statements(yaml.compose(path.read_text())) for _, scalar in wide(node)]
    assert len(found) > 20


def test_a_wildcard_without_a_word_is_found(tmp_path):
    template = tmp_path / "silent.yaml"
    template.write_text('Statement:\n  - Effect: Allow\n    Action: s3:GetObject\n    Resource: "*"\n')
    assert list(unexplained(template)) == ["silent.yaml:4: Resource *"]
