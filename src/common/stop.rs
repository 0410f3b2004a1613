//! The early end of a task: an error, or a reason to do nothing.

use std::borrow::Cow;
use std::error::Error;

/// Why there is nothing to do.
pub type Because = Cow<'static, str>;

/// Why a task ends without a result. `?` converts the errors of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop<E, B = Because> {
    /// There is nothing to do, for this reason.
    Nothing(B),
    Failed(E),
}

impl<E> Stop<E> {
    pub fn nothing(because: impl Into<Because>) -> Self {
        Stop::Nothing(because.into())
    }

    /// The same end of a larger task, which has errors of another type.
    pub fn map<F>(self, of: impl FnOnce(E) -> F) -> Stop<F> {
        match self {
            Stop::Nothing(because) => Stop::Nothing(because),
            Stop::Failed(error) => Stop::Failed(of(error)),
        }
    }
}

impl<X: Error, E: From<X>, B> From<X> for Stop<E, B> {
    fn from(error: X) -> Self {
        Stop::Failed(error.into())
    }
}
