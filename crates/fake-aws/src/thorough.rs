//! How much of what would take too long is tried: some of it each time, all or
//! far more where `CFN_GITOPS_THOROUGH` is 1 (`make test-thorough`).

/// `some`, or `thorough`.
pub fn some_or<T>(some: T, thorough: T) -> T {
    match std::env::var("CFN_GITOPS_THOROUGH").as_deref() {
        Ok("1") => thorough,
        _ => some,
    }
}
