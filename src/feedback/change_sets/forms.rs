//! The sentences that CloudFormation, CodePipeline and IAM write themselves.
//!
//! A text is read from its beginning to its end, and must have a form as a whole. So a text that
//! only contains such a sentence, for example in a name that a template computes, does not have
//! that form. Everything that is neither a word of a form nor a name of the template is hidden.

use std::sync::OnceLock;

use regex_lite::{Captures, Regex, escape};

/// Replaces a text that is not shown.
pub const HIDDEN: &str = "…";

/// The most forms inside each other. CloudFormation nests a stack, a resource and a handler.
const MAX_DEPTH: usize = 8;

/// The forms, as public reports have them: the test's table names one for most of them. A more
/// specific form comes first.
///
/// - `{id}`, `{ids}`: logical IDs, and names of parameters, mappings and conditions
/// - `{names}`, `{path}`: properties, attributes and keys, and a path of them
/// - `{type}`, `{types}`: types of resources and hooks, and transforms
/// - `{computed}`: a name that a template can compute, for example from a parameter
/// - `{file}`: a path or an artifact of the pipeline
/// - `{status}`, `{verb}`, `{failure}`, `{error}`, `{service}`, `{kind}`, `{number}`, `{action}`,
///   `{policy}`: words of AWS
/// - `{violations}`: messages of the validation of properties
/// - `{word}`: one word, which is hidden
/// - `{rest}`: a text that has a form itself
/// - `<…>`: it is left out. `*` in it is any text
/// - `*`: any text, which is hidden
const FORMS: &[&str] = &[
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
    "Unrecognized parameter type: {type}",
    "At least one Resources member must be defined",
    "Number of resources, {number}, is greater than maximum allowed, {number}",
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
    let types: Vec<&str> = in_parentheses
        .map(|(it, _)| it)
        .filter(|it| is_type(it))
        .collect();
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

/// Which names of a template are shown.
pub trait Names {
    /// Whether a logical ID, a type or the name of a property is shown.
    fn is_shown(&self, name: &str) -> bool;
    /// Whether a name is shown that a template can compute.
    fn is_computed_shown(&self, name: &str) -> bool;
}

/// `text` with only the words of its form and the names that are shown. `None` if it has no form.
pub fn shown(text: &str, names: &dyn Names) -> Option<String> {
    shown_at(text, names, 0)
}

fn shown_at(text: &str, names: &dyn Names, depth: usize) -> Option<String> {
    if depth == MAX_DEPTH {
        return None;
    }
    let matched = |form: &'static Form| Some((form, form.regex.captures(text)?));
    let (form, found) = forms().iter().find_map(matched)?;
    let shown = form.render(&found, names, depth);
    // A frame around a hidden text has no meaning.
    let has_words = shown.chars().any(char::is_alphanumeric);
    has_words.then_some(shown)
}

/// A part of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Words(&'static str),
    /// Names, each of which is shown or not.
    Names,
    /// The same, also with indexes.
    Path,
    Computed,
    /// Words of AWS.
    Shown,
    Rest,
    Hidden,
}

/// The parts of a form that are in braces: the name, its pattern and its kind. With an `s` after
/// its name, it is a list.
const PARTS: [(&str, &str, Part); 19] = [
    ("id", "[A-Za-z0-9]+", Part::Names),
    ("name", "[A-Za-z0-9_.:/-]+", Part::Names),
    ("path", r"[#/][#/A-Za-z0-9_.:\[\]-]*", Part::Path),
    (
        "violation",
        r"[#/][#/A-Za-z0-9_.\[\]-]*: (?:#: )?(?:extraneous key \[[A-Za-z0-9_.:/-]+\] is not permitted|required key \[[A-Za-z0-9_.:/-]+\] not found|failed validation constraint for keyword \[[a-z][A-Za-z]{2,24}\]|only [0-9]{1,3} subschema matches out of [0-9]{1,3}|expected type: (?:KIND), found: (?:KIND))",
        Part::Path,
    ),
    (
        "type",
        "(?:(?:AWS|Alexa|Custom)(?:::[A-Za-z0-9_@-]+)+|[A-Za-z0-9]+::[A-Za-z0-9]+::[A-Za-z0-9]+(?:::MODULE)?)",
        Part::Names,
    ),
    ("computed", ".+?", Part::Computed),
    ("file", "[A-Za-z0-9_./-]+", Part::Shown),
    ("status", "[A-Z]{4,}(?:_[A-Z]+)*", Part::Shown),
    (
        "verb",
        "create|update|delete|import|creation|deletion|updated|deleted",
        Part::Shown,
    ),
    // https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    (
        "failure",
        "NotUpdatable|InvalidRequest|HandlerInternalFailure|AccessDenied|UnauthorizedTaggingOperation|InvalidCredentials|\
         AlreadyExists|NotFound|ResourceConflict|Throttling|ServiceLimitExceeded|NotStabilized|GeneralServiceException|\
         ServiceInternalError|ServiceTimeout|NetworkFailure|InternalFailure|InvalidTypeConfiguration|NonCompliant|Unknown|\
         UnsupportedTarget",
        Part::Shown,
    ),
    ("error", "[A-Z][A-Za-z.]{2,59}", Part::Shown),
    ("service", "[A-Z][A-Za-z0-9 ]{1,39}", Part::Shown),
    ("kind", KIND, Part::Shown),
    ("code", "[A-Z_]+", Part::Shown),
    ("number", "[0-9]{1,9}", Part::Shown),
    ("action", "[a-z0-9-]+:[A-Z][A-Za-z0-9]*", Part::Shown),
    (
        "policy",
        "(?:identity-based|resource-based|session|service control|resource control|VPC endpoint) policy|permissions boundary",
        Part::Shown,
    ),
    ("word", "[A-Za-z0-9]+", Part::Hidden),
    ("rest", ".+", Part::Rest),
];

