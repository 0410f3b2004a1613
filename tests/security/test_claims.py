"""What docs/security.md claims is shown by tests that exist, and what had no test before has one here."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/templates"))

from deployed import Deployed  # noqa: E402
from permissions import allowed  # noqa: E402
from rights import regional  # noqa: E402

PAGE = ROOT / "docs/security.md"
NAMED = re.compile(r"`([\w/.-]+\.(?:rs|py))::([a-z_0-9]+)`")


def named():
    return sorted(set(NAMED.findall(PAGE.read_text())))


def defined_in(path):
    text = (ROOT / path).read_text()
    if path.endswith(".py"):
        return set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    return set(re.findall(r"#\[(?:tokio::)?test(?:\([^)]*\))?\]\s+(?:async )?fn (\w+)\(", text))


@pytest.mark.parametrize(("path", "test"), named())
def test_what_shows_a_claim_exists(path, test):
    assert test in defined_in(path)


def test_what_does_not_exist_would_be_found():
    assert len(named()) > 60
    assert "test_what_shows_a_claim_exists" in defined_in("tests/security/test_claims.py")
    assert "named" not in defined_in("tests/security/test_claims.py")
    assert "deciding" not in defined_in("src/secret.rs")


def test_every_fuzz_target_is_on_the_page():
    targets = {(str(path.relative_to(ROOT)), test) for path in (ROOT / "src").rglob("*.rs")
               for test in re.findall(r"#\[test\]\s+fn (\w+)\(\) \{(?:(?!#\[test\]).)*?fuzz!\(", path.read_text(), re.DOTALL)}
    assert len(targets) > 20
    assert targets - set(named()) == set()


SECRETS = [
    ("secretsmanager:GetSecretValue", regional("secretsmanager", "secret:codecommit-mirror/user-dev-x-AbC123")),
    ("secretsmanager:GetSecretValue", regional("secretsmanager", "secret:prd/database-AbC123")),
    ("ssm:GetParameter", regional("ssm", "parameter/prd/database")),
    ("ssm:GetParameters", regional("ssm", "parameter/prd/database")),
    ("kms:Decrypt", regional("kms", "key/1")),
]


def test_the_child_stack_can_resolve_no_secret():
    """A dynamic reference is resolved with the role that makes the stack."""
    deployed = Deployed(EnvID="dev")
    assert [row for row in SECRETS if allowed(deployed, "ProvisioningRole", *row)] == []
    # The evaluator does say yes: to the function, about its own.
    assert [row for row in SECRETS if allowed(deployed, "FunctionRole", *row)] == SECRETS[:1]
