//! What every step of a request needs to know of it.

use super::names::{Names, Place};
use super::plan::Me;
use super::request_token::RequestKey;
use crate::cfn::{Failure, Progress, Reason, Request, RequestType};
use crate::ownership::Owner;
use crate::reason_codes::Code;

/// A request about one child stack.
#[derive(Clone, Debug)]
pub struct About {
    /// Whose it is and which.
    pub me: Me,
    /// Partition, region and account.
    pub place: Place,
    /// With which CloudFormation works on the child stack.
    pub role_arn: String,
    /// What is being done.
    pub progress: Progress,
}

impl About {
    /// What `request` says about the child stack of `names`.
    pub fn new(request: &Request, names: &Names, progress: &Progress) -> Result<Self, Failure> {
        let Some(place) = Place::of_arn(&request.stack_id) else {
            let reason = "StackId: is not the ARN of a stack";
            return Err(Failure::new(Code::IncompleteRequest, reason));
        };
        let owner = Owner {
            stack_id: request.stack_id.clone(),
            logical_id: request.logical_resource_id.clone(),
        };
        let key = RequestKey::new(request.signed_at, &request.request_id, &owner.key());
        Ok(About {
            role_arn: place.role(&names.provisioning_role()),
            me: Me {
                owner,
                request: key,
            },
            place,
            progress: progress.clone(),
        })
    }

    /// Makes sure that the stack is where the function is: the child stack would be made there.
    pub fn is_at_home(&self, service_token: &str) -> Result<(), Failure> {
        match Place::of_arn(service_token) {
            Some(place) if place != self.place => {
                let text = format!(
                    "ServiceToken: is a function in {} of account {}, and makes pipelines there; use \
                     the one in {} of account {}",
                    place.region, place.account, self.place.region, self.place.account
                );
                Err(Failure::new(Code::WrongFunction, text))
            }
            _ => Ok(()),
        }
    }
}

/// Why `request` for a pipeline is rejected, if its `ServiceToken` is not this function, whose ARN is
/// `function_arn`. Otherwise `None`.
///
/// The rule of a missing branch invokes the function that the `ServiceToken` names. CloudFormation
/// sends a request to no other, so another one is made up, and would get the branch's pushes.
pub fn names_another_function(request: &Request, function_arn: &str) -> Option<Reason> {
    let is_pipeline = request.resource_type == "Custom::GitOpsPipeline";
    if !is_pipeline || request.request_type == Some(RequestType::Delete) {
        return None;
    }
    let service_token = request.properties.as_ref().ok()?["ServiceToken"].as_str()?;
    // Only a local run has an ARN without a function's name.
    let (own, named) = (function_in(function_arn)?, function_in(service_token));
    (named.as_ref() != Some(&own)).then(|| {
        let text = format!(
            "ServiceToken: must be {own}, because the rule of the branch invokes this function"
        );
        Reason::new(Code::WrongFunction, text)
    })
}

/// The ARN of the function in `arn`, without the version or alias that may follow. `None` if `arn`
/// is not the ARN of a function.
fn function_in(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        [_, _, "lambda", _, _, "function", name, ..] if !name.is_empty() => {
            Some(parts[..7].join(":"))
        }
        _ => None,
    }
}
