//! The text of a failed run: its panic, and every call that it made.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use crate::handle::FakeAws;

/// Separates a panic's message from the journals.
const CALLS: &str = "\nThe calls:\n";

thread_local! {
    /// The fakes of the run on this thread. `None` outside of a run.
    static OF_RUN: RefCell<Option<Vec<FakeAws>>> = const { RefCell::new(None) };
}

/// Remembers that the run calls this fake.
pub(crate) fn note(fake: &FakeAws) {
    OF_RUN.with_borrow_mut(|fakes| {
        if let Some(fakes) = fakes
            && !fakes.iter().any(|known| known.is(fake))
        {
            fakes.push(fake.clone());
        }
    });
}

/// Runs `run`. If it panics, the journals of its fakes are printed, and part of the panic's text.
pub(crate) fn with_journals<T>(run: impl FnOnce() -> T) -> T {
    OF_RUN.set(Some(vec![]));
    let result = catch_unwind(AssertUnwindSafe(run));
    let fakes = OF_RUN.take().unwrap_or_default();
    result.unwrap_or_else(|panic| {
        let journals: Vec<String> = fakes.iter().map(FakeAws::transcript).collect();
        let journals = format!("{CALLS}{}", journals.join("\n\n"));
        eprintln!("{journals}");
        resume_unwind(Box::new(text(&*panic) + &journals))
    })
}

/// The text of a panic, with the journals of its run. Empty if it has none.
pub fn text(panic: &(dyn Any + Send)) -> String {
    let formatted = panic.downcast_ref::<String>().cloned();
    let literal = || panic.downcast_ref::<&str>().map(ToString::to_string);
    formatted.or_else(literal).unwrap_or_default()
}

/// The text of a panic without the journals.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let mut text = text(panic);
    text.truncate(text.find(CALLS).unwrap_or(text.len()));
    text
}
