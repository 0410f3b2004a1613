//! The codes at the end of every reason, such as `CFG-302`.
//!
//! `docs/runbook/reason-codes.md` explains each: a test compares its headings with this table. A
//! code that no reason has is dead code for the compiler.

use std::fmt::Display;

use cfn_custom_resource::{Failure, ProtocolCodes, ReasonCode};

/// Each line: the variant, the number, and the heading in `docs/runbook/reason-codes.md`. A number
/// keeps its meaning for ever: a new cause gets a new number. The first digit is the subject.
macro_rules! reason_codes {
    ($($name:ident $number:literal $heading:literal)*) => {
        /// Why a request, a rotation or another event failed, or the operator's task after a
        /// success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $heading] $name,)*
        }

        impl Code {
            /// The code as a reason has it.
            const fn text(self) -> &'static str {
                match self {
                    $(Code::$name => concat!("CFG-", $number),)*
                }
            }
        }

        /// Every code with its heading, in the order of the numbers.
        pub const TABLE: &[(&str, &str)] = &[$((concat!("CFG-", $number), $heading),)*];
    };
}

reason_codes! {
    IncompleteRequest 101 "The request is incomplete"
    InvalidProperties 102 "Properties are invalid"
    WrongFunction 103 "The function does not serve this resource"
    ExpiredRequest 104 "CloudFormation no longer waits"
    OutOfTime 105 "No time was left"
    InternalError 106 "Internal error"
    NotContinued 107 "The request was not continued in another invocation"
    OvertakenByDelete 108 "A Delete came later"
    OvertakenByRequest 109 "A later request came first"
    UnusableEvent 110 "The event is unknown"
    ResponseNotDelivered 111 "The response was not delivered"
    AwsDenied 201 "The function's role does not allow the call"
    AwsDeniedElsewhere 202 "Another policy denies the call"
    AwsThrottled 203 "AWS throttles the calls"
    AwsUnavailable 204 "AWS did not respond as documented"
    AwsUnreachable 205 "AWS cannot be reached"
    KeyUnusable 206 "A KMS key cannot be used"
    AwsRejected 207 "AWS rejected the call"
    RepositoryMissing 208 "The repository does not exist"
    QuotaReached 209 "A quota of AWS is reached"
    UserMissing 301 "The IAM user does not exist"
    UserHeld 302 "The user belongs to another resource"
    SecretHeld 303 "The secret's tags do not name this resource"
    SecretScheduled 304 "The secret is scheduled for deletion"
    UserNameChanged 305 "`UserName` changed without `SecretName`"
    ForeignCredentials 306 "The user has credentials of another origin"
    NoFreeSlot 307 "The user has no free slot"
    LoginRejected 308 "CodeCommit rejects the login"
    PushDenied 309 "The login is not allowed to push"
    MoveNotVerified 310 "CloudFormation did not send the request"
    CredentialInactive 311 "The credential stays inactive"
    GitLabUnreachable 401 "GitLab cannot be reached"
    GitLabNotTrusted 402 "GitLab's certificate is not trusted"
    NotGitLab 403 "The response is not GitLab's"
    TokenUnusable 404 "The secret holds no GitLab token"
    TokenNotAllowed 405 "The token's owner does not allow this use"
    TokenRejected 406 "GitLab rejects the token"
    TokenLacksAccess 407 "The token lacks access"
    ProjectMissing 408 "The project was not found"
    MirrorsDisabled 409 "GitLab does not enable the mirror"
    MirrorLimit 410 "The project has too many mirrors"
    AddressRejected 411 "GitLab rejects the mirror's address"
    GitLabRejected 412 "GitLab rejected the call"
    PushesEveryBranch 413 "GitLab would push every branch"
    BranchNotMirrored 414 "A required branch is not mirrored"
    PushFailed 415 "The mirror's push failed"
    MirrorsLeft 416 "A mirror is left in GitLab"
    PushInterrupted 417 "A mirror was deleted during its push"
    LfsNotMirrored 418 "Git LFS objects may not be mirrored"
    ReportDenied 419 "GitLab denies a part of the report"
    ReportRejected 420 "GitLab rejects a part of the report"
    MirrorNotShown 421 "GitLab does not show the mirror as it was created"
    PartSwitchedOff 422 "A part of the project is switched off"
    NoTlsConnection 423 "The TLS handshake with GitLab failed"
    OtherProject 424 "The path leads to another project"
    StackFailed 501 "The operation on the child stack failed"
    StackHeld 502 "The child stack's name is taken"
    StackUnchangeable 503 "The child stack cannot be changed"
    RepositoryHeld 504 "The repository cannot be used"
    ApprovalRuleHeld 505 "The approval rule template's name is taken"
    StackNotDeleted 506 "The child stack was not deleted"
    SourceHidden 507 "The source in the other account is not visible"
    BucketNotShared 508 "The artifact bucket does not admit the other account"
    RoleUnusable 509 "A role cannot be used"
    AccountNotAdmitted 510 "The account cannot create CodeCommit repositories"
    NothingToRotate 601 "The secret cannot be rotated"
    RotationNotPending 602 "The rotation is not in progress"
    RotationDeferred 603 "The rotation waits for the stack"
    RotationOvertaken 604 "The rotation was superseded"
}

