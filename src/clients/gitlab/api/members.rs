//! Reads members of GitLab's responses.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

/// `None` if a required member is missing, or if a member has another type.
pub fn typed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// An object of GitLab. Its ID proves that the response is about one, and not a gateway's: a
/// number, or the text of a discussion.
#[derive(Deserialize)]
pub struct Identified {
    #[serde(rename = "id")]
    _id: serde::de::IgnoredAny,
}

/// A member that may be null, missing or of another type: then it has its default.
pub fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(typed(&value).unwrap_or_default())
}

/// The texts of a member that is a list.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values: Vec<Value> = lenient(deserializer)?;
    Ok(values.iter().filter_map(typed).collect())
}

/// The ID of a member that is an object. `None` if it has none.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value: Value = lenient(deserializer)?;
    Ok(value["id"].as_u64())
}

/// A member that holds a time. `None` if it does not.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let text: String = lenient(deserializer)?;
    Ok(parse_time(text.trim()))
}

/// Parses GitLab's time, which has milliseconds and the instance's time zone.
pub fn parse_time(text: &str) -> Option<SystemTime> {
    let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
    SystemTime::try_from(time).ok()
}
