//! S3's buckets, as far as the product and CloudFormation read them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use serde_json::{Map, Value};
use std::{collections::BTreeMap, time::Duration};

use crate::world::{ApiResponse, ApiResult, AwsError, Call, World, form, unescaped};

/// The end of the host of a bucket.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
const HOST: &str = ".s3.eu-central-1.amazonaws.com";

/// All buckets of the account, by name: the versions of each key, oldest first.
pub type Buckets = BTreeMap<String, BTreeMap<String, Vec<ObjectVersion>>>;

#[derive(Clone, Debug, PartialEq)]
pub struct ObjectVersion {
    pub id: String,
    pub body: String,
    pub written: Duration,
}

/// An object in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub bucket: String,
    pub key: String,
    pub version: Option<String>,
}

impl Location {
    /// The object that a decoded call reads.
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            bucket: call.needed("Bucket").to_owned(),
            key: call.needed("Key").to_owned(),
            version: call.text("versionId").map(str::to_owned),
        }
    }
}

/// Whether S3 answers at this host.
pub(crate) fn is_host(host: &str) -> bool {
    host.ends_with(HOST)
}

/// The object at a virtual-hosted-style address. `None` if it is not S3's.
pub(crate) fn location(url: &str) -> Option<Location> {
    let rest = url.strip_prefix("https://")?;
    let (host, rest) = rest.split_once('/')?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = form(query);
    let version = query.get("versionId").and_then(Value::as_str);
    Some(Location {
        bucket: host.strip_suffix(HOST)?.to_owned(),
        key: unescaped(path),
        version: version.map(str::to_owned),
    })
}

/// The operation and the parameters of a request.
pub(crate) fn decode(method: &str, url: &str) -> Result<(String, Map<String, Value>), String> {
    let unknown = || format!("S3 knows no {method} {url}");
    let is_read = |location: &Location| method == "GET" && !location.key.is_empty();
    let location = location(url).filter(is_read).ok_or_else(unknown)?;
    let mut params = Map::new();
    params.insert("Bucket".into(), location.bucket.into());
    params.insert("Key".into(), location.key.into());
    if let Some(version) = location.version {
        params.insert("versionId".into(), version.into());
    }
    Ok(("GetObject".to_owned(), params))
}

pub(crate) fn answer(s3: &Buckets, world: &mut World, call: &Call) -> ApiResult {
    if call.header("range").is_some() {
        let complaint = "the fake does not know the Range of GetObject";
        world.complaints.push(complaint.to_owned());
    }
    let version = found(s3, world, &Location::of(call))?;
    let mut answer = ApiResponse::plain(200, version.body.clone());
    answer.headers = vec![
        ("content-length", version.body.len().to_string()),
        ("content-type", "binary/octet-stream".into()),
        ("etag", format!("\"{:032x}\"", version.body.len())),
        ("x-amz-version-id", version.id.clone()),
    ];
    Ok(answer)
}

/// The IAM action and the resource of a read: with a version, "you must have the
/// `s3:GetObjectVersion` permission", and "the `s3:GetObject` permission is not required".
pub(crate) fn action_and_resource(location: &Location) -> (String, String) {
    let action = if location.version.is_some() {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    let Location { bucket, key, .. } = location;
    (action.to_owned(), format!("arn:aws:s3:::{bucket}/{key}"))
}

/// The version that a request reads. Errors: Amazon S3 API Reference, List of error codes.
fn found<'a>(
    s3: &'a Buckets,
    world: &World,
    location: &Location,
) -> Result<&'a ObjectVersion, AwsError> {
    let Location {
        bucket,
        key,
        version,
    } = location;
    let missing = |code, message: &str| Err(AwsError::new(404, code, message));
    let Some(held) = s3.get(bucket) else {
        return missing("NoSuchBucket", "The specified bucket does not exist");
    };
    let versions = held.get(key).map_or(&[][..], Vec::as_slice);
    if let Some(wanted) = version {
        let found = versions.iter().find(|one| one.id == *wanted);
        let absent = || missing("NoSuchVersion", "The specified version does not exist.");
        return found.map_or_else(absent, Ok);
    }
    if let Some(found) = versions.last() {
        return Ok(found);
    }
    // "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status code 403
    // Access Denied error."
    let arn = format!("arn:aws:s3:::{bucket}");
    if world.denial("s3:ListBucket", &arn).is_some() {
        return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
    }
    missing("NoSuchKey", "The specified key does not exist.")
}

/// The template at a `TemplateURL`, which `CloudFormation` reads with the caller's permissions. The
/// errors are recorded ones of `CloudFormation` (?).
pub(crate) fn template<'a>(s3: &'a Buckets, world: &World, url: &str) -> Result<&'a str, String> {
    let location = location(url).ok_or("TemplateURL must be a supported URL.")?;
    let (action, resource) = action_and_resource(&location);
    let result = match world.denial(&action, &resource) {
        Some(_) => Err(AwsError::new(403, "AccessDenied", "Access Denied")),
        None => found(s3, world, &location),
    };
    let version = result.map_err(|error| {
        let page = "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";
        let message = error.message;
        format!("S3 error: {message}\nFor more information check {page}")
    })?;
    Ok(&version.body)
}

/// Writes an object. Returns the ID of the version.
pub(crate) fn write(
    s3: &mut Buckets,
    world: &mut World,
    bucket: &str,
    key: &str,
    body: &str,
) -> String {
    let (id, written) = (world.next_id(), world.now);
    let held = s3.entry(bucket.to_owned()).or_default();
    held.entry(key.to_owned()).or_default().push(ObjectVersion {
        id: id.clone(),
        body: body.to_owned(),
        written,
    });
    id
}
