//! A CloudFormation template with all values resolved: the intrinsic functions, conditions
//! and pseudo parameters that the product's templates use, and no others. Unknown ones
//! are rejected, as CloudFormation rejects them ("Template format error",
//! User Guide, Intrinsic function reference; Conditions; Mappings; Parameters).

use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use crate::services::{iam::ACCOUNT, stacks::resource_kinds};

/// "Template body: 51,200 bytes" (User Guide, CloudFormation quotas).
pub const LONGEST: usize = 51_200;

const SECTIONS: [&str; 7] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];

const ATTRIBUTES: [&str; 6] = [
    "Type",
    "Properties",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
];

pub type Parameters = BTreeMap<String, String>;

/// The treatment of a resource that its stack no longer contains (User Guide, `DeletionPolicy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    #[default]
    Delete,
    Retain,
    /// Like `Retain`, except when the operation that created it is rolled back.
    RetainExceptOnCreate,
}

/// A resource as its stack is to have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    pub logical_id: String,
    pub kind: String,
    pub physical_id: String,
    pub properties: Value,
    pub metadata: Value,
    pub deletion: Policy,
    pub replacement: Policy,
}

/// A template with parameters, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Each after those that it refers to.
    pub resources: Vec<Desired>,
    pub outputs: BTreeMap<String, String>,
    pub parameters: Parameters,
}

/// Resolves a template for the stack of this name and id. The error is
/// CloudFormation's message.
pub fn resolve(
    template: &Value,
    given: &Parameters,
    stack_name: &str,
    stack_id: &str,
) -> Result<Resolved, String> {
    let known = template.as_object().ok_or("Template format error")?;
    if let Some(unknown) = known.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        return Err(format!(
            "Invalid template property or properties [{unknown}]"
        ));
    }
    let parameters = parameters(template, given)?;
    let pseudo = [
        ("AWS::StackName", stack_name),
        ("AWS::StackId", stack_id),
        ("AWS::AccountId", ACCOUNT),
        ("AWS::Region", "eu-central-1"),
        ("AWS::Partition", "aws"),
        ("AWS::URLSuffix", "amazonaws.com"),
    ];
    let mut resolver = Resolver {
        template,
        parameters: &parameters,
        pseudo: pseudo.into_iter().collect(),
        doing: vec![],
        done: vec![],
    };
    let resources = template["Resources"].as_object();
    let resources = resources.ok_or("At least one Resources member must be defined.")?;
    for logical_id in resources.keys() {
        if resolver.exists(logical_id)? {
            resolver.resource(logical_id)?;
        }
    }
    let mut outputs = BTreeMap::new();
    for (name, output) in template["Outputs"].as_object().into_iter().flatten() {
        if let Some(condition) = output["Condition"].as_str()
            && !resolver.condition(condition)?
        {
            continue;
        }
        if !output["Export"].is_null() {
            return Err("the fake does not know Export".to_owned());
        }
        let value = resolver.value(&output["Value"])?.unwrap_or_default();
        outputs.insert(name.clone(), text_of(&value)?);
    }
    let resources = resolver.done;
    Ok(Resolved {
        resources,
        outputs,
        parameters,
    })
}

/// Rejects parameters that the template does not have.
pub fn check_declared(template: &Value, given: &Parameters) -> Result<(), String> {
    let is_unknown = |name: &&String| template["Parameters"][name.as_str()].is_null();
    let unknown = given.keys().filter(is_unknown).map(String::as_str);
    let unknown: Vec<&str> = unknown.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let unknown = unknown.join(", ");
    Err(format!(
        "Parameters: [{unknown}] do not exist in the template"
    ))
}

