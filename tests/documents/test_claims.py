"""Each claim of docs/concepts/security/ has tests that carry its identifier.

Claims without another test have one here.
"""

import re
from pathlib import Path

import pytest

from tests.policies import scene
from tests.policies.tables import regional, role

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/concepts/security").glob("*.md"))
FOLDERS = ("src", "crates", "tests")
ON_A_PAGE = re.compile(r"`claim: ([a-z0-9-]+)`")
IN_A_TEST = re.compile(r"^ *(?://|#) claim: (.*)$", re.MULTILINE)
# The lines after the comment: attributes and the Rust test's function, or decorators and the Python test's.
RUST_TEST = re.compile(
    r"(?: *// claim: .*\n)*(?: *#\[.*\n)* *#\[(?:tokio::)?test\b.*\n(?: *#\[.*\n)* *(?:async )?fn (\w+)\("
)
PYTHON_TEST = re.compile(r"( *)(?:# claim: .*\n\1)*(?:@(?:.*\n)*?\1)?def (test_\w+)\(")
# The sentence of a story, which a test plays.
STORY = re.compile(r"(?:# claim: .*\n)*story: (.*)\n")
FUZZ_TARGET = re.compile(
    r"((?: *// claim: [^\n]*\n)*) *#\[test\]\s+fn (\w+)\(\) \{(?:(?!#\[test\]).)*?\bfuzz\(", re.DOTALL
)


def claims_of(path, text):
    """Claim and test, for each comment of the file; the test is empty if none follows."""
    test = {".rs": RUST_TEST, ".py": PYTHON_TEST, ".yaml": STORY}[path.suffix]
    for comment in IN_A_TEST.finditer(text):
        found = test.match(text, comment.end() + 1)
        yield comment[1], found[found.lastindex] if found else ""


def carried():
    files = [
        path for folder in FOLDERS for kind in ("rs", "py") for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    files += (ROOT / "tests/scenarios").glob("*.yaml")
    return [
        (claim, str(path.relative_to(ROOT)), test)
        for path in sorted(files)
        for claim, test in claims_of(path, path.read_text())
    ]


def test_claims_of_pages_and_tests_are_the_same():
    on_the_pages = {claim for page in PAGES for claim in ON_A_PAGE.findall(page.read_text())}
    in_tests = {claim for claim, _, _ in carried()}
    assert len(on_the_pages) > 60
    assert on_the_pages - in_tests == set(), "without a test"
    assert in_tests - on_the_pages == set(), "not on a page"


def test_every_claim_precedes_its_test():
    assert [(claim, path) for claim, path, test in carried() if not test] == []


def test_no_page_names_a_test_by_its_path():
    """A path would be right as long as the test exists, even if it proves nothing."""
    assert [
        name for page in PAGES for name in re.findall(r"`[\w/.-]+\.(?:rs|py)::\w+`", page.read_text())
    ] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "# claim: a\ndef helper():\n"),
        ("a.py", "# claim: a\n\nX = 1\ndef test_b():\n"),
        ("a.rs", "// claim: a\nfn b() {"),
        ("a.yaml", "# claim: a\nworlds: [process]\n"),
    ],
)
def test_claim_before_something_else_has_no_test(path, text):
    assert list(claims_of(Path(path), text)) == [("a", "")]


def test_every_fuzz_target_carries_a_claim():
    targets = [
        (path.name, name, marks)
        for path in (ROOT / "tests/fuzz").rglob("*.rs")
        for marks, name in FUZZ_TARGET.findall(path.read_text())
    ]
    assert len(targets) > 20
    assert [(path, name) for path, name, marks in targets if not marks] == []


SECRETS = [
    (
        "secretsmanager:GetSecretValue",
        regional("secretsmanager", "secret:codecommit-mirror/user-dev-x-AbC123"),
    ),
    ("secretsmanager:GetSecretValue", regional("secretsmanager", "secret:prd/database-AbC123")),
    ("ssm:GetParameter", regional("ssm", "parameter/prd/database")),
    ("ssm:GetParameters", regional("ssm", "parameter/prd/database")),
    ("kms:Decrypt", regional("kms", "key/1")),
]


# claim: child-stack-cannot-resolve-a-secret
def test_child_stack_cannot_resolve_a_secret():
    """CloudFormation resolves a dynamic reference with the role that creates the stack."""
    function, provisioning = [
        role(scene.PIPELINES, f"role-dev-cfn-gitops{end}") for end in ("", "-provisioning")
    ]
    assert [row for row in SECRETS if scene.world().may(provisioning, *row)] == []
    # The evaluator does allow the function to read its own secret.
    assert [row for row in SECRETS if scene.world().may(function, *row)] == SECRETS[:1]
