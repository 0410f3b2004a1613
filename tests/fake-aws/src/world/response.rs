//! Errors and answers in the forms that AWS speaks: the XML of IAM and
//! CloudFormation, the JSON of Secrets Manager, CodeCommit, CodePipeline and
//! Lambda, S3's XML, and git over HTTP.

use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::StatusCode};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::world::call::Service;

/// The code of GitLab's errors about parameters, in the journal.
pub const BAD_PARAMETERS: &str = "GitLabParameters";

/// An error of the services' rules, before it gets a service's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

impl AwsError {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

/// The response of a service, or its error.
pub type ApiResult = Result<ApiResponse, AwsError>;

/// The body of a response in JSON, or the service's error.
pub type JsonResult = Result<Value, AwsError>;

/// An error with the status 400.
pub fn rejected(code: &'static str, message: impl Into<String>) -> AwsError {
    AwsError::new(400, code, message)
}

/// Why IAM denies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// No policy of the caller allows it.
    NoPolicy,
    /// A policy of the caller denies it.
    Explicitly,
    /// The caller's permissions boundary does not allow it.
    ByBoundary,
    /// The service gives no reason, as STS.
    Unexplained,
}

/// One HTTP answer.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// The error's code, for the journal.
    pub code: Option<&'static str>,
}

impl ApiResponse {
    pub fn plain(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![],
            body: body.into(),
            code: None,
        }
    }

    pub fn json(body: &Value) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/x-amz-json-1.1".into())],
            body: body.to_string(),
            code: None,
        }
    }

    pub(crate) fn xml(body: String) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "text/xml".into())],
            body,
            code: None,
        }
    }

    pub fn error(service: Service, error: &AwsError) -> Self {
        let AwsError {
            status,
            code,
            message,
        } = error;
        let answer = match service {
            Service::Iam | Service::CloudFormation | Service::Sts => {
                let side = if *status < 500 { "Sender" } else { "Receiver" };
                let namespace = match service {
                    Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
                    Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
                    _ => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
                };
                Self::xml(format!(
                    "<ErrorResponse xmlns=\"{namespace}\"><Error>\
                     <Type>{side}</Type><Code>{code}</Code><Message>{}</Message></Error>\
                     <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>",
                    escaped(message)
                ))
            }
            Service::SecretsManager => Self::json(&json!({"__type": code, "Message": message})),
            json if json.speaks_json() => Self::json(&json!({"__type": code, "message": message})),
            Service::Lambda => {
                let mut answer = Self::json(&json!({"Message": message}));
                answer.headers.push(("x-amzn-errortype", (*code).into()));
                answer
            }
            Service::S3 | Service::ResponseBucket => Self::xml(format!(
                "<Error><Code>{code}</Code><Message>{}</Message></Error>",
                escaped(message)
            )),
            Service::Git => Self::plain(*status, message.clone()),
            // `rescue_from Grape::Exceptions::Base` in GitLab's `lib/api/api.rb`.
            Service::GitLab if *code == BAD_PARAMETERS => Self::json(&json!({"error": message})),
            // `render_api_error!` in GitLab's `lib/api/helpers.rb`.
            _ => Self::json(&json!({"message": message})),
        };
        Self {
            status: *status,
            code: Some(code),
            ..answer
        }
    }

    /// The response of a service with an internal error.
    pub(crate) fn internal_error(service: Service) -> Self {
        let code = match service {
            Service::Iam => "ServiceFailure",
            Service::SecretsManager => "InternalServiceError",
            Service::Lambda => "ServiceException",
            Service::S3 | Service::ResponseBucket => "InternalError",
            Service::GitLab => "InternalServerError",
            _ => "InternalFailure",
        };
        let message = "We encountered an internal error. Please try again.";
        Self::error(service, &AwsError::new(500, code, message))
    }

    /// Each service's response to too many calls.
    pub fn throttled(service: Service) -> Self {
        let (status, code) = match service {
            Service::Iam | Service::CloudFormation | Service::Sts => (400, "Throttling"),
            Service::Lambda => (429, "TooManyRequestsException"),
            Service::S3 | Service::ResponseBucket => (503, "SlowDown"),
            // CodeCommit User Guide, Troubleshooting: "Rate Exceeded" or "429".
            Service::Git => (429, "RateExceeded"),
            Service::GitLab => return Self::retry_later(),
            _ => (400, "ThrottlingException"),
        };
        Self::error(service, &AwsError::new(status, code, "Rate exceeded"))
    }

    /// IAM's policies do not allow it: 403 from IAM, 400 from the JSON services. The texts are those
    /// of <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
    pub(crate) fn denied_because(
        service: Service,
        action: &str,
        resource: &str,
        why: Denied,
    ) -> Self {
        let (status, code) = match service {
            json if json.speaks_json() => (400, "AccessDeniedException"),
            Service::Lambda => (403, "AccessDeniedException"),
            Service::GitLab => {
                let error = AwsError::new(403, "Forbidden", "403 Forbidden");
                return Self::error(service, &error);
            }
            _ => (403, "AccessDenied"),
        };
        let why = match why {
            Denied::NoPolicy => {
                format!(" because no identity-based policy allows the {action} action")
            }
            Denied::Explicitly => " with an explicit deny in an identity-based policy".to_owned(),
            Denied::ByBoundary => {
                format!(" because no permissions boundary allows the {action} action")
            }
            Denied::Unexplained => String::new(),
        };
        let message = format!(
            "User: arn:aws:sts::123456789012:assumed-role/cfn-gitops/cfn-gitops is not authorized \
             to perform: {action} on resource: {resource}{why}"
        );
        Self::error(service, &AwsError::new(status, code, message))
    }

    /// GitLab's response to too many calls: plain text, and the time of
    /// the next attempt (`doc/administration/settings/user_and_ip_rate_limits.md`).
    fn retry_later() -> Self {
        let mut answer = Self::plain(429, "Retry later\n");
        answer.headers.push(("retry-after", "20".into()));
        answer.code = Some("TooManyRequests");
        answer
    }

    pub(crate) fn into_http(self) -> HttpResponse {
        let status = StatusCode::try_from(self.status).expect("statuses here are valid");
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Text escaped for XML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// An element for each text that is not `None`.
pub fn elements<const COUNT: usize>(members: [(&str, Option<&str>); COUNT]) -> String {
    let given = members.into_iter();
    given.filter_map(|(name, text)| Some(element(name, &escaped(text?)))).collect()
}

/// A list of names and values, under these names.
pub fn pairs([name, value]: [&str; 2], all: &BTreeMap<String, String>) -> String {
    let member = |(key, text): (&String, &String)| {
        let pair = elements([(name, Some(key)), (value, Some(text))]);
        element("member", &pair)
    };
    all.iter().map(member).collect()
}
