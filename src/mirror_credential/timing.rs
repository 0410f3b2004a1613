//! Time limits and intervals for AWS, GitLab and peers, and the limit of concurrency.

use std::time::Duration;

/// IAM and Secrets Manager show every change within this time. AWS documents both as eventually
/// consistent, without a limit. Seconds are observed.
pub const PROPAGATION_TIME: Duration = Duration::from_secs(10);

/// The interval between polls of IAM, or of a peer that is about to finish.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Secrets Manager frees a secret's name within this time after a forced deletion.
pub const NAME_RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Every delivery has ended this long after its last change: Lambda's 15 minutes and a margin.
pub const LAMBDA_MAX_LIFETIME: Duration = Duration::from_secs(20 * 60);

/// How long a delivery that lost the log waits for its peer before it takes the log over again.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(40);

/// A Create that never responded, or a second delivery of a failed Create, may still run. A Delete
/// reads the users again this long after it wrote the tombstone. By then, IAM shows the changes of
/// such a Create, or the Create has read the tombstone.
pub const RUNNING_CREATE_TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum age of the user's tags when the secret is created. It is less than
/// [`RUNNING_CREATE_TIMEOUT`], so that a Create which still runs finds the tombstone.
pub const MAX_TAG_AGE: Duration = Duration::from_secs(4);

/// How many mirrors, or projects, a request reads or changes concurrently in GitLab.
pub const MIRRORS_AT_ONCE: usize = 10;
