//! The error of an approval.

use crate::clients::aws::CallError;
use crate::clients::gitlab::GitLabError;

/// Why it is unknown who approves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// AWS does not respond, or denies a call.
    #[error(transparent)]
    Aws(#[from] CallError),
    /// GitLab does not respond, or denies a request.
    #[error("{}", .0.reason().text())]
    GitLab(#[from] GitLabError),
}
