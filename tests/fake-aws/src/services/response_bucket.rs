//! The bucket behind a custom resource's `ResponseURL`: S3 with a presigned
//! address, good for a PUT without a content type, for two hours.

use std::time::Duration;

use crate::world::{ApiResponse, ApiResult, AwsError, Call, World};

/// How long `CloudFormation`'s presigned addresses last (`X-Amz-Expires`).
const EXPIRES: Duration = Duration::from_hours(2);

const NEARLY_A_SECOND: Duration = Duration::from_nanos(999_999_999);

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
}

/// An address with the date `at`. `CloudFormation` signs it now. A forger chooses the date.
pub fn response_url(at: Duration, request: &str) -> String {
    let date = signature_date(at);
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

pub fn answer(responses: &mut Vec<SentResponse>, world: &mut World, call: &Call) -> ApiResult {
    let forbidden = |code, message: &str| Err(AwsError::new(403, code, message));
    if call.method != "PUT" || !call.url.contains("&X-Amz-Signature=") {
        return forbidden("AccessDenied", "Access Denied");
    }
    // The signature covers an empty content type: any other one breaks it.
    if !call.header("content-type").unwrap_or_default().is_empty() {
        let message = "The request signature does not match.";
        return forbidden("SignatureDoesNotMatch", message);
    }
    if is_expired(world, &call.url) {
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

/// `X-Amz-Date`: 20261120T120000Z.
fn signature_date(at: Duration) -> String {
    let date = World::date(at);
    date.chars().filter(|c| !"-:".contains(*c)).collect()
}

fn is_expired(world: &World, url: &str) -> bool {
    let signed = url.split(['?', '&']).find_map(|part| part.strip_prefix("X-Amz-Date="));
    // Dates have whole seconds.
    let Some(oldest) = (world.now + NEARLY_A_SECOND).checked_sub(EXPIRES) else {
        return signed.is_none();
    };
    signed.is_none_or(|signed| *signed < *signature_date(oldest))
}
