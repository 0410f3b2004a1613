//! The AWS calls and GitLab clients that several steps use. The module of a step has its own calls.
//! Every call except issuing is idempotent. cfn-gitops issues at most once per attempt, without the
//! SDK's retries, and then looks for the result.

pub mod gitlab;
mod iam;
mod secrets_manager;

pub use self::iam::{CODECOMMIT, delete_credential, is_concurrent, tag_user};
pub use self::secrets_manager::{
    WriteResult, put, read_accesses, read_current_login, read_login, read_mirror_intent,
    read_saved_spec, read_version, write_claim,
};
