"""`cfn-gitops doctor` prints the rows of the function's answer."""

import json

from tests.cli.answering import PIPELINE, Answering, unread
from tests.cli.conftest import Run

RULE = "event-rule-dev-cfn-gitops-report"
SOUND = {"Subject": "stack cfn-gitops-dev"}
HELD = {
    "Subject": f"pipeline {PIPELINE}",
    "Held": "held by the disabled transition into stage Deploy: sale",
    "Remedy": "To end the freeze: cfn-gitops thaw shop --env dev",
}
NOT_LOOKED_AT = {
    "Subject": "the password of user user-dev-mirroring",
    "NotLookedAt": "this function reads no secret of a mirror",
}
FOUND = {
    "Subject": f"event rule {RULE}",
    "Problem": "its state is DISABLED",
    "Remedy": f"Enable it: aws events enable-rule --name {RULE}",
    "Code": "CFG-401",
}


def doctor(*rows: dict[str, str], not_checked: tuple[str, ...] = ()) -> dict[str, object]:
    return {"Format": 2, "EnvID": "dev", "Checks": list(rows), "NotChecked": unread(*not_checked)}


def test_each_kind_of_row_is_shown(answering: Answering, run: Run) -> None:
    answering.responses["Invoke"] = doctor(
        SOUND, HELD, NOT_LOOKED_AT, FOUND, not_checked=("listing the users: AccessDenied",)
    )
    ended = run("doctor", "--profile", "ops")
    assert (ended.status, ended.out.splitlines()[1:]) == (
        1,
        [
            "sound          stack cfn-gitops-dev",
            f"held           pipeline {PIPELINE}",
            "                 held by the disabled transition into stage Deploy: sale",
            "                 To end the freeze: cfn-gitops thaw shop --env dev --profile ops",
            "not looked at  the password of user user-dev-mirroring",
            "                 this function reads no secret of a mirror",
            f"FOUND          event rule {RULE}",
            "                 its state is DISABLED",
            f"                 Enable it: aws --profile ops events enable-rule --name {RULE} - CFG-401",
            "not checked    a part of the environment",
            "                 listing the users: AccessDenied",
            "                 Run this again",
            "5 checks: 1 found, 1 sound, 1 held, 1 not looked at, 1 not checked",
        ],
    )
    assert answering.requests == [("Invoke", {"Doctor": {}})]
    document = json.loads(run("doctor", "--json").out)
    assert [each["result"] for each in document["checks"]] == [
        "sound",
        "held",
        "not looked at",
        "found",
        "not checked",
    ]
    assert document["checks"][1] == {
        "subject": HELD["Subject"],
        "result": "held",
        "held": HELD["Held"],
        "remedy": HELD["Remedy"],
    }


def test_only_a_finding_and_an_unread_part_are_failures(answering: Answering, run: Run) -> None:
    for rows, not_checked, status in (
        ((SOUND, HELD, NOT_LOOKED_AT), (), 0),
        ((SOUND, FOUND), (), 1),
        ((SOUND,), ("GitLab is silent",), 3),
    ):
        answering.responses["Invoke"] = doctor(*rows, not_checked=not_checked)
        assert run("doctor").status == status