/// The parameters with their defaults, each as the template allows it.
fn parameters(template: &Value, given: &Parameters) -> Result<Parameters, String> {
    let empty = Map::new();
    let declared = template["Parameters"].as_object().unwrap_or(&empty);
    check_declared(template, given)?;
    let mut all = Parameters::new();
    for (name, declaration) in declared {
        if declaration["Type"] != "String" {
            return Err(format!("the fake does not know the type of {name}"));
        }
        let value = given.get(name).map(String::as_str);
        let Some(value) = value.or(declaration["Default"].as_str()) else {
            return Err(format!("Parameters: [{name}] must have values"));
        };
        let allowed = declaration["AllowedValues"].as_array();
        if allowed.is_some_and(|allowed| !allowed.iter().any(|one| one == value)) {
            return Err(format!("Parameter '{name}' must be one of AllowedValues"));
        }
        let pattern = declaration["AllowedPattern"].as_str();
        if pattern.is_some_and(|pattern| !matches(pattern, value)) {
            return Err(format!(
                "Parameter '{name}' must match pattern {}",
                pattern.unwrap_or_default()
            ));
        }
        all.insert(name.clone(), value.to_owned());
    }
    Ok(all)
}

/// "The entire parameter value must match the pattern" (User Guide, Parameters).
fn matches(pattern: &str, value: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(value))
}

struct Resolver<'a> {
    template: &'a Value,
    parameters: &'a Parameters,
    pseudo: BTreeMap<&'static str, &'a str>,
    doing: Vec<String>,
    done: Vec<Desired>,
}

