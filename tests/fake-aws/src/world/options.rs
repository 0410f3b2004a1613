//! Where AWS's answer differs from day to day.

use std::time::Duration;

use crate::world::{gitlab_behaviour::Behaviour, rates::Rate};

/// The time until a pipeline's first execution reads its source.
const FIRST_RUN_AFTER: Duration = Duration::from_secs(2);

/// Where AWS's answer differs from day to day.
#[derive(Clone, Debug)]
// Each is a question of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct Options {
    /// How long no read shows a new user, repository or secret. IAM answers `NoSuchEntity` for a user
    /// of some seconds' age: <https://github.com/hashicorp/terraform-provider-aws/issues/2449>.
    /// CloudFormation creates what refers to it meanwhile:
    /// <https://aws.amazon.com/about-aws/whats-new/2024/03/aws-cloudformation-40-percent-faster-stack-creation/>.
    pub new_things_late: Duration,
    /// How long IAM's list of credentials lags behind.
    pub lists_late: Duration,
    /// How long a user's tags lag behind.
    pub tags_late: Duration,
    /// How long git rejects a new login, and accepts an old one.
    pub login_late: Duration,
    /// Whether no password contains a `/`, so that none is reset.
    pub plain_passwords: bool,
    /// Every other read by lists and tags sees the present nevertheless: two reads reach two
    /// replicas, and the second may show less than the first.
    pub replicas_differ: bool,
    /// How long a secret that was deleted by force is still scheduled for deletion.
    pub deletion_takes: Duration,
    /// Whether `CreateSecret` without a value, repeated with its token, succeeds.
    /// The documentation speaks of versions only, and such a secret has none.
    pub empty_create_is_idempotent: bool,
    /// The time from a call's execution until its answer. Calls that do not wait for each other
    /// take it at the same time (see [`crate::FakeAws::round_trips`]).
    pub latency: Duration,
    /// How many items IAM, CloudFormation and CodeCommit put on one page.
    pub page_length: Option<usize>,
    /// Whether stacks and events have no IDs of operations: no page names the Regions, and the
    /// earlier events, that have them.
    pub lacks_operation_ids: bool,
    /// CloudFormation's time for each resource.
    pub resource_takes: Duration,
    /// The treatment of a repeated `ClientRequestToken`.
    pub seen_tokens: SeenTokens,
    /// Whether an update that changes parameters and no resource is one.
    pub parameters_alone_are_updates: bool,
    /// Whether the events that follow a cancellation carry its token.
    pub cancellation_has_its_own_token: bool,
    /// How often services answer. One that is not mentioned answers always.
    pub rates: Vec<Rate>,
    pub change_sets: ChangeSetBehaviour,
    /// The delay of `DescribeStacks`. No page excludes one.
    pub stacks_late: Duration,
    /// The status that `DescribeStackResource` shows of the custom resources themselves, instead of
    /// that of their stack's record; empty if their stack does not exist.
    pub resource_status: Option<&'static str>,
    /// How long `DescribeStackResource` and `ListStacks` lag behind for the stacks of the custom
    /// resources themselves. No page excludes it. `DescribeStacks` was seen half a minute late:
    /// <https://github.com/aws-powertools/powertools-lambda-typescript/issues/5537>.
    pub parents_late: Duration,
    /// How long `DescribeStackEvents` lags behind.
    pub events_late: Duration,
    /// How long after its time `GetLogEvents` returns an event.
    pub logs_late: Duration,
    /// Whether each second page of `GetLogEvents` is empty, the first one too.
    pub empty_log_pages: bool,
    /// How long `ListPipelineExecutions` lags behind.
    pub executions_late: Duration,
    /// How long a pipeline's source stage takes to upload the code.
    pub source_takes: Duration,
    /// How long the running action of an execution still takes after its pipeline was updated.
    pub actions_take: Duration,
    /// How long `DescribeSecret` lags behind: "it takes time for the change to become visible"
    /// (Secrets Manager User Guide, Troubleshooting).
    pub secrets_late: Duration,
    /// How long `ListSecrets` lags behind: it "might not reflect changes from the last five
    /// minutes" (API reference).
    pub secret_lists_late: Duration,
    /// The effect on AWSPENDING when another label moves.
    pub pending: Pending,
    /// Whether CloudFormation and GitLab show statuses that no page lists. The AWS SDK for Rust warns
    /// of them in the documentation of each enum
    /// (<https://docs.rs/aws-sdk-cloudformation/latest/aws_sdk_cloudformation/types/enum.StackStatus.html>).
    pub unknown_statuses: bool,
    /// The time of a push mirror's push.
    pub sync_takes: Duration,
    pub gitlab: Behaviour,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            new_things_late: Duration::ZERO,
            lists_late: Duration::ZERO,
            tags_late: Duration::ZERO,
            login_late: Duration::ZERO,
            plain_passwords: false,
            replicas_differ: false,
            deletion_takes: Duration::ZERO,
            empty_create_is_idempotent: false,
            latency: Duration::ZERO,
            page_length: None,
            lacks_operation_ids: false,
            resource_takes: Duration::from_secs(2),
            seen_tokens: SeenTokens::default(),
            parameters_alone_are_updates: false,
            cancellation_has_its_own_token: false,
            rates: vec![],
            change_sets: ChangeSetBehaviour::default(),
            stacks_late: Duration::ZERO,
            resource_status: None,
            parents_late: Duration::ZERO,
            events_late: Duration::ZERO,
            logs_late: Duration::ZERO,
            empty_log_pages: false,
            executions_late: Duration::ZERO,
            source_takes: FIRST_RUN_AFTER,
            actions_take: Duration::ZERO,
            secrets_late: Duration::ZERO,
            secret_lists_late: Duration::ZERO,
            pending: Pending::default(),
            unknown_statuses: false,
            sync_takes: Duration::from_secs(3),
            gitlab: Behaviour::default(),
        }
    }
}

