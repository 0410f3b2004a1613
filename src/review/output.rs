//! What a build stored: the template and its configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::build::OutputLocation;
use super::template::{Scan, scan};
use crate::aws::{Aws, CallError, ObjectError, S3Object, dns_suffix};
use crate::gitops_pipeline::change_set_settings::ReviewSettings;
use crate::gitops_pipeline::names::AwsLocation;
use crate::reason_codes::Code;

/// CloudFormation's limit of a template in S3.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MAX_BYTES: usize = 1_048_576;

/// What the change set of a review branch is created from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOutput {
    /// The address of the version of the template that was scanned.
    pub template_url: String,
    /// What the template contains.
    pub scan: Scan,
    /// The values of the parameters. `None` for the present value.
    pub parameters: Vec<(String, Option<String>)>,
    /// The tags of the stack.
    pub tags: Vec<(String, String)>,
}

/// Why no change set can be created from what a build stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The build stored no file of this path.
    Missing(String),
    /// The file is larger than CloudFormation accepts.
    TooLarge(String),
    /// The template configuration is not one.
    Configuration(String),
}

/// The template configuration of CodePipeline. A stack policy is not part of a change set.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Configuration {
    parameters: BTreeMap<String, Value>,
    tags: BTreeMap<String, Value>,
}

/// Reads and scans what a build stored at `location`.
///
/// # Errors
/// If S3 does not return it.
pub async fn read(
    aws: &Aws,
    location: &OutputLocation,
    settings: &ReviewSettings,
    region: &AwsLocation,
) -> Result<Result<BuildOutput, Unusable>, CallError> {
    let path = &settings.template_path;
    let template = match read_file(aws, location, path).await? {
        Ok(file) => file,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let configuration = match &settings.template_configuration {
        Some(path) => match read_file(aws, location, path).await? {
            Ok(file) => match serde_json::from_str(&file.text) {
                Ok(configuration) => configuration,
                Err(_) => return Ok(Err(Unusable::Configuration(path.clone()))),
            },
            Err(unusable) => return Ok(Err(unusable)),
        },
        None => Configuration::default(),
    };
    // A build's credentials outlive it, so its code could replace the file after the scan. A version
    // does not change.
    let Some(version_id) = &template.version_id else {
        let bucket = &location.bucket;
        let cause = "it has no versions. Enable its versioning";
        let doing = format!("reading the template in bucket {bucket}");
        return Err(CallError::local(Code::AwsRejected, doing, cause));
    };
    Ok(Ok(BuildOutput {
        template_url: address(location, path, version_id, region),
        scan: scan(&template.text),
        parameters: parameters(configuration.parameters, settings),
        tags: texts(configuration.tags),
    }))
}

/// The overrides replace the values of the configuration. CodePipeline computes an override with
/// `#{`: such a parameter keeps its present value.
fn parameters(
    configured: BTreeMap<String, Value>,
    settings: &ReviewSettings,
) -> Vec<(String, Option<String>)> {
    let values = texts(configured).into_iter();
    let mut parameters: BTreeMap<String, Option<String>> =
        values.map(|(key, value)| (key, Some(value))).collect();
    for (key, value) in &settings.parameter_overrides {
        let value = (!value.contains("#{")).then(|| value.clone());
        parameters.insert(key.clone(), value);
    }
    parameters.into_iter().collect()
}

fn texts(values: BTreeMap<String, Value>) -> Vec<(String, String)> {
    let text = |(key, value)| Some((key, cfn_custom_resource::as_text(&value)?));
    values.into_iter().filter_map(text).collect()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
fn address(
    location: &OutputLocation,
    path: &str,
    version_id: &str,
    region: &AwsLocation,
) -> String {
    let OutputLocation { bucket, prefix } = location;
    let (name, suffix) = (&region.region, dns_suffix(&region.region));
    let bucket_url = format!("https://{bucket}.s3.{name}.{suffix}");
    let Ok(mut url) = reqwest::Url::parse(&bucket_url) else {
        return bucket_url;
    };
    url.set_path(&format!("{prefix}{path}"));
    url.query_pairs_mut().append_pair("versionId", version_id);
    url.into()
}

async fn read_file(
    aws: &Aws,
    location: &OutputLocation,
    path: &str,
) -> Result<Result<S3Object, Unusable>, CallError> {
    let OutputLocation { bucket, prefix } = location;
    let key = format!("{prefix}{path}");
    match aws.s3.get_object(bucket, &key, MAX_BYTES).await {
        Ok(object) => Ok(Ok(object)),
        Err(ObjectError::Missing) => Ok(Err(Unusable::Missing(path.to_owned()))),
        Err(ObjectError::TooLarge) => Ok(Err(Unusable::TooLarge(path.to_owned()))),
        Err(ObjectError::Failed(error)) => Err(error),
    }
}
