//! The statuses of stacks, by the names of the SDK's enum, and the conditions that each meets.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>

use std::fmt;

use aws_sdk_cloudformation::types;

use crate::common::commands::aws;
use cfn_custom_resource::Command;

#[allow(clippy::enum_glob_use)] // Nearly all are named below.
use self::StackStatus::*;

macro_rules! statuses {
    ($($status:ident)*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum StackStatus {
            $($status,)*
            /// This function does not know it. Empty if CloudFormation returns none.
            Unknown(String),
        }

        impl StackStatus {
            /// The status of a description of the stack, or of an event of the stack itself.
            pub fn parse(status: Option<impl AsRef<str>>) -> Self {
                let text = status.as_ref().map_or("", AsRef::as_ref);
                match types::StackStatus::from(text) {
                    $(types::StackStatus::$status => StackStatus::$status,)*
                    _ => StackStatus::Unknown(text.to_owned()),
                }
            }

            pub fn as_str(&self) -> &str {
                match self {
                    $(StackStatus::$status => types::StackStatus::$status.as_str(),)*
                    StackStatus::Unknown(text) => text,
                }
            }
        }
    };
}

statuses! {
    ReviewInProgress
    CreateInProgress CreateComplete CreateFailed
    RollbackInProgress RollbackComplete RollbackFailed
    UpdateInProgress UpdateCompleteCleanupInProgress UpdateComplete UpdateFailed
    UpdateRollbackInProgress UpdateRollbackCompleteCleanupInProgress UpdateRollbackComplete UpdateRollbackFailed
    DeleteInProgress DeleteComplete DeleteFailed
    ImportInProgress ImportComplete
    ImportRollbackInProgress ImportRollbackComplete ImportRollbackFailed
}

impl StackStatus {
    /// The statuses that `meet` a condition, as a call sends them.
    pub fn all_that(meet: fn(&Self) -> bool) -> Vec<types::StackStatus> {
        let all = types::StackStatus::values().iter();
        let meeting = all.filter(|status| meet(&Self::parse(Some(status))));
        meeting.map(|status| types::StackStatus::from(*status)).collect()
    }

    /// The calls that CloudFormation accepts in it, without `DisableRollback` and without a
    /// deployment mode. `tests/rules` compares them with the rules of both emulators.
    ///
    /// - The statuses: the page above.
    /// - `CREATE_FAILED` and `UPDATE_FAILED` remain if rollback is disabled:
    ///   <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html>.
    ///   `RollbackStack` is accepted in them alone:
    ///   <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html>.
    ///   Recorded refusals: of `UpdateStack`
    ///   <https://github.com/ansible-collections/amazon.aws/issues/1655>, of `ExecuteChangeSet`
    ///   after an accepted `CreateChangeSet` <https://github.com/aws/aws-cdk/issues/30546>.
    /// - `UPDATE_ROLLBACK_FAILED`:
    ///   <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
    /// - `ROLLBACK_COMPLETE` and `ROLLBACK_FAILED`:
    ///   <https://github.com/aws-solutions-library-samples/data-lakes-on-aws/issues/109>
    pub fn accepted_calls(&self) -> Vec<&'static str> {
        let calls = match self {
            CreateComplete
            | UpdateComplete
            | UpdateRollbackComplete
            | ImportComplete
            | ImportRollbackComplete => "CreateChangeSet ExecuteChangeSet UpdateStack DeleteStack",
            CreateFailed | UpdateFailed => "CreateChangeSet DeleteStack RollbackStack",
            UpdateRollbackFailed => "DeleteStack ContinueUpdateRollback",
            ReviewInProgress => "CreateChangeSet ExecuteChangeSet DeleteStack",
            CreateInProgress | RollbackComplete | RollbackFailed | DeleteInProgress
            | DeleteComplete | DeleteFailed | ImportRollbackFailed => "DeleteStack",
            _ => "",
        };
        calls.split_whitespace().collect()
    }

    /// The subcommand of `aws cloudformation` with which a person gets a stack out of it. `None` if
    /// CloudFormation updates the stack, while an operation runs, or if AWS names none.
    pub fn way_out(&self) -> Option<&'static str> {
        match self {
            UpdateFailed => Some("rollback-stack"),
            UpdateRollbackFailed => Some("continue-update-rollback"),
            status if status.is_only_deletable() => Some("delete-stack"),
            _ => None,
        }
    }

    /// The command of [`StackStatus::way_out`] for the stack `name`.
    pub fn command(&self, name: &str) -> Option<Command> {
        let way_out = self.way_out()?;
        Some(aws(["cloudformation", way_out, "--stack-name", name]))
    }

    /// Its row in `cli/rules.json`: calls, a subcommand, and conditions that it meets.
    pub fn meanings(&self) -> Vec<&'static str> {
        let mut row = self.accepted_calls();
        row.extend(self.way_out());
        row.extend(self.is_cleaning_up().then_some("cleaning_up"));
        row.extend(self.is_deletion().then_some("deletion"));
        row
    }

    /// Whether an operation runs, or a change set that would create the stack was not executed yet.
    /// CloudFormation's names show it, of unknown statuses too.
    pub fn is_in_progress(&self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS")
    }

    /// Whether it rolls an operation back. The cleanup after it sends no Update.
    pub fn is_rolling_back(&self) -> bool {
        matches!(
            self,
            RollbackInProgress | UpdateRollbackInProgress | ImportRollbackInProgress
        )
    }

    /// Whether only old resources are still deleted, after the operation has succeeded or failed.
    pub fn is_cleaning_up(&self) -> bool {
        matches!(
            self,
            UpdateCompleteCleanupInProgress | UpdateRollbackCompleteCleanupInProgress
        )
    }

    /// Whether it exists and no operation runs. With an unknown status too: then a missing resource
    /// is reported.
    pub fn is_settled(&self) -> bool {
        !self.is_in_progress() && *self != DeleteComplete
    }

    /// Whether its latest operation has succeeded, or was rolled back to the former version.
    /// CloudFormation updates it only then.
    pub fn is_complete(&self) -> bool {
        self.accepted_calls().contains(&"UpdateStack")
    }

    /// Whether its latest operation deletes or has deleted it, or failed to.
    pub fn is_deletion(&self) -> bool {
        matches!(self, DeleteInProgress | DeleteComplete | DeleteFailed)
    }

    /// Whether its creation failed.
    pub fn was_never_complete(&self) -> bool {
        matches!(self, CreateFailed | RollbackComplete | RollbackFailed)
    }

    /// Whether CloudFormation can neither update nor repair it.
    pub fn is_only_deletable(&self) -> bool {
        self.was_never_complete() || matches!(self, ReviewInProgress | DeleteFailed)
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cli/rules.json` has the meanings of each.
    #[test]
    fn each_status_of_the_sdk_is_known() {
        for text in types::StackStatus::values() {
            let status = StackStatus::parse(Some(text));
            assert!(!matches!(status, StackStatus::Unknown(_)), "{text}");
            assert_eq!(status.to_string(), *text);
        }
    }

    #[test]
    fn unknown_status_has_only_careful_meanings() {
        for (text, is_settled) in [("EXPORT_IN_PROGRESS", false), ("EXPORT_COMPLETE", true)] {
            let status = StackStatus::parse(Some(text));
            let found = (status.meanings(), status.is_settled());
            assert_eq!(found, (vec![], is_settled), "{text}");
        }
        let absent = StackStatus::parse(None::<&str>);
        let found = (absent.as_str(), absent.meanings(), absent.is_settled());
        assert_eq!(found, ("", vec![], true));
    }
}
