"""No password, and no token of GitLab's, anywhere but in its secret. Runs last, over everything that the other tests
made anybody say."""

from __future__ import annotations

import re
from urllib.parse import quote

from tests.deployment.conftest import Witness
from tests.deployment.steps import Environment

# What local IAM issues, URL-safe or not: 44 base64 characters. So the passwords that were reset before they were
# stored are looked for, too.
SHAPE = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?!=)")


# claim: no-password-stands-in-logs-events-outputs-attributes-or-what-sam-prints
def test_no_password_in_logs_events_outputs_or_sam_output(environment: Environment, witness: Witness) -> None:
    witness.hears("sam's output", environment.sam_output)
    assert len(witness.passwords) > 10, "the tests have not issued enough to look for"
    assert witness.tokens, "no token of GitLab's was there to look for"
    for password in witness.passwords:
        assert SHAPE.fullmatch(password)
    for where, what in witness.said.items():
        assert what, where
        assert not any(password in what or quote(password, safe="") in what for password in witness.passwords), where
        assert not any(token in what for token in witness.tokens), where
        assert not SHAPE.search(what), where
    heard = "\n".join(witness.said)
    for kind in ("function's log", "pipeline codepipeline-dev-cfn-", "pipeline codepipeline-prd-cfn-", "sam's output",
                 "undeploying", "what the function answered", ":stack/gitops-dev-", ":stack/cfnstack-dev-"):
        assert kind in heard, kind
    assert any("Running command" in what for where, what in witness.said.items() if where.startswith("pipeline "))
    size = sum(map(len, witness.said.values()))
    print(f"{len(witness.passwords)} passwords looked for in {size} characters from {len(witness.said)} places")


# claim: no-password-stands-in-logs-events-outputs-attributes-or-what-sam-prints
def test_no_address_of_an_answer_stands_in_the_functions_log(environment: Environment, witness: Witness) -> None:
    logs = [what for where, what in witness.said.items() if "log" in where]
    assert logs
    assert not any("X-Amz-Signature" in log or "custom-resource-response" in log for log in logs)
