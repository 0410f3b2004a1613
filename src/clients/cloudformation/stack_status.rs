//! The statuses of stacks, by the names of the SDK's enum, and the conditions that each meets.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>

use std::fmt;

use aws_sdk_cloudformation::types;

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

    /// The names of the conditions that it meets.
    pub fn meanings(&self) -> Vec<&'static str> {
        let all = [
            ("in_progress", self.is_in_progress()),
            ("rolling_back", self.is_rolling_back()),
            ("cleaning_up", self.is_cleaning_up()),
            ("settled", self.is_settled()),
            ("complete", self.is_complete()),
            ("updatable", self.is_updatable()),
            ("never_complete", self.was_never_complete()),
            ("only_deletable", self.is_only_deletable()),
            ("deletion", self.is_deletion()),
        ];
        all.into_iter().filter_map(|(name, is_met)| is_met.then_some(name)).collect()
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
    /// CloudFormation accepts a change set then.
    pub fn is_complete(&self) -> bool {
        matches!(
            self,
            CreateComplete
                | UpdateComplete
                | UpdateRollbackComplete
                | ImportComplete
                | ImportRollbackComplete
        )
    }

    /// Whether a call can update it as it is.
    pub fn is_updatable(&self) -> bool {
        self.is_complete() || *self == UpdateFailed
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
        let of = |text: &str| StackStatus::parse(Some(text)).meanings();
        assert_eq!(of("EXPORT_IN_PROGRESS"), ["in_progress"]);
        assert_eq!(of("EXPORT_COMPLETE"), ["settled"]);
        let absent = StackStatus::parse(None::<&str>);
        assert_eq!((absent.as_str(), absent.meanings()), ("", vec!["settled"]));
    }
}
