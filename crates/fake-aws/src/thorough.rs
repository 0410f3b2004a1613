//! The share of the long tests that runs: a part each time, all or
//! far more with `CFN_GITOPS_THOROUGH=1` (`make test-thorough`).

/// `some`, or `thorough`.
pub fn some_or<T>(some: T, thorough: T) -> T {
    match std::env::var("CFN_GITOPS_THOROUGH").as_deref() {
        Ok("1") => thorough,
        _ => some,
    }
}
