"""The steps of `make test`."""

from tests.tools.conftest import ROOT
from tools.checks import run as run_checks


def test_each_deployment_test_is_in_exactly_one_step() -> None:
    *sessions, evaluation = run_checks.deployment_tests()
    of_ci = [
        run_checks.TWO_ACCOUNTS,
        run_checks.TRIAL,
        run_checks.OBSERVERS,
        run_checks.PARTITION,
        run_checks.CDK,
    ]
    in_steps = [
        argument for step in (*sessions, evaluation) for argument in step.command if argument.endswith(".py")
    ]
    there = (ROOT / run_checks.DEPLOYMENT).glob("test_*.py")
    assert sorted([*in_steps, *of_ci]) == sorted(str(file.relative_to(ROOT)) for file in there)
    assert set(evaluation.needs) == {step.name for step in sessions}
    assert all(step.mostly_waits for step in sessions)
