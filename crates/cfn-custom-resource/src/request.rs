//! Parses a custom-resource request, member by member.
//!
//! A request with invalid properties or IDs still gets a response, because only `ResponseURL` is
//! needed for one. Members stay raw JSON until they are read: `serde_json` rejects values nested
//! deeper than 128 levels, and one such member must not hide the others.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The largest event that is decoded. In memory, a [`Value`] has up to 90 times the size of its
/// text, and a request is copied for the handler. It was Lambda's limit of asynchronous events,
/// such as CloudFormation's, until it became 1 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// The shortest logical ID and the shortest suffix that mark a generated ID whose logical ID is
/// shortened. With fewer letters, a response's ID could look like one.
const MIN_SHORTENED_ID: usize = 8;

/// The operation that CloudFormation requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// Create the resource.
    Create,
    /// Change the resource to the new properties.
    Update,
    /// Delete the resource.
    Delete,
}

impl RequestType {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            RequestType::Create => "Create",
            RequestType::Update => "Update",
            RequestType::Delete => "Delete",
        }
    }
}

/// The presigned URL of the response. It is a secret, because anyone who has it can send a
/// response. Therefore it has no `Display`, and its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(String);

impl ResponseUrl {
    /// The URL itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.0.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// When CloudFormation signed the URL (`X-Amz-Date`), to the second; `None` if the URL does not
    /// contain it.
    pub fn signed_at(&self) -> Option<SystemTime> {
        let seconds = unix_time(self.query("X-Amz-Date")?)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// How long the URL is valid after that (`X-Amz-Expires`); `None` if the URL does not contain
    /// it.
    pub fn valid_for(&self) -> Option<Duration> {
        let seconds: u32 = self.query("X-Amz-Expires")?.parse().ok()?;
        Some(Duration::from_secs(seconds.into()))
    }
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ResponseUrl(…)")
    }
}

/// One request. Only [`Request::response_url`] is certain to exist.
#[derive(Clone, Debug)]
pub struct Request {
    /// The URL of the response.
    pub response_url: ResponseUrl,
    /// When CloudFormation signed the request; when it was received if the URL does not contain it,
    /// or contains a later time.
    pub signed_at: SystemTime,
    /// The operation; `None` if it is unknown.
    pub request_type: Option<RequestType>,
    /// Copied into the response; empty if [`Request::missing_members`] names it.
    pub stack_id: String,
    /// Copied into the response; empty if it is missing. CloudFormation can reuse an ID when a
    /// stack operation is retried.
    pub request_id: String,
    /// Copied into the response; empty if it is missing.
    pub logical_resource_id: String,
    /// On Update and Delete: the ID of the last response, or an ID that CloudFormation generated
    /// because it got no response.
    pub physical_resource_id: Option<String>,
    /// `Custom::…`; empty if it is missing.
    pub resource_type: String,
    /// `ResourceProperties`, or why they are not parsed: they are nested too deeply, or the event
    /// has more than [`MAX_EVENT_BYTES`].
    pub properties: Result<Value, String>,
    /// `OldResourceProperties` of an Update; `Null` otherwise, or if they are not parsed because
    /// they are nested too deeply, or the event has more than [`MAX_EVENT_BYTES`].
    pub old_properties: Value,
}

impl Request {
    /// Parses `event`; `None` if it is not a request, because it has no `ResponseURL`.
    pub fn parse(event: &str, received_at: SystemTime) -> Option<Self> {
        let Members(members) = serde_json::from_str(event).ok()?;
        let member = |name: &str| members[MEMBERS.iter().position(|it| *it == name)?];
        let text =
            |name: &str| -> Option<String> { serde_json::from_str(member(name)?.get()).ok() };
        let response_url = ResponseUrl(text("ResponseURL")?);
        // A forged date in the future would outrank CloudFormation's own requests until then. If
        // this machine's clock is behind CloudFormation's by more than an event takes to arrive, a
        // second delivery of a request counts as later than the first one.
        let signed_at = response_url.signed_at().unwrap_or(received_at).min(received_at);
        let (old, size) = match member("OldResourceProperties").map_or("", RawValue::get) {
            // Each properties may have been accepted alone, so neither an Update nor its rollback
            // may fail because of both.
            old if event.len() > MAX_EVENT_BYTES => ("", event.len() - old.len()),
            old => (old, event.len()),
        };
        let (properties, old_properties) = if size > MAX_EVENT_BYTES {
            let error = format!(
                "the request has {size} bytes, and at most {MAX_EVENT_BYTES} are decoded. Shorten \
                 the properties."
            );
            (Err(error), Value::Null)
        } else {
            let properties = member("ResourceProperties").map_or("{}", RawValue::get);
            let properties = serde_json::from_str(properties).map_err(|error| error.to_string());
            (properties, serde_json::from_str(old).unwrap_or_default())
        };
        Some(Request {
            response_url,
            signed_at,
            request_type: text("RequestType")
                .and_then(|name| serde_json::from_value(name.into()).ok()),
            stack_id: text("StackId").unwrap_or_default(),
            request_id: text("RequestId").unwrap_or_default(),
            logical_resource_id: text("LogicalResourceId").unwrap_or_default(),
            physical_resource_id: text("PhysicalResourceId").filter(|id| !id.is_empty()),
            resource_type: text("ResourceType").unwrap_or_default(),
            properties,
            old_properties,
        })
    }

