//! The output of a build: the template and its configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::build::OutputLocation;
use super::template::{Blocker, Scan, has_dynamic_reference, scan};
use crate::clients::aws::{Aws, CallError, ObjectError, S3Object, object_url};
use crate::common::one_line::shortened;
use crate::common::reason_codes::Code;
use crate::common::stop::Stop;
use crate::gitops_pipeline::names::AwsLocation;
use crate::gitops_pipeline::settings::ReviewSettings;
use cfn_custom_resource::{MAX_EVENT_BYTES, as_text, parse_json};

/// CloudFormation's limit of a template in S3.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub const MAX_TEMPLATE_BYTES: usize = 1_048_576;

/// The largest template configuration. It is decoded as a whole, which the function's memory limits
/// as it does for an event.
const MAX_CONFIGURATION_BYTES: usize = MAX_EVENT_BYTES;

const TEMPLATE: &str = "a template";
const CONFIGURATION: &str = "a template configuration";

/// The most characters of a name in a reason.
const MAX_NAME_CHARACTERS: usize = 100;

/// The input of a review branch's change set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// The address of the version of the template that was scanned.
    pub template_url: String,
    pub scan: Scan,
    /// The values of the parameters. `None` for the present value.
    pub parameters: Vec<(String, Option<String>)>,
    pub tags: Vec<(String, String)>,
}

/// Why no change set can be created from a build's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The build stored no file of this path.
    Missing(String),
    /// The file is larger than so many bytes.
    TooLarge(String, usize),
    /// The file is not this kind of file, for this reason.
    Invalid(String, &'static str, String),
}

impl From<Unusable> for Stop<CallError, Unusable> {
    fn from(unusable: Unusable) -> Self {
        Stop::Nothing(unusable)
    }
}