/// The types of properties.
const KIND: &str = "(?:List of )?(?:String|Integer|Number|Boolean|Double|Long|Map|List|Object|Json|JSONArray|JSONObject|Null)";

/// The pattern and the kind of the part `name`.
fn part(name: &str) -> Option<(String, Part)> {
    let of = |name: &str| PARTS.iter().find(|(it, ..)| *it == name);
    if let Some((_, pattern, part)) = of(name) {
        return Some(((*pattern).replace("KIND", KIND), *part));
    }
    let (_, pattern, part) = of(name.strip_suffix('s')?)?;
    let pattern = pattern.replace("KIND", KIND);
    Some((format!("{pattern}(?:[, ]+{pattern})*"), *part))
}

#[derive(Debug)]
struct Form {
    regex: Regex,
    /// In their order. Each but the words has a group of the pattern.
    parts: Vec<Part>,
}

fn forms() -> &'static [Form] {
    static FORMS_READ: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS_READ.get_or_init(|| FORMS.iter().copied().filter_map(Form::read).collect())
}

impl Form {
    /// Reads a form. `None` if it is not well-formed, which a test excludes.
    fn read(form: &'static str) -> Option<Self> {
        let (mut pattern, mut parts, mut rest) = ("^".to_owned(), vec![], form);
        let mut is_left_out = false;
        while let Some(at) = rest.find(['{', '<', '>', '*']) {
            let (words, special) = rest.split_at_checked(at)?;
            // `{{path}}` is a part in braces.
            let at_name = special.strip_prefix("{{");
            let words_of = if at_name.is_some() {
                rest.get(..=at)?
            } else {
                words
            };
            pattern += &escape(words_of);
            if !is_left_out && !words_of.is_empty() {
                parts.push(Part::Words(words_of));
            }
            let special = at_name.map_or(special, |_| special.get(1..).unwrap_or_default());
            if special.starts_with('{') {
                let (name, further) = special.get(1..)?.split_once('}')?;
                let (of, part) = part(name)?;
                pattern.extend(["(", &of, ")"]);
                parts.push(part);
                rest = further;
                continue;
            }
            match special.get(..1)? {
                "*" if is_left_out => pattern += ".*",
                "*" => {
                    pattern += "(.*)";
                    parts.push(Part::Hidden);
                }
                mark => is_left_out = mark == "<",
            }
            rest = special.get(1..)?;
        }
        pattern += &escape(rest);
        // CloudFormation's own full stop may be missing, or that of the text around it.
        pattern += r"\.?$";
        if !rest.is_empty() {
            parts.push(Part::Words(rest));
        }
        let regex = Regex::new(&pattern).ok()?;
        Some(Form { regex, parts })
    }

    fn render(&self, found: &Captures<'_>, names: &dyn Names, depth: usize) -> String {
        let mut texts = found.iter().skip(1).flatten();
        let shown = self.parts.iter().map(|part| {
            if let Part::Words(words) = part {
                return (*words).to_owned();
            }
            let text = texts.next().map_or("", |text| text.as_str());
            match part {
                Part::Shown => text.to_owned(),
                Part::Names => each_name(text, |name| names.is_shown(name)),
                Part::Path => each_name(text, |name| is_index(name) || names.is_shown(name)),
                Part::Computed if names.is_computed_shown(text) => text.to_owned(),
                Part::Rest => {
                    let shown = shown_at(text, names, depth + 1);
                    shown.unwrap_or_else(|| HIDDEN.to_owned())
                }
                Part::Words(_) | Part::Computed | Part::Hidden => HIDDEN.to_owned(),
            }
        });
        shown.collect()
    }
}

/// Whether it is the index of a list in a path.
fn is_index(name: &str) -> bool {
    name.len() <= 3 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names in a list or path. One that is not shown is hidden.
fn each_name(text: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let mut shown = String::new();
    for part in text.split_inclusive([',', ' ', '/', '#', '[', ']']) {
        let name = part.trim_end_matches([',', ' ', '/', '#', '[', ']']);
        let is_shown = name.is_empty() || is_shown(name);
        shown.push_str(if is_shown { name } else { HIDDEN });
        shown.push_str(part.get(name.len()..).unwrap_or_default());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_well_formed() {
        for form in FORMS {
            assert!(Form::read(form).is_some(), "{form}");
        }
    }
}