/// The treatment of a repeated token. Neither is documented; both are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeenTokens {
    /// The answer of the first time, and no second operation.
    #[default]
    SameAnswer,
    /// `TokenAlreadyExistsException`.
    Refused,
}

/// Where AWS's change sets differ from day to day, or are not documented.
#[derive(Clone, Debug)]
pub struct ChangeSetBehaviour {
    /// How long a change set is `CREATE_PENDING`.
    pub waits: Duration,
    /// How long it is `CREATE_IN_PROGRESS` afterwards.
    pub takes: Duration,
    /// Whether `DeleteChangeSet` is rejected while the stack is updated. The text of
    /// `InvalidChangeSetStatus` in its API Reference allows it: "or the stack status might be
    /// `UPDATE_IN_PROGRESS`".
    pub kept_during_updates: bool,
}

impl Default for ChangeSetBehaviour {
    fn default() -> Self {
        Self {
            waits: Duration::from_secs(1),
            takes: Duration::from_secs(4),
            kept_during_updates: false,
        }
    }
}

/// The effect on AWSPENDING when another label moves. AWS mentions it only in passing.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Moving AWSCURRENT to the version under AWSPENDING "also removes the AWSPENDING label in the
    /// same API call" (User Guide, "Lambda rotation functions", the finish step). AWS's own
    /// template leaves it to that.
    pub goes_with_current: bool,
    pub abandoned_by: AbandonedBy,
}

/// "When you manually create a new version of a secret with an in-progress rotation, Secrets
/// Manager removes the AWSPENDING label" (User Guide, `RotationAbandoned`). Whether a version that
/// does not become AWSCURRENT counts is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbandonedBy {
    Nothing,
    /// A version that becomes AWSCURRENT.
    Current,
    /// Any version but the pending one.
    Any,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            goes_with_current: true,
            abandoned_by: AbandonedBy::Current,
        }
    }
}
