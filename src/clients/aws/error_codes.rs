//! The error codes and texts with which AWS throttles and denies.

/// Parts of the error codes of throttling: AWS did nothing.
pub(super) const THROTTLED: [&str; 4] = [
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "SlowDown",
];

/// The error codes of a denial.
pub(super) const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];

/// Parts of the messages of a denial that a permission of the function's role cannot allow.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
pub(super) const DENIED_ELSEWHERE: [&str; 7] = [
    "explicit deny",
    "no permissions boundary allows",
    "no service control policy allows",
    "no resource control policy allows",
    "no resource-based policy allows",
    "no session policy allows",
    "no VPC endpoint policy allows",
];
