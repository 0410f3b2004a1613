//! The parameters of a review's change set.

use std::collections::BTreeMap;

use super::output::BuildOutput;
use crate::feedback::change_sets::Values;

/// The parameters for which CloudFormation would have no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingValues {
    /// Neither the template configuration nor an override names them.
    pub unnamed: Vec<String>,
    /// CodePipeline computes their overrides, and the deployed stack has no value yet.
    pub computed: Vec<String>,
    /// The path of the template configuration. `None` if there is none.
    pub configuration: Option<String>,
}

/// The parameters of the template without a value. `present` are the values of the deployed stack.
/// CodePipeline keeps none of them:
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1789>.
pub fn missing(output: &BuildOutput, present: &BTreeMap<String, String>) -> MissingValues {
    let mut missing = MissingValues::default();
    let declared = output.scan.parameters.iter();
    for (name, _) in declared.filter(|(_, has_default)| !**has_default) {
        match output.parameters.iter().find(|(key, _)| key == name) {
            None => missing.unnamed.push(name.clone()),
            Some((_, None)) if !present.contains_key(name) => missing.computed.push(name.clone()),
            Some(_) => {}
        }
    }
    missing
}

/// The parameters of the request. One that CodePipeline computes keeps its present value, or has
/// the template's default: CloudFormation rejects the previous value of a new parameter.
pub fn of_request(
    output: &BuildOutput,
    present: &BTreeMap<String, String>,
) -> Vec<(String, Option<String>)> {
    let mut parameters = output.parameters.clone();
    parameters.retain(|(key, value)| value.is_some() || present.contains_key(key));
    parameters
}

/// The values of the change set: those of the request, and those that the stack keeps. No note
/// shows them.
pub fn values(output: &BuildOutput, present: &BTreeMap<String, String>) -> Values {
    let values = output.parameters.iter();
    let values = values.filter_map(|(key, value)| value.as_ref().or_else(|| present.get(key)));
    Values::all(values.cloned())
}