/// The template configuration of CodePipeline. A stack policy is not part of a change set.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html>
#[derive(Debug, Default, PartialEq, Eq)]
struct Configuration {
    parameters: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

impl Configuration {
    /// Parses the file's text. The error is a reason without values.
    fn parse(text: &str) -> Result<Self, String> {
        let Value::Object(mut members) = parse_json(text)? else {
            return Err("it is not a JSON object".to_owned());
        };
        let configuration = Configuration {
            parameters: texts(&mut members, "Parameters")?,
            tags: texts(&mut members, "Tags")?,
        };
        members.remove("StackPolicy");
        match members.keys().next() {
            None => Ok(configuration),
            Some(name) => Err(format!(
                "{} is not Parameters, Tags or StackPolicy",
                shortened(name, MAX_NAME_CHARACTERS)
            )),
        }
    }
}

/// Removes a member that is an object of texts.
fn texts(members: &mut Map<String, Value>, of: &str) -> Result<BTreeMap<String, String>, String> {
    let values = match members.remove(of) {
        None => Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => return Err(format!("{of} is not an object")),
    };
    let text = |(key, value): (String, Value)| match as_text(&value) {
        Some(text) => Ok((key, text)),
        None if value.is_number() => Err(format!(
            "{of}.{} is a number whose text could change. Put it in quotes",
            shortened(&key, MAX_NAME_CHARACTERS)
        )),
        None => Err(format!(
            "{of}.{} is not a text",
            shortened(&key, MAX_NAME_CHARACTERS)
        )),
    };
    values.into_iter().map(text).collect()
}

/// Reads and scans the output of a build at `location`.
pub async fn read(
    aws: &Aws,
    location: &OutputLocation,
    settings: &ReviewSettings,
    region: &AwsLocation,
) -> Result<BuildOutput, Stop<CallError, Unusable>> {
    let path = &settings.template_path;
    let template = read_file(aws, location, path, TEMPLATE, MAX_TEMPLATE_BYTES).await?;
    let scan = scan(&template.text).map_err(invalid(path, TEMPLATE))?;
    let configuration = match &settings.template_configuration {
        Some(path) => {
            let max = MAX_CONFIGURATION_BYTES;
            let file = read_file(aws, location, path, CONFIGURATION, max).await?;
            Configuration::parse(&file.text).map_err(invalid(path, CONFIGURATION))?
        }
        None => Configuration::default(),
    };
    // A build's credentials outlive it, so its code could replace the file after the scan. A
    // version does not change.
    let OutputLocation { bucket, prefix } = location;
    let url = object_url(bucket, &format!("{prefix}{path}"), &region.region, "s3");
    let (Some(mut url), Some(version_id)) = (url, &template.version_id) else {
        let doing = format!("reading the template in bucket {bucket}");
        let error = CallError::local(Code::AwsRejected, doing, "it has no versions");
        return Err(error.with_remedy("Enable the bucket's versioning").into());
    };
    url.query_pairs_mut().append_pair("versionId", version_id);
    Ok(BuildOutput {
        template_url: url.into(),
        ..with_values(scan, configuration, settings)
    })
}

/// The file of this `path` is not of this `kind`, for a reason.
fn invalid(path: &str, kind: &'static str) -> impl FnOnce(String) -> Unusable {
    let path = path.to_owned();
    move |why| Unusable::Invalid(path, kind, why)
}

/// The output without the template's address. CloudFormation also replaces references in values.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>
fn with_values(
    mut scan: Scan,
    configuration: Configuration,
    settings: &ReviewSettings,
) -> BuildOutput {
    let parameters = parameters(configuration.parameters, settings);
    let tags: Vec<(String, String)> = configuration.tags.into_iter().collect();
    let values = parameters.iter().filter_map(|(_, value)| value.as_ref());
    let of_tags = tags.iter().flat_map(|(key, value)| [key, value]);
    if values.chain(of_tags).any(|text| has_dynamic_reference(text)) {
        scan.blockers.insert(Blocker::DynamicReferenceInValue);
    }
    BuildOutput {
        template_url: String::new(),
        scan,
        parameters,
        tags,
    }
}

/// The overrides replace the values of the configuration. CodePipeline computes an override with
/// `#{`: such a parameter keeps its present value.
fn parameters(
    configured: BTreeMap<String, String>,
    settings: &ReviewSettings,
) -> Vec<(String, Option<String>)> {
    let values = configured.into_iter();
    let mut parameters: BTreeMap<String, Option<String>> =
        values.map(|(key, value)| (key, Some(value))).collect();
    for (key, value) in &settings.parameter_overrides {
        let value = (!value.contains("#{")).then(|| value.clone());
        parameters.insert(key.clone(), value);
    }
    parameters.into_iter().collect()
}

async fn read_file(
    aws: &Aws,
    location: &OutputLocation,
    path: &str,
    kind: &'static str,
    max_bytes: usize,
) -> Result<S3Object, Stop<CallError, Unusable>> {
    let OutputLocation { bucket, prefix } = location;
    let key = format!("{prefix}{path}");
    let read = aws.s3.get_object(bucket, &key, max_bytes).await;
    read.map_err(|error| match error {
        ObjectError::Missing => Unusable::Missing(path.to_owned()).into(),
        ObjectError::TooLarge => Unusable::TooLarge(path.to_owned(), max_bytes).into(),
        ObjectError::NotText(why) => invalid(path, kind)(why).into(),
        ObjectError::Failed(error) => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::review::finding::tests::settings;

    fn overriding(overrides: &[(&str, &str)]) -> ReviewSettings {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        ReviewSettings {
            parameter_overrides: overrides.iter().map(owned).collect(),
            ..settings()
        }
    }

    #[test]
    fn configuration_of_another_shape_is_rejected() {
        let no_object = "it is not a JSON object";
        let unknown = "is not Parameters, Tags or StackPolicy";
        let no_text = "is not a text";
        let number = "is a number whose text could change. Put it in quotes";
        let twice = "an object in it has a name twice (line 1, column 19)";
        for (text, path, why) in [
            ("{", "", "it is not JSON (line 1, column 1)"),
            ("null", "", no_object),
            ("[]", "", no_object),
            (r#"[{"A": "x"}, {}]"#, "", no_object),
            (r#"{"Size": "3"}"#, "Size ", unknown),
            (r#"{"parameters": {}}"#, "parameters ", unknown),
            (r#"{"Parameters": [{}]}"#, "Parameters ", "is not an object"),
            (r#"{"Parameters": null}"#, "Parameters ", "is not an object"),
            (r#"{"Parameters": {"A": {}}}"#, "Parameters.A ", no_text),
            (r#"{"Tags": {"Team": null}}"#, "Tags.Team ", no_text),
            (r#"{"Tags": {"Team": ["a"]}}"#, "Tags.Team ", no_text),
            (r#"{"Parameters": {"A": 1.10}}"#, "Parameters.A ", number),
            (
                r#"{"Tags": {"A": 123456789012345678901234567890}}"#,
                "Tags.A ",
                number,
            ),
            (r#"{"Tags": {}, "Tags": {}}"#, "", twice),
        ] {
            let error = Err(format!("{path}{why}"));
            assert_eq!(Configuration::parse(text), error, "{text}");
        }
        let text = r#"{"Parameters": {"Size": 3, "On": true}, "StackPolicy": {"Statement": []}}"#;
        let parsed = Configuration::parse(text).expect("a template configuration");
        let expected = [("On", "true"), ("Size", "3")];
        let parameters = parsed.parameters.iter();
        let parameters: Vec<_> =
            parameters.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(parameters, expected);
    }

    #[test]
    fn references_in_values_are_found() {
        let reference = "x-{{resolve:ssm:/prod/x:1}}";
        let of = |text: Value, overrides: &[(&str, &str)]| {
            let parsed = Configuration::parse(&text.to_string()).expect("a configuration");
            let output = with_values(Scan::default(), parsed, &overriding(overrides));
            Vec::from_iter(output.scan.blockers)
        };
        let found = [Blocker::DynamicReferenceInValue];
        for values in [
            serde_json::json!({"Parameters": {"A": reference}}),
            serde_json::json!({"Tags": {"A": reference}}),
            serde_json::json!({"Tags": {reference: "a"}}),
        ] {
            assert_eq!(of(values, &[]), found);
        }
        assert_eq!(of(serde_json::json!({}), &[("A", reference)]), found);
        // The override replaces it.
        let replaced = serde_json::json!({"Parameters": {"A": reference}});
        assert_eq!(of(replaced, &[("A", "plain")]), []);
    }
}