    /// When the request was signed, to compare it with recorded requests. CloudFormation's date of
    /// a Delete counts, even if this machine's clock is behind: the Delete must not appear to
    /// precede the Create. No record may have this time, because a forged date can be in the
    /// future.
    pub fn compared_at(&self) -> SystemTime {
        let is_delete = self.request_type == Some(RequestType::Delete);
        let stated = self.response_url.signed_at().filter(|_| is_delete);
        stated.unwrap_or(self.signed_at)
    }

    /// Whether the properties before the request do not have the text `value`: always in a Create,
    /// and if an Update changed it. The thing that it names may have been created just before.
    pub fn introduces(&self, value: &str) -> bool {
        !has_text(&self.old_properties, value)
    }

    /// The members that CloudFormation always sends and that this request lacks: missing, `null`,
    /// empty, or not a string. Without them, the created resources would have no owner, and
    /// CloudFormation could not match the response to the request.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>
    pub fn missing_members(&self) -> Vec<&'static str> {
        [
            ("StackId", &self.stack_id),
            ("RequestId", &self.request_id),
            ("LogicalResourceId", &self.logical_resource_id),
            ("ResourceType", &self.resource_type),
        ]
        .into_iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| name)
        .collect()
    }

    /// Whether CloudFormation generated the physical ID, because no response to the Create arrived:
    /// `<stack>-<logical ID>-<letters and digits>`. Long names may be shortened.
    pub fn has_generated_id(&self) -> bool {
        let id = self.physical_resource_id.as_deref();
        let Some((rest, suffix)) = id.and_then(|id| id.rsplit_once('-')) else {
            return false;
        };
        // A logical ID contains no hyphen.
        let Some((stack, logical_id)) = rest.rsplit_once('-') else {
            return false;
        };
        let stack_name = self.stack_id.split('/').nth(1);
        let is_whole = logical_id == self.logical_resource_id;
        let is_shortened = self.logical_resource_id.starts_with(logical_id)
            && logical_id.len() >= MIN_SHORTENED_ID
            && suffix.len() >= MIN_SHORTENED_ID;
        !stack.is_empty()
            && stack_name.is_none_or(|name| name.starts_with(stack))
            && (is_whole || is_shortened)
            && suffix.chars().all(|it| it.is_ascii_alphanumeric())
    }

    /// `ServiceTimeout`, a property of every custom resource: 1 to 3600 seconds, 3600 by default.
    /// CloudFormation waits this long for the response.
    pub fn service_timeout(&self) -> Duration {
        let value = self.properties.as_ref().ok().map(|p| &p["ServiceTimeout"]);
        let seconds = match value {
            Some(Value::String(text)) => text.parse().ok(),
            Some(Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        Duration::from_secs(seconds.filter(|s| (1..=3600).contains(s)).unwrap_or(3600))
    }
}

/// The members that are read.
const MEMBERS: [&str; 9] = [
    "RequestType",
    "ResponseURL",
    "StackId",
    "RequestId",
    "LogicalResourceId",
    "PhysicalResourceId",
    "ResourceType",
    "ResourceProperties",
    "OldResourceProperties",
];

/// The values of [`MEMBERS`]. Of a repeated member, the last value counts. The others are not kept,
/// because a large event can have a million of them.
struct Members<'a>([Option<&'a RawValue>; MEMBERS.len()]);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Event;
        impl<'de> Visitor<'de> for Event {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = [None; MEMBERS.len()];
                while let Some(Name(index)) = map.next_key()? {
                    match index {
                        Some(index) => members[index] = Some(map.next_value()?),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Event)
    }
}

/// The index of a member's name in [`MEMBERS`]. It is compared as bytes: in JSON a name can contain
/// half a surrogate pair, which a `str` cannot, and one such name must not hide the other members.
struct Name(Option<usize>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(MEMBERS.iter().position(|it| it.as_bytes() == bytes)))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Whether `text` is a value in the properties `value`.
fn has_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        Value::Array(items) => items.iter().any(|item| has_text(item, text)),
        Value::Object(members) => members.values().any(|member| has_text(member, text)),
        _ => false,
    }
}

/// The Unix time of a date such as `20261120T075500Z`.
fn unix_time(date: &str) -> Option<u64> {
    let (day, time) = date.split_once('T')?;
    if (day.len(), time.len()) != (8, 7) {
        return None;
    }
    let (year, month, day) = (day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    let (hour, minute, second) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let date = format!("{year}-{month}-{day}T{hour}:{minute}:{second}");
    let date = DateTime::from_str(&date, Format::DateTime).ok()?;
    date.secs().try_into().ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
