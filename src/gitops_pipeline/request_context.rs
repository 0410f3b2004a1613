//! The request that the function works for.

use serde_json::Value;

use super::intent_log::{RequestKey, request_token};
use super::names::{AwsLocation, ResourceNames};
use crate::common::ownership;
use crate::common::ownership::Owner;
use crate::common::reason_codes::Code;
use crate::reconcile::sender;
use cfn_custom_resource::{Failure, Reason, Request, RequestType};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext {
    pub owner: Owner,
    pub request: RequestKey,
    /// When CloudFormation signed the request, in seconds since 1970, to compare with the stack's
    /// operations: see `Request::compared_at`.
    pub compared_at: u64,
    /// Partition, region and account of the parent stack and the child stack.
    pub location: AwsLocation,
    /// The request was sent by hand to a function on this machine: see `sender::is_local`.
    pub is_local: bool,
    /// The role with which CloudFormation changes the child stack.
    pub role_arn: String,
    /// The physical ID is the child stack's name, which a response of this resource has.
    pub names_stack: bool,
    /// A hash of the properties. The rollback of an update has those before it.
    pub properties_key: String,
}

impl RequestContext {
    pub fn new(request: &Request, names: &ResourceNames) -> Result<Self, Failure> {
        let Some(location) = AwsLocation::from_arn(&request.stack_id) else {
            let problem = "StackId: is not the ARN of a stack";
            let remedy = "Send the StackId that CloudFormation sends";
            return Err(Failure::new(Code::IncompleteRequest, problem, remedy));
        };
        let owner = Owner::of(request);
        let key = RequestKey::new(request.signed_at, &request.request_id, &owner.key());
        let id = request.physical_resource_id.as_ref();
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        Ok(RequestContext {
            names_stack: id == Some(&names.stack()) && !request.has_generated_id(),
            // The members of an object are sorted, so equal properties have equal keys.
            properties_key: ownership::key(&properties.to_string()),
            compared_at: request_token::seconds(request.compared_at()),
            is_local: sender::is_local(request),
            role_arn: location.role(&names.provisioning_role()),
            request: key,
            owner,
            location,
        })
    }

    /// Rejects a parent stack in another account or region, because the function would create the
    /// child stack in its own.
    pub fn check_location(&self, service_token: &str) -> Result<(), Failure> {
        match AwsLocation::from_arn(service_token) {
            Some(location) if location != self.location => {
                let problem = format!(
                    "ServiceToken: is a function in {} of account {}, which creates pipelines there",
                    location.region, location.account
                );
                let remedy = format!(
                    "Use the function in {} of account {}",
                    self.location.region, self.location.account
                );
                Err(Failure::new(Code::WrongFunction, problem, remedy))
            }
            _ => Ok(()),
        }
    }
}

/// The rejection of a `request` whose `ServiceToken` is not this function. `function_arn` is the
/// ARN of this function. `None` if the `ServiceToken` is this function.
///
/// The rule for a missing branch invokes the function that the `ServiceToken` names. CloudFormation
/// sends a request only to that function, so a request with another `ServiceToken` is forged.
/// Without this check, the other function would receive the branch's pushes.
pub fn names_another_function(request: &Request, function_arn: &str) -> Option<Reason> {
    let is_pipeline = request.resource_type == "Custom::GitOpsPipeline";
    if !is_pipeline || request.request_type == Some(RequestType::Delete) {
        return None;
    }
    let service_token = request.properties.as_ref().ok()?["ServiceToken"].as_str()?;
    // Only a local run has an ARN without a function's name.
    let (own, named) = (function_in(function_arn)?, function_in(service_token));
    (named.as_ref() != Some(&own)).then(|| {
        let problem = "ServiceToken: is not this function, which the rule of the branch invokes";
        Reason::new(Code::WrongFunction, problem, format!("Set it to {own}"))
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