impl Resolver<'_> {
    /// Whether the resource's condition holds.
    fn exists(&self, logical_id: &str) -> Result<bool, String> {
        match self.template["Resources"][logical_id]["Condition"].as_str() {
            Some(condition) => self.condition(condition),
            None => Ok(true),
        }
    }

    fn resource(&mut self, logical_id: &str) -> Result<Desired, String> {
        if let Some(done) = self.done.iter().find(|one| one.logical_id == logical_id) {
            return Ok(done.clone());
        }
        let template = self.template;
        let declared = &template["Resources"][logical_id];
        let is_there = declared.is_object() && self.exists(logical_id)?;
        if !is_there {
            return Err(format!(
                "Template format error: Unresolved resource dependencies [{logical_id}] in the \
                 Resources block of the template"
            ));
        }
        if self.doing.iter().any(|one| one == logical_id) {
            let circle = self.doing.join(", ");
            return Err(format!("Circular dependency between resources: [{circle}]"));
        }
        let attributes = declared.as_object().into_iter().flatten();
        for (attribute, _) in attributes {
            if !ATTRIBUTES.contains(&attribute.as_str()) {
                return Err(format!("Invalid template resource property '{attribute}'"));
            }
        }
        self.doing.push(logical_id.to_owned());
        let properties = self.value(&declared["Properties"])?.unwrap_or_default();
        let metadata = self.value(&declared["Metadata"])?.unwrap_or_default();
        self.doing.pop();
        let kind = declared["Type"].as_str().unwrap_or_default().to_owned();
        let desired = Desired {
            logical_id: logical_id.to_owned(),
            physical_id: resource_kinds::physical_id(&kind, &properties)?,
            kind,
            properties,
            metadata,
            deletion: policy(&declared["DeletionPolicy"])?,
            replacement: policy(&declared["UpdateReplacePolicy"])?,
        };
        self.done.push(desired.clone());
        Ok(desired)
    }

    fn condition(&self, name: &str) -> Result<bool, String> {
        let conditions = &self.template["Conditions"];
        if conditions[name].is_null() {
            return Err(format!(
                "Template format error: Condition {name} is not defined."
            ));
        }
        self.holds(&conditions[name])
    }

    fn holds(&self, condition: &Value) -> Result<bool, String> {
        let Some((function, argument)) = only_member(condition) else {
            return Err("Template format error: a condition is one function".to_owned());
        };
        let parts = argument.as_array().map_or(&[][..], Vec::as_slice);
        match (function, parts) {
            ("Fn::Equals", [one, other]) => Ok(self.plain(one)? == self.plain(other)?),
            ("Fn::Not", [one]) => Ok(!self.holds(one)?),
            _ => Err(format!("the fake does not know the condition {function}")),
        }
    }

    /// A value in a condition or a mapping's key: resources cannot be referred to there.
    fn plain(&self, value: &Value) -> Result<String, String> {
        match (value, only_member(value)) {
            (_, Some(("Ref", name))) => {
                let name = name.as_str().unwrap_or_default();
                let found = self.parameter(name);
                found.ok_or_else(|| format!("Template format error: Unresolved {name}"))
            }
            (_, Some((function, _))) => Err(format!("the fake does not know {function} here")),
            (plain, None) => text_of(plain),
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let given = self.parameters.get(name).cloned();
        given.or_else(|| self.pseudo.get(name).map(ToString::to_string))
    }

    /// None is `AWS::NoValue`.
    fn value(&mut self, value: &Value) -> Result<Option<Value>, String> {
        if let Some((function, argument)) = only_member(value)
            && (function == "Ref" || function.starts_with("Fn::"))
        {
            return self.call(function, argument);
        }
        Ok(Some(match value {
            Value::Object(members) => {
                let mut all = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.value(member)? {
                        all.insert(name.clone(), member);
                    }
                }
                all.into()
            }
            Value::Array(items) => {
                let mut all = vec![];
                for item in items {
                    all.extend(self.value(item)?);
                }
                all.into()
            }
            Value::Null => return Ok(None),
            plain => plain.clone(),
        }))
    }

    fn call(&mut self, function: &str, argument: &Value) -> Result<Option<Value>, String> {
        let parts = argument.as_array().map_or(&[][..], Vec::as_slice);
        Ok(Some(match (function, parts) {
            ("Ref", _) => match argument.as_str().unwrap_or_default() {
                "AWS::NoValue" => return Ok(None),
                name => self.reference(name)?.into(),
            },
            ("Fn::GetAtt", [logical_id, attribute]) => {
                let (logical_id, attribute) = (text_of(logical_id)?, text_of(attribute)?);
                self.attribute(&logical_id, &attribute)?.into()
            }
            ("Fn::If", [condition, yes, no]) => {
                let condition = self.condition(condition.as_str().unwrap_or_default())?;
                return self.value(if condition { yes } else { no });
            }
            ("Fn::FindInMap", [map, first, second]) => {
                let (map, first) = (self.plain(map)?, self.plain(first)?);
                let second = self.plain(second)?;
                let found = self.template["Mappings"][&map][&first][&second].clone();
                if found.is_null() {
                    return Err(format!(
                        "Template error: Unable to get mapping for {map}::{first}::{second}"
                    ));
                }
                found
            }
            ("Fn::Sub", []) => self.substituted(argument, &Value::Null)?.into(),
            ("Fn::Sub", [text, names]) => self.substituted(text, names)?.into(),
            _ => return Err(format!("the fake does not know {function} {argument}")),
        }))
    }

    fn reference(&mut self, name: &str) -> Result<String, String> {
        match self.parameter(name) {
            Some(value) => Ok(value),
            None => Ok(self.resource(name)?.physical_id),
        }
    }

    fn attribute(&mut self, logical_id: &str, attribute: &str) -> Result<String, String> {
        let resource = self.resource(logical_id)?;
        let found = resource_kinds::attribute(&resource.kind, &resource.physical_id, attribute);
        found.ok_or_else(|| {
            format!("Template error: resource {logical_id} does not support attribute {attribute}")
        })
    }

    fn substituted(&mut self, text: &Value, names: &Value) -> Result<String, String> {
        let text = text.as_str().ok_or("Template error: Fn::Sub")?;
        let mut result = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let end = rest[start..].find('}').ok_or("Template error: Fn::Sub")? + start;
            result.push_str(&rest[..start]);
            let name = &rest[start + 2..end];
            if let Some(literal) = name.strip_prefix('!') {
                result.extend(["${", literal, "}"]);
            } else if !names[name].is_null() {
                let value = self.value(&names[name])?.unwrap_or_default();
                result.push_str(&text_of(&value)?);
            } else if let Some((logical_id, attribute)) = name.split_once('.') {
                result.push_str(&self.attribute(logical_id, attribute)?);
            } else {
                result.push_str(&self.reference(name)?);
            }
            rest = &rest[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }
}

fn policy(declared: &Value) -> Result<Policy, String> {
    match declared.as_str() {
        None | Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") => Ok(Policy::RetainExceptOnCreate),
        Some(other) => Err(format!("Unrecognized DeletionPolicy {other}")),
    }
}

fn only_member(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, one) = members.iter().next()?;
    Some((name, one))
}

/// CloudFormation converts numbers and booleans to text.
fn text_of(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("Template format error: {other} is no string")),
    }
}
