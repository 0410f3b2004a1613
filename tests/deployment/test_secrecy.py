"""No password and no GitLab token is anywhere but in its secret. Runs last, over the transcripts of all other
tests."""

import re
from urllib.parse import quote

from tests.deployment.conftest import Transcript
from tests.play.steps import BOOTSTRAP, DEPLOYABLE

# The form of the passwords that the local IAM issues: 44 base64 characters. It also finds passwords that were
# reset before they were stored.
SHAPE = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?!=)")


# claim: no-password-in-logs-events-outputs-attributes-or-sam-output
def test_no_password_in_logs_events_outputs_or_sam_output(transcripts: list[Transcript]) -> None:
    passwords = set().union(*(transcript.passwords for transcript in transcripts))
    tokens = set().union(*(transcript.tokens for transcript in transcripts))
    texts = [item for transcript in transcripts for item in transcript.texts.items()]
    assert len(passwords) > 10, "the tests have issued too few passwords"
    assert tokens, "the tests have used no GitLab token"
    for password in passwords:
        assert SHAPE.fullmatch(password)
    for source, text in texts:
        assert text, source
        assert not any(password in text or quote(password, safe="") in text for password in passwords), source
        assert not any(token in text for token in tokens), source
        assert not SHAPE.search(text), source
    sources = "\n".join(source for source, _ in texts)
    # prd is deployed only with the deployable function.
    of_production = ["pipeline codepipeline-prd-cfn-", "undeploying"] if BOOTSTRAP == DEPLOYABLE else []
    for kind in (
        "function's log",
        "pipeline codepipeline-dev-cfn-",
        "sam's output",
        *of_production,
        "the function's responses",
        ":stack/gitops-dev-",
        ":stack/cfnstack-dev-",
    ):
        assert kind in sources, kind
    assert any("Running command" in text for source, text in texts if source.startswith("pipeline "))
    size = sum(len(text) for _, text in texts)
    print(f"{len(passwords)} passwords searched in {size} characters of {len(texts)} sources")


# claim: no-password-in-logs-events-outputs-attributes-or-sam-output
def test_no_response_url_is_in_the_functions_log(transcripts: list[Transcript]) -> None:
    logs = [
        text for transcript in transcripts for source, text in transcript.texts.items() if "log" in source
    ]
    assert logs
    assert not any("X-Amz-Signature" in log or "custom-resource-response" in log for log in logs)