impl From<Code> for ReasonCode {
    fn from(code: Code) -> Self {
        ReasonCode(code.text())
    }
}

/// The remedy where nothing more is known than AWS's message.
pub(crate) const AWS_SAYS_IT: &str = "AWS's message is all that is known";

/// The remedy where nothing more is known than GitLab's message.
pub(crate) const GITLAB_SAYS_IT: &str = "GitLab's message is all that is known";

/// The codes of the failures that the protocol reports.
pub const PROTOCOL: ProtocolCodes = ProtocolCodes {
    incomplete_request: ReasonCode(Code::IncompleteRequest.text()),
    expired_request: ReasonCode(Code::ExpiredRequest.text()),
    out_of_time: ReasonCode(Code::OutOfTime.text()),
    internal_error: ReasonCode(Code::InternalError.text()),
    not_continued: ReasonCode(Code::NotContinued.text()),
};

pub(crate) fn invalid_properties(errors: &impl Display) -> Failure {
    let remedy = "Correct the properties in the template";
    Failure::new(Code::InvalidProperties, errors.to_string(), remedy)
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    const PAGE: &str = include_str!("../../docs/runbook/reason-codes.md");

    /// The sections of the page, each with its heading, such as
    /// `CFG-101: The request is incomplete`.
    fn sections() -> Vec<(&'static str, &'static str)> {
        let sections = PAGE.split("\n## ");
        sections
            .filter(|section| section.starts_with("CFG-"))
            .map(|section| section.split_once('\n').expect("a heading"))
            .collect()
    }

    #[test]
    fn page_explains_each_code_in_order() {
        let headings: Vec<_> = sections().iter().map(|(heading, _)| *heading).collect();
        let codes = TABLE.iter().map(|(code, heading)| format!("{code}: {heading}"));
        assert_eq!(headings, codes.collect::<Vec<_>>());
    }

    #[test]
    fn each_section_has_meaning_cause_and_remedy() {
        for (heading, section) in sections() {
            let items: Vec<_> = section.trim().split("\n- ").collect();
            assert_eq!(items.len(), 3, "{heading}");
            for (name, item) in ["Meaning", "Cause", "Remedy"].iter().zip(items) {
                let text = item.trim_start_matches("- ");
                assert!(text.starts_with(&format!("**{name}:** ")), "{heading}");
                assert!(text.ends_with('.'), "{heading}: {text}");
            }
        }
    }

    #[test]
    fn codes_ascend_and_have_a_subject() {
        assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b), "{TABLE:?}");
        for (code, heading) in TABLE {
            assert!(!heading.ends_with('.'), "{heading}");
            let subject = code.get(..5).expect("a digit");
            assert!(PAGE.contains(&format!("| `{subject}…` | ")), "{code}");
        }
    }
}
