//! The sentences that CloudFormation, CodePipeline and IAM write themselves.

/// The forms, as public reports have them: the test's table names one for most of them. A more
/// specific form comes first.
///
/// - `{id}`, `{ids}`: logical IDs, and names of parameters, mappings and conditions
/// - `{names}`, `{path}`: properties, attributes and keys, and a path of them
/// - `{type}`, `{types}`: types of resources and hooks, and transforms
/// - `{computed}`: a name that a template can compute, for example from a parameter
/// - `{literals}`: names that are not well-formed
/// - `{file}`: a path or an artifact of the pipeline
/// - `{status}`, `{verb}`, `{failure}`, `{error}`, `{service}`, `{kind}`, `{number}`, `{action}`,
///   `{policy}`: words of AWS
/// - `{violations}`: messages of the validation of properties
/// - `{word}`: one word, which is hidden
/// - `{rest}`: a text that has a form itself
/// - `<…>`: it is left out. `*` in it is any text
/// - `*`: any text, which is hidden
pub const FORMS: &[&str] = &[
    // The stack, and the action of the pipeline:
    // https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
    "Failed to execute change set. Current stack status: {status}. Reason: {rest}",
    "Failed to execute change set. Current stack status: {status}. Status reason is not available because IAM role associated \
     with the action does not have CloudFormation DescribeStackEvents permission",
    "No reason was provided",
    "Stack * is in the state {status}. {rest}",
    "Stack * is in the state {status}: {rest}",
    "Stack * is in the state {status}",
    "Embedded stack * was not successfully created: {rest}",
    "Embedded stack * was not successfully updated. Currently in {status} with reason: {rest}",
    "The following resource(s) failed to {verb}: [{ids}]. {rest}",
    "The following resource(s) failed to {verb}: [{ids}]",
    "Validation failed for following resources: [{ids}]",
    "{rest}. Rollback requested by user",
    ". Rollback requested by user",
    "Rollback requested by user",
    "User Initiated",
    "Resource {verb} cancelled",
    "Internal Failure",
    "Stack:* is in {status} state and can not be updated",
    "Stack * already exists",
    "Stack * does not exist",
    "ChangeSet * does not exist",
    "No updates are to be performed",
    "The submitted information didn't contain changes. Submit different information to create a change set",
    "ChangeSet * cannot be executed in its current status of [{status}]",
    "ChangeSet * cannot be executed in its current execution status of [{status}]",
    "ChangeSet * cannot be created due to a mismatch with existing attribute *",
    "An operation on this ChangeSet is currently in progress. Please attempt this operation again later",
    "File [{file}] does not exist in artifact [{file}]",
    "Cross-account pass role is not allowed",
    "Requires capabilities : [{codes}]",
    "Action denied by stack policy: Statement [#{number}] does not allow [*] for resource [*];",
    // A resource with its status, and the place that a validation names.
    "{id} ({type}) {status}: {rest}",
    "{id} {status}: {rest}",
    "{id} ({type}) {path}",
    "{id} ({type})",
    // Errors of services, in the frames of CloudFormation's handlers.
    "ValidationError: {rest}",
    "InsufficientCapabilitiesException: {rest}",
    "Resource handler returned message: \"\" (<RequestToken: *, >HandlerErrorCode: {failure})",
    "Resource handler returned message: \"{rest}\" (<RequestToken: *, >HandlerErrorCode: {failure})",
    "Resource handler returned message: \"{rest}\" (<RequestToken: *, >HandlerErrorCode: *)",
    "{rest} (Service: {service}<; Status Code: *>; Error Code: {error}<; Request ID: *>)",
    "{rest} (Service: {service}<, Status Code: *>)",
    "{rest}< (Request ID: *)>",
    "{rest}< (RequestId: *)>",
    "{rest}< (SDK Attempt Count: *)>",
    "API: {action} {rest}",
    "API: {word} {rest}",
    "Encountered a permissions error performing a tagging operation, please add required tag permissions. <*>Resource handler returned message: {rest}",
    "Encountered a permissions error performing a tagging operation, please add required tag permissions<*>",
    "Error occurred during operation '{rest}'",
    "ECS Deployment Circuit Breaker was triggered",
    "The maximum number of * has been reached",
    "The runtime parameter of * is no longer supported for creating or updating AWS Lambda functions<*>",
    "Rate exceeded for operation '{rest}'",
    "Rate exceeded",
    "Invalid request provided: {type}: {rest}",
    "Invalid request provided: {type}",
    "1 validation error detected: Value * at '{names}' failed to satisfy constraint: *",
    // IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    "User: * is not authorized to perform: {action} on resource: * because no {policy} allows the {action} action",
    "User: * is not authorized to perform: {action} because no {policy} allows the {action} action",
    "User: * is not authorized to perform: {action} on resource: * with an explicit deny in a {policy}",
    "User: * is not authorized to perform: {action} on resource: * with an explicit deny in an {policy}",
    "User: * is not authorized to perform: {action} on resource: * with an explicit deny in a {policy}: *",
    "User: * is not authorized to perform: {action} on resource: * with an explicit deny in an {policy}: *",
    "User: * is not authorized to perform: {action} on resource: * with an explicit deny",
    "User: * is not authorized to perform: {action} on resource: *",
    "User: * is not authorized to perform: {action}",
    "You are not authorized to perform this operation<*>",
    "Role * is invalid or cannot be assumed",
    "The role defined for the function cannot be assumed by Lambda",
    "Access Denied<*>",
    // Names that are taken, and updates that are impossible.
    "Resource of type '{type}' with identifier '*' already exists",
    "Resource of type '{type}' with identifier '*' was not found",
    "Resource of type '{type}' with identifier '*' did not stabilize",
    "Resource of type '{type}' with identifier '*' is not stabilized",
    "\"{rest}\"",
    "* already exists in stack<*>",
    "* already exists",
    "* did not stabilize",
    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename * and update the stack again",
    "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{ids}]",
    "Update to resource type {type} is not supported",
    // Validation and hooks.
    "The following hook(s)/validation failed: [{types}]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information",
    "The following hook(s)/validation failed: [{types}]",
    "The following hook(s) failed: [{types}]",
    "Hook failed with message: *",
    "Required property [{names}] not found",
    "Validation failed with {number} error(s)",
    "The bucket * is not empty. You must either delete all objects and versions or use the deletion policy to retain it, otherwise the delete operation will fail",
    // Properties.
    "Resource template validation failed for resource {id} as the template has invalid properties. Please refer to the resource documentation to fix the template. {rest}",
    "Properties validation failed for resource {id} with message: {violations}",
    "Properties validation failed for resource {id} with message: *",
    "Model validation failed ({violations})",
    "Model validation failed ({violations}) {violations} ({path})",
    "{violations}",
    "extraneous key [{names}] is not permitted",
    "required key [{names}] not found",
    "{path}: * is not a valid enum value",
    "Encountered unsupported property {names}",
    "Property validation failure: [{rest}]",
    "Encountered unsupported properties in {{path}}: [{names}]",
    "Value of property {{path}} does not match type {{kind}}",
    "The property {{path}} is required",
    "Value for property {{path}} does not match pattern *",
    "Value of property {names} must be of type {kind}",
    "Value of property {names} must be an object",
    "Property {names} cannot be empty",
    // The template.
    "Template validation error: {rest}",
    "Template format error: {rest}",
    "Template error: {rest}",
    "Unresolved resource dependencies [{names}] in the Resources block of the template",
    "Unresolved dependencies [{ids}]. Cannot reference resources in the Conditions block of the template",
    "Unrecognized resource types: [{types}]",
    "Unrecognized resource types: [{literals}]",
    "Unrecognized parameter type: {type}",
    "At least one Resources member must be defined",
    "Number of resources, {number}, is greater than maximum allowed, {number}",
    "Outputs count {number} is greater than max allowed {number}",
    "Template may not exceed {number} bytes in size",
    "[{path}] 'null' values are not allowed in templates",
    "YAML not well-formed. (line {number}, column {number})",
    "JSON not well-formed. (line {number}, column {number})",
    "unsupported structure",
    "Invalid template resource property '{names}'",
    "Circular dependency between resources: [{ids}]",
    "instance of Fn::GetAtt references undefined resource {id}",
    "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
    "every Fn::{error} object requires *",
    "resource {id} does not support attribute type {computed} in Fn::GetAtt",
    "[Error] {path}: Resource type {type} does not support attribute {{computed}}<*>",
    "Requested attribute {computed} does not exist in schema for {type}",
    "Requested attribute {computed} must be a readonly property in schema for {type}",
    "Attribute {computed} isn't a readonly property in schema<*>",
    "Unable to retrieve {computed} attribute for {type}, with error message {rest}",
    "Unable to retrieve {computed} attribute for {type}<*>",
    "Unable to get mapping for {computed}::{computed}::{computed}",
    "Mapping named '{computed}' is not present in the 'Mappings' section of template",
    "Fn::Select cannot select nonexistent value at index *",
    "TemplateURL must reference a valid S3 object to which you have access",
    "TemplateURL must be a supported URL",
    "S3 error: {rest}",
    "Error occurred while GetObject. S3 Error Code: {error}. S3 Error Message: *",
    "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for *. S3 Error Code: {error}. S3 Error Message: *",
    // Parameters.
    "Parameters: [{ids}] must have values",
    "Parameters: [{ids}] do not exist in the template",
    "Parameter values specified for a template which does not require them",
    "Cannot specify UsePreviousValue on Parameters when ChangeSetType is CREATE",
    "Parameter '{id}' must match pattern *",
    "Parameter '{id}' must be one of AllowedValues<*>",
    "Parameter {id} failed to satisfy constraint: *",
    "Parameter validation failed: parameter value<*> for parameter name {id} does not exist. {rest}",
    "Parameter validation failed: parameter value<*> for parameter name {id} does not exist",
    "Unable to fetch parameters [*] from parameter store for this account",
    "Parameters: [ssm:*] cannot be found",
    "Could not find a value associated with JSONKey in SecretString",
    // Exports.
    "Export with name * is already exported by stack *",
    "Export * cannot be {verb} as it is in use by *",
    "Delete canceled. Cannot delete export * as it is in use by *",
    "Cannot export output {id}. Exported values must not be empty or whitespace-only",
    "No export named * found",
    // Waiting, and custom resources.
    "Exceeded attempts to wait",
    "Resource timed out waiting for creation of physical resource",
    "Resource timed out waiting for completion",
    "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [*]<*>",
    "Custom Resource failed to stabilize in expected time<*>",
    "Received response status [FAILED] from custom resource. Message returned: *",
    "Failed to {verb} resource. *",
    "CustomResource attribute error: Vendor response doesn't contain {computed} key in object *",
    "Data returned must be an object",
    "Invalid PhysicalResourceId",
    "WaitCondition timed out. Received {number} conditions when expecting *",
    "WaitCondition received failed message: * for uniqueId: *",
    "Received {number} {status} signal(s) out of *. Unable to satisfy *% MinSuccessfulInstancesPercent requirement",
    "Received FAILURE signal with UniqueId *",
    "Failed to receive {number} resource signal(s) for the current batch. Each resource signal timeout is counted as a FAILURE",
    "Failed to receive {number} resource signal(s) within the specified duration",
    // Transforms. The first one is AWS's own, the text of others is the macro's.
    "Transform AWS::Serverless-2016-10-31 failed with: {rest}",
    "Invalid Serverless Application Specification document. Number of errors found: {number}. {rest}",
    "Resource with id [{names}] is invalid. {rest}",
    "Event with id [{names}] is invalid. {rest}",
    "property {names} not defined for resource of type {names}",
    "Logical ids must be alphanumeric",
    "Transform * failed with: *",
    "Internal transform failure",
    "Received malformed response from transform {type}",
    "No transform named {type} found<*>",
];

