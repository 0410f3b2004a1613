"""`make invoke` with a file that is not an event."""

import pytest

from tests.tools.conftest import ROOT

from tools.run import invoke


@pytest.mark.parametrize(("given", "why"), [
    ("events/creat.json", "event: No such file or directory. "), ("events", "Is a directory"), ("events/README.md", "Expecting value")])
def test_wrong_file_lists_the_events(given: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        invoke.event_file(given)
    sentence, *listed = str(ended.value).splitlines()
    assert sentence.startswith(f"EVENT={given} is not a file with an event: ") and why in sentence
    assert ("Did you mean events/create.json?" in sentence) == (given == "events/creat.json")
    assert " ".join(listed).split() == sorted(f"events/{path.name}" for path in (ROOT / "events").glob("*.json"))
