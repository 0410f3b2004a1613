"""What a test can change while the local AWS runs (`LocalAws.set`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass
class Settings:
    # "Changes that I make are not always immediately visible"
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    credential_listed_after_seconds: float = 0.0
    credential_accepted_after_seconds: float = 1.0
    # How long a change of a role's or user's policies, and of a role's trust, is not in effect (same page). IAM states no
    # time; the CDK retries a denial for 31 seconds: https://github.com/aws/aws-cdk/pull/37878
    iam_policies_take_seconds: float = 0.0
    iam_trusts_take_seconds: float = 0.0
    # Lambda waits one and two minutes before it runs a failed asynchronous invocation again; here seconds do.
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    first_retry_after_seconds: float = 0.5
    second_retry_after_seconds: float = 1.0
    # "Lambda might send the same event more than once" (same page): how often each request is delivered, at once.
    deliveries_of_each_request: int = 1
    # "Secrets Manager performs the actual deletion with an asynchronous background process, so there might be a short
    # delay": how long a forcibly deleted secret's name stays taken.
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    forced_delete_takes_seconds: float = 0.0
    # Whether a secret that is not there is judged by an ARN with six invented characters (1) or by its bare name (0).
    # Nothing documents it; see `enforcement._secret_resource`.
    absent_secrets_have_a_suffix: int = 1
    # "ListSecrets might not reflect changes from the last five minutes": when a new secret is listed.
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    secrets_listed_after_seconds: float = 0.0
    # A rotation that fails is tried again "multiple times"; how often at once, and after what time. What is left is tried
    # with the next due date (`LocalAws.days_later`).
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
    rotation_retries: int = 0
    rotation_retry_after_seconds: float = 0.2
    # Whether a rotation that is tried again after its function took AWSPENDING away has the same token (1) or a new one
    # (0). Nothing documents it.
    retried_rotations_keep_their_token: int = 0
    # Whether the version that becomes AWSCURRENT loses AWSPENDING in the same call (1) or keeps it (0); both are
    # documented, see `secret_versions`.
    current_takes_pending_away: int = 1
    # Which new versions take AWSPENDING from the one that is being rotated: none (0), those that become AWSCURRENT (1),
    # any (2). "When you manually create a new version", it is said, and not which.
    new_versions_abandon_rotations: int = 1
    # Whether a rotation that removed AWSPENDING by a call of its own failed (1) or succeeded (0): that "can indicate to
    # Secrets Manager that the rotation did not complete successfully".
    pending_removed_separately_fails: int = 1
    # How long a minute of a build's time-out is, which on AWS is five minutes at least.
    build_minute_seconds: float = 60.0
    # Whether a pipeline's action that creates a change set fails when it is empty (1) or goes on (0). Nothing documents
    # it; see `deploy_action`.
    empty_change_set_fails: int = 0
    # Which of the orders that its graph allows a stack's resources are made and deleted in; 0 is by name.
    order_seed: int = 0
    # How long CloudFormation takes over each resource that it makes, changes or deletes.
    stack_resource_takes_seconds: float = 0.0
    # ... in the stacks whose names begin like this.
    slow_stacks: str = ""
    # Whether what follows a cancellation (a deletion during the creation, an update's rollback) waits for the answer of
    # a custom resource that is in hand (0), or is sent while that still works (1). Nothing documents it.
    cancellations_overtake: int = 0
    # Whether a ClientRequestToken that was used gets the first answer again (0) or TokenAlreadyExistsException (1).
    # Nothing documents it.
    used_tokens_are_refused: int = 0
    # Whether a name that is taken fails a stack's operation before anything is created (1), or the one resource (0), as
    # it still does if a name is taken meanwhile; see `early_validation`.
    early_validation: int = 1
    # Whether a change of an AWS::IAM::User's tags, or of the stack's, removes the tags that others gave the user (1) or
    # leaves them (0). Nothing documents it; see `user_tags`.
    user_updates_remove_other_tags: int = 0
    # CloudFormation's quota on its own calls, as a token bucket for all of an account's in a region; 0 is none.
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

# What `make run` and the deployment tests change: an AWS whose IAM is late, as every real one is. Longer than the steps
# of a stack operation take here, and shorter than the function waits.
IAM_IS_LATE: dict[str, float | str] = {"iam_policies_take_seconds": 3.0, "iam_trusts_take_seconds": 3.0}
