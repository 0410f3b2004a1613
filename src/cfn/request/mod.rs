//! A custom-resource request, decoded piece by piece.
//!
//! Where to answer is read first and from as little as possible: a request whose properties, or
//! even whose ids, are broken still gets an answer. The members are kept as raw JSON until
//! somebody asks, because `serde_json` gives up on values nested deeper than 128 levels.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// CloudFormation's clock may be ahead of ours by so much.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

/// What CloudFormation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestType {
    /// Make the resource.
    Create,
    /// Bring the resource to the new properties.
    Update,
    /// Remove the resource.
    Delete,
}

impl RequestType {
    /// As CloudFormation writes it.
    pub fn name(self) -> &'static str {
        match self {
            RequestType::Create => "Create",
            RequestType::Update => "Update",
            RequestType::Delete => "Delete",
        }
    }
}

/// The presigned address of the answer. Whoever knows it can answer in our place, so it has
/// neither `Display` nor a telling `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(String);

impl ResponseUrl {
    /// The address itself, for the one call that needs it.
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

    /// When CloudFormation signed the address (`X-Amz-Date`), to the second.
    pub fn signed_at(&self) -> Option<SystemTime> {
        let stamp = self.query("X-Amz-Date")?;
        let part = |range| stamp.get(range);
        let rfc3339 = format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(0..4)?,
            part(4..6)?,
            part(6..8)?,
            part(9..11)?,
            part(11..13)?,
            part(13..15)?
        );
        let time = DateTime::from_str(&rfc3339, Format::DateTime).ok()?;
        let seconds = u64::try_from(time.secs()).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// How long the address is good for after it was signed (`X-Amz-Expires`).
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

/// One request. Only [`Request::response_url`] is certain to be there; what else CloudFormation
/// promises is handed out as found, and a handler fails when it needs what is missing.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the answer goes.
    pub response_url: ResponseUrl,
    /// When CloudFormation signed the request; when it was received, if the address says nothing.
    pub signed_at: SystemTime,
    /// What is asked for; `None` when it is none of the three.
    pub request_type: Option<RequestType>,
    /// Copied verbatim into the answer; empty if [`Request::missing_members`] names it.
    pub stack_id: String,
    /// Copied verbatim into the answer; empty if it is missing. CloudFormation may use one again
    /// when a stack operation is retried.
    pub request_id: String,
    /// Copied verbatim into the answer; empty if it is missing.
    pub logical_resource_id: String,
    /// On Update and Delete: the id that the last answer gave, or one that CloudFormation
    /// invented when no answer ever came.
    pub physical_resource_id: Option<String>,
    /// `Custom::…`; empty if it is missing.
    pub resource_type: String,
    /// `ResourceProperties`, or why they cannot be read.
    pub properties: Result<Value, String>,
    /// `OldResourceProperties` of an Update; `Null` otherwise or when they cannot be read.
    pub old_properties: Value,
}

impl Request {
    /// Reads a request out of `event`, or `None` when it is not one: it has no `ResponseURL`.
    pub fn find(event: &str, received_at: SystemTime) -> Option<Self> {
        let members: HashMap<Name, &RawValue> = serde_json::from_str(event).ok()?;
        let member = |name: &str| members.get(name.as_bytes());
        let text =
            |name: &str| -> Option<String> { serde_json::from_str(member(name)?.get()).ok() };
        let response_url = ResponseUrl(text("ResponseURL")?);
        // Nobody but a forger signs in the future, whose request would be later than all to come.
        let signed_at = response_url
            .signed_at()
            .unwrap_or(received_at)
            .min(received_at + CLOCKS_DIFFER);
        let properties = match member("ResourceProperties") {
            None => Ok(Value::Object(serde_json::Map::new())),
            Some(raw) => serde_json::from_str(raw.get()).map_err(|error| error.to_string()),
        };
        let old_properties = member("OldResourceProperties")
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or(Value::Null);
        Some(Request {
            response_url,
            signed_at,
            request_type: match text("RequestType").as_deref() {
                Some("Create") => Some(RequestType::Create),
                Some("Update") => Some(RequestType::Update),
                Some("Delete") => Some(RequestType::Delete),
                _ => None,
            },
            stack_id: text("StackId").unwrap_or_default(),
            request_id: text("RequestId").unwrap_or_default(),
            logical_resource_id: text("LogicalResourceId").unwrap_or_default(),
            physical_resource_id: text("PhysicalResourceId").filter(|id| !id.is_empty()),
            resource_type: text("ResourceType").unwrap_or_default(),
            properties,
            old_properties,
        })
    }

    /// The members that CloudFormation always sends and that this request lacks: missing, `null`,
    /// empty, or not a string. Without them nobody owns what the request would create, and
    /// CloudFormation cannot match the response to its request.
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

    /// `ServiceTimeout`, which belongs to every custom resource: 1 to 3600 seconds, 3600 by
    /// default. CloudFormation waits that long for the answer.
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

/// A member's name, as bytes: JSON lets a name hold half a surrogate pair, which no `String` can,
/// and one such name must not hide the others.
#[derive(PartialEq, Eq, Hash)]
struct Name(Vec<u8>);

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests;
