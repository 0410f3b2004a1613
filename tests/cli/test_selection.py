"""The commands in remedies select the account and region of the run: pasted, they must not reach another account."""

import json

import pytest

from cli.shell.failure import Failure
from cli.shell.output import Found, Output

REMEDIES = [
    ("Restore it: aws secretsmanager restore-secret --secret-id gitlab/infra",
     "Restore it: aws --profile 'my team' --region eu-west-1 secretsmanager restore-secret --secret-id gitlab/infra"),
    ("Deploy it: sam deploy --config-env dev", "Deploy it: sam deploy --profile 'my team' --region eu-west-1 --config-env dev"),
    ("See what failed: cfn-gitops failures cfnstack-dev-infra --env dev",
     "See what failed: cfn-gitops failures --config-file own.toml cfnstack-dev-infra --env dev"),
    ("Restore it: aws a b --c d and then, when that is created, aws e f",
     "Restore it: aws --profile 'my team' --region eu-west-1 a b --c d and then, when that is created, aws --profile 'my team' "
     "--region eu-west-1 e f"),
    # The account of a run is another one.
    *[("Create it again in its account: aws codecommit create-repository --repository-name shop",) * 2],
    ("Delete it if it is not of cfn-gitops or of aws and so on", "Delete it if it is not of cfn-gitops or of aws and so on"),
]


@pytest.mark.parametrize(("remedy", "selecting"), REMEDIES)
def test_commands_of_a_remedy_name_profile_and_region(remedy: str, selecting: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(selection="--profile 'my team' --region eu-west-1", own_selection="--config-file own.toml")
    output.findings([Found("secret", "its problem is aws s3 sync", remedy)])
    output.failure(Failure("it failed", remedy))
    printed = capsys.readouterr()
    assert selecting in printed.out and selecting in printed.err and "its problem is aws s3 sync" in printed.out
    as_json = Output(as_json=True, selection=output.selection, own_selection=output.own_selection)
    as_json.findings([Found("secret", "its problem is aws s3 sync", remedy)])
    as_json.end()
    [check] = json.loads(capsys.readouterr().out)["checks"]
    assert (check["remedy"], check["problem"]) == (selecting, "its problem is aws s3 sync")
    assert output.selecting(selecting) == selecting


def test_commands_stay_as_they_are_without_options(capsys: pytest.CaptureFixture[str]) -> None:
    Output().findings([Found("secret", "it is missing", REMEDIES[0][0])])
    assert REMEDIES[0][0] in capsys.readouterr().out
