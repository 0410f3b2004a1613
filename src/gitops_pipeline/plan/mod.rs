//! What to do next with the child stack, purely.

use super::observe::ChildStack;
use super::request_context::RequestContext;
use super::request_token::Purpose;
use crate::ownership::Owner;

/// What a request to make the child stack so does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is none: create it.
    Create,
    /// Bring it to what is desired.
    Update,
    /// It is as desired: this request's operation made it so.
    Done,
    /// An operation runs.
    Wait,
    /// An update of an earlier request runs: nobody wants what it makes.
    CancelUpdate,
    /// A rollback failed before: try it again, then go on.
    ContinueRollback,
    /// What is left of something that failed is in the way: delete it, then go on.
    DeleteLeftover,
    /// This request's operation failed.
    Failed,
    /// It is not this resource's, or not this request's to change.
    Refuse(Refusal),
}

/// Why a child stack is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It belongs to another resource, or to nobody of this kind.
    Foreign(Option<Owner>),
    /// A later request has changed it.
    Overtaken,
    /// It is in a state that nothing here leads to.
    UnknownStatus,
}

/// What a Delete does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// There is nothing of this resource's (any more).
    Done,
    /// Delete it.
    Delete,
    /// An operation runs.
    Wait,
    /// An update runs that nobody wants any more.
    CancelUpdate,
    /// CloudFormation could not delete it.
    Failed,
}

/// Who began the latest operation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Begun {
    /// This request, for a purpose.
    This(Purpose),
    /// An earlier request of this resource's, for a purpose.
    Earlier(Purpose),
    /// A person, a first push, or somebody unknown.
    SomebodyElse,
}

/// The next step towards `content`. `begun_here` is the content towards which this invocation has
/// begun to create or update the stack, which counts where CloudFormation shows no token.
pub fn next(
    child: Option<&ChildStack>,
    context: &RequestContext,
    content: &str,
    begun_here: Option<&str>,
) -> Step {
    let Some(child) = child.filter(|child| child.status != "DELETE_COMPLETE") else {
        return Step::Create;
    };
    if child.owner.as_ref() != Some(&context.owner) {
        return Step::Refuse(Refusal::Foreign(child.owner.clone()));
    }
    if is_overtaken(child, context) {
        return Step::Refuse(Refusal::Overtaken);
    }
    let begun = begun(child, context, begun_here);
    let makes_this = matches!(&begun, Begun::This(purpose) if purpose.content().is_some());
    match child.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            match begun {
                Begun::This(purpose) if purpose.content() == Some(content) => Step::Done,
                _ => Step::Update,
            }
        }
        "UPDATE_ROLLBACK_COMPLETE"
        | "UPDATE_FAILED"
        | "ROLLBACK_COMPLETE"
        | "ROLLBACK_FAILED"
        | "CREATE_FAILED"
            if makes_this =>
        {
            Step::Failed
        }
        // What it was before is still there.
        "UPDATE_ROLLBACK_COMPLETE" | "UPDATE_FAILED" => Step::Update,
        // A stack that was never complete cannot be updated. Of a change set that was never
        // executed there are no resources.
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "REVIEW_IN_PROGRESS" => {
            Step::DeleteLeftover
        }
        "DELETE_FAILED" => match begun {
            Begun::This(Purpose::Delete | Purpose::Undo) => Step::Failed,
            _ => Step::DeleteLeftover,
        },
        // This request failed, and was cut off while it undid what it had made.
        "DELETE_IN_PROGRESS" if begun == Begun::This(Purpose::Undo) => Step::Failed,
        "UPDATE_ROLLBACK_FAILED" => match begun {
            Begun::This(Purpose::ContinueRollback) => Step::Failed,
            _ if makes_this => Step::Failed,
            _ => Step::ContinueRollback,
        },
        "UPDATE_IN_PROGRESS" => match begun {
            Begun::Earlier(purpose) if purpose.content().is_some() => Step::CancelUpdate,
            _ => Step::Wait,
        },
        _ if child.is_in_progress() => Step::Wait,
        _ => Step::Refuse(Refusal::UnknownStatus),
    }
}

/// The next step towards there being nothing: of this resource's, for a Delete, or of what this
/// request has failed to create, to undo it.
pub fn next_removal(
    child: Option<&ChildStack>,
    context: &RequestContext,
    purpose: &Purpose,
) -> Removal {
    let Some(child) = child.filter(|child| is_to_go(child, context, purpose)) else {
        return Removal::Done;
    };
    let begun = begun(child, context, None);
    match child.status.as_str() {
        "DELETE_COMPLETE" => Removal::Done,
        "DELETE_FAILED" if matches!(begun, Begun::This(Purpose::Delete | Purpose::Undo)) => {
            Removal::Failed
        }
        // CloudFormation deletes what it is still creating.
        "CREATE_IN_PROGRESS" | "REVIEW_IN_PROGRESS" => Removal::Delete,
        "UPDATE_IN_PROGRESS" => match begun {
            Begun::Earlier(purpose) if purpose.content().is_some() => Removal::CancelUpdate,
            _ => Removal::Wait,
        },
        _ if child.is_in_progress() => Removal::Wait,
        _ => Removal::Delete,
    }
}

/// Whether a removal for `purpose` is about `child` at all.
pub fn is_to_go(child: &ChildStack, context: &RequestContext, purpose: &Purpose) -> bool {
    let is_ours = child.owner.as_ref() == Some(&context.owner);
    // What was once complete has been told of as made, perhaps by another delivery.
    let was_complete = !matches!(
        child.status.as_str(),
        "CREATE_FAILED"
            | "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "DELETE_IN_PROGRESS"
            | "DELETE_FAILED"
            | "DELETE_COMPLETE"
    );
    let is_meant = *purpose != Purpose::Undo || !was_complete;
    // What a later request has made is not what this request is about.
    is_ours && is_meant && !is_overtaken(child, context)
}

/// Whether a later request of the resource's has changed the stack.
pub fn is_overtaken(child: &ChildStack, context: &RequestContext) -> bool {
    let latest = child.latest_request.as_ref();
    latest.is_some_and(|(latest, _)| latest.signed > context.request.signed)
}

/// Whether a later request of the resource's has made the stack so, and not deleted it.
pub fn is_made_by_later(child: &ChildStack, context: &RequestContext) -> bool {
    let latest = child.latest_request.as_ref();
    child.owner.as_ref() == Some(&context.owner)
        && is_overtaken(child, context)
        && latest.is_some_and(|(_, purpose)| *purpose != Purpose::Delete)
}

fn begun(child: &ChildStack, context: &RequestContext, begun_here: Option<&str>) -> Begun {
    match (child.latest_purpose(), begun_here) {
        (Some((request, purpose)), _) if request == context.request => Begun::This(purpose),
        (Some((_, purpose)), _) => Begun::Earlier(purpose),
        (None, Some(content)) if child.latest_token.is_none() => {
            Begun::This(Purpose::Make(content.to_owned()))
        }
        (None, _) => Begun::SomebodyElse,
    }
}

#[cfg(test)]
pub mod tests;
