"""A function stays active while it is updated: `LastUpdateStatus` alone is in progress. MiniStack has a state
and a reason of its own meanwhile.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from ministack.services import lambda_svc


def install() -> None:
    ministack_schedule = lambda_svc._schedule_state_transition

    def schedule(name: str, delay: float) -> None:
        config = lambda_svc._functions[name]["config"]
        if config["StateReasonCode"] == "Updating":
            config.update(State="Active", StateReason="", StateReasonCode="")
        ministack_schedule(name, delay)

    lambda_svc._schedule_state_transition = schedule
