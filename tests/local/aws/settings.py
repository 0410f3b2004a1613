"""Settings that a test can change while the local AWS runs (`LocalAws.set`).

A setting that selects between two behaviours has the values 0 and 1. It exists if AWS documents neither, or
both.
"""

from dataclasses import asdict, dataclass, fields


@dataclass
class Settings:
    # "Changes that I make are not always immediately visible"
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    credential_listed_after_seconds: float = 0.0
    credential_accepted_after_seconds: float = 1.0
    # The delay until a change of a role's or user's policies, or of a role's trust, takes effect (same page).
    # IAM states no time; the CDK retries a denial for 31 seconds: https://github.com/aws/aws-cdk/pull/37878
    iam_policies_take_seconds: float = 0.0
    iam_trusts_take_seconds: float = 0.0
    # Lambda waits one and two minutes before it retries a failed asynchronous invocation. Here it is seconds.
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    first_retry_after_seconds: float = 0.5
    second_retry_after_seconds: float = 1.0
    # How long a custom resource's request waited in Lambda's queue (same page: "returns the event to the
    # queue and attempts to run the function again for up to 6 hours"). Its ResponseURL was signed that long
    # before; nothing waits here.
    requests_queued_seconds: float = 0.0
    # Whether a pipeline's action that creates a change set fails when it is empty (1) or continues (0). Not
    # documented; see `deploy_action`.
    empty_change_set_fails: int = 0
    # CodeBuild's quota of concurrent builds, as Service Quotas shows it.
    quota_of_builds: float = 1.0
    # The length of one minute of an alarm's WaitTime in a stage condition.
    rule_minute_seconds: float = 60.0
    # Selects one of the orders that the dependency graph allows for a stack's resources; 0 is by name.
    order_seed: int = 0
    # Whether an update that would replace a managed policy with a name of its own fails before the
    # replacement is created (0), or because the name is in use (1). Not documented; see `native_resources`.
    replaced_policies_are_created_first: int = 0
    # CloudFormation's quota on its own calls, as a token bucket for each account and region; 0 for none.
    # https://docs.aws.amazon.com/general/latest/gr/api-retries.html, "Rate exceeded"
    cloudformation_calls_per_second: float = 0.0
    cloudformation_burst: int = 10

    def change(self, changes: dict[str, float | str]) -> None:
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        unknown = sorted(changes.keys() - known.keys())
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}; known are {', '.join(known)}")
        for name, value in changes.items():
            setattr(self, name, known[name](value))

    def as_dict(self) -> dict[str, float | str]:
        return asdict(self)


settings = Settings()

# `make run` and the deployment tests delay IAM's changes, as AWS does: longer than a step of a stack
# operation takes here, and shorter than the function waits.
IAM_IS_LATE: dict[str, float | str] = {"iam_policies_take_seconds": 3.0, "iam_trusts_take_seconds": 3.0}