/// The texts that code of a user wrote: a custom resource, a macro, a hook or a signal.
const WRITTEN_BY_USERS: [&str; 8] = [
    "from custom resource. Message returned:",
    "Failed to create resource.",
    "Failed to update resource.",
    "Failed to delete resource.",
    "WaitCondition received failed message",
    "Hook failed with message",
    "Received FAILURE signal with",
    " failed with: ",
];

/// Whether `text` may contain a text that code of a user wrote. That of a handler is AWS's only if
/// it shows so: by the resource's type, or by the service that the handler called.
pub fn is_written_by_users(text: &str) -> bool {
    let in_parentheses = text.split('(').skip(1).filter_map(|it| it.split_once(')'));
    let types: Vec<&str> = in_parentheses.map(|(it, _)| it).filter(|it| is_type(it)).collect();
    let is_of_aws = |of_type: &&str| of_type.starts_with("AWS::") || of_type.starts_with("Alexa::");
    let is_of_handler = text.contains("Resource handler returned message");
    let shows_aws = types.iter().any(is_of_aws) || text.contains("(Service: ");
    WRITTEN_BY_USERS.iter().any(|it| text.contains(it))
        || !types.iter().all(is_of_aws)
        || (is_of_handler && !shows_aws)
}

fn is_type(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_alphanumeric());
    text.contains("::") && text.split("::").all(is_part)
}
