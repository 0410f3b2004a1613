//! The bucket behind a custom resource's `ResponseURL`: S3 with a presigned
//! address, good for a PUT without a content type, for two hours.

use aws_smithy_types::{DateTime, date_time::Format};
use std::time::Duration;

use crate::world::{ApiResponse, AwsError, Call, World};

/// How long `CloudFormation`'s presigned addresses last (`X-Amz-Expires`).
const EXPIRES: Duration = Duration::from_hours(2);

/// One answer that reached `CloudFormation`.
#[derive(Clone, Debug)]
pub struct SentResponse {
    pub caller: String,
    pub at: Duration,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl SentResponse {
    /// The body as JSON. Panics when it is none: `CloudFormation` would not have
    /// understood it.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the answer to CloudFormation is JSON")
    }

    pub fn status(&self) -> String {
        self.json()["Status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// An address that `CloudFormation` signs now.
pub fn response_url(world: &World, request: &str) -> String {
    let date: String = World::date(world.now)
        .chars()
        .filter(|c| !"-:".contains(*c))
        .collect();
    let day = &date[..8];
    format!(
        "https://cloudformation-custom-resource-response-eucentral1.s3.amazonaws.com/\
         arn%3Aaws%3Acloudformation%3Aeu-central-1%3A123456789012%3Astack/test/{request}\
         ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}&X-Amz-SignedHeaders=host\
         &X-Amz-Expires={}&X-Amz-Credential=ASIAEXAMPLE%2F{day}%2Feu-central-1%2Fs3%2Faws4_request\
         &X-Amz-Signature=signature-of-{request}",
        EXPIRES.as_secs()
    )
}

pub fn answer(
    responses: &mut Vec<SentResponse>,
    world: &mut World,
    call: &Call,
) -> Result<ApiResponse, AwsError> {
    let forbidden = |code, message: &str| Err(AwsError::new(403, code, message));
    if call.method != "PUT" || !call.url.contains("&X-Amz-Signature=") {
        return forbidden("AccessDenied", "Access Denied");
    }
    // The signature covers an empty content type: any other one breaks it.
    if call
        .header("content-type")
        .is_some_and(|kind| !kind.is_empty())
    {
        return forbidden(
            "SignatureDoesNotMatch",
            "The request signature does not match.",
        );
    }
    if expired(world, &call.url) {
        return forbidden("AccessDenied", "Request has expired");
    }
    responses.push(SentResponse {
        caller: String::new(),
        at: world.now,
        url: call.url.clone(),
        headers: call.headers.clone(),
        body: call.body.clone(),
    });
    Ok(ApiResponse::plain(200, ""))
}

fn expired(world: &World, url: &str) -> bool {
    let signed = url
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("X-Amz-Date="));
    // 20261120T120000Z, written as the parser likes it.
    let signed = signed
        .filter(|date| date.len() == 16 && date.is_ascii())
        .and_then(|date| {
            let text = format!(
                "{}-{}-{}T{}:{}:{}Z",
                &date[..4],
                &date[4..6],
                &date[6..8],
                &date[9..11],
                &date[11..13],
                &date[13..15]
            );
            DateTime::from_str(&text, Format::DateTime).ok()
        });
    let now = World::seconds(world.now);
    signed.is_none_or(|signed| now > signed.as_secs_f64() + EXPIRES.as_secs_f64())
}
