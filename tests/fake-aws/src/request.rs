//! A decoded request: service, operation and parameters.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Map, Value};
use std::fmt;

use crate::{
    gitlab,
    services::{codebuild, s3},
};

/// Who answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    Iam,
    SecretsManager,
    CodeBuild,
    CodeCommit,
    CodePipeline,
    Events,
    CloudFormation,
    Lambda,
    S3,
    Sts,
    /// `CodeCommit`'s git address.
    Git,
    /// The bucket that `CloudFormation`'s `ResponseURL` points at.
    ResponseBucket,
    /// GitLab's REST API, which is not AWS's.
    GitLab,
}

impl Service {
    /// Whether IAM's policies decide who may call it.
    pub fn has_policies(self) -> bool {
        !matches!(self, Self::Git | Self::ResponseBucket | Self::GitLab)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Iam => "iam",
            Self::SecretsManager => "secretsmanager",
            Self::CodeBuild => "codebuild",
            Self::CodeCommit => "codecommit",
            Self::CodePipeline => "codepipeline",
            Self::Events => "events",
            Self::CloudFormation => "cloudformation",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Git => "git",
            Self::ResponseBucket => "response-bucket",
            Self::GitLab => "gitlab",
        })
    }
}

/// Whether a call of `operation` only reads.
pub fn reads(service: Service, operation: &str) -> bool {
    let operation = operation.strip_prefix("GitLab.").unwrap_or(operation);
    let mut verbs = ["Get", "List", "Describe", "BatchGet"].into_iter();
    matches!(service, Service::Git) || verbs.any(|verb| operation.starts_with(verb))
}

/// One call, as the service understands it.
#[derive(Clone, Debug)]
pub struct Call {
    pub service: Service,
    /// The API's operation; `GitPush` for the push check, `PutResponse` for the
    /// response to `CloudFormation` and `GitLab.CreateMirror` and so on for
    /// GitLab, which have no operation's name.
    pub operation: String,
    pub params: Map<String, Value>,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    /// Decodes a request, or returns why no service would accept it.
    pub fn decode(request: &HttpRequest) -> Result<Self, String> {
        let url = request.uri().to_owned();
        let body = request
            .body()
            .bytes()
            .ok_or("a body that is streamed")?
            .to_vec();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let header = |name: &str| find_header(&headers, name).unwrap_or_default().to_owned();
        let (service, rest) = address(&url)?;
        let (operation, params) = match service {
            Service::Iam | Service::CloudFormation | Service::Sts => {
                let mut form = form(&String::from_utf8_lossy(&body));
                let action = form.remove("Action");
                let action = action.as_ref().and_then(Value::as_str).unwrap_or_default();
                (action.to_owned(), form)
            }
            Service::SecretsManager
            | Service::CodeBuild
            | Service::CodeCommit
            | Service::CodePipeline
            | Service::Events => {
                let target = header("x-amz-target");
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                let params = serde_json::from_slice(&body)
                    .map_err(|error| format!("a body that is no JSON object: {error}"))?;
                (operation, params)
            }
            Service::Lambda => {
                let function = rest
                    .strip_prefix("/2015-03-31/functions/")
                    .and_then(|rest| rest.strip_suffix("/invocations"))
                    .ok_or_else(|| format!("no address of an invocation: {rest}"))?;
                let mut params = Map::new();
                params.insert("FunctionName".into(), unescaped(function).into());
                ("Invoke".into(), params)
            }
            Service::S3 => s3::decode(request.method(), &url)?,
            Service::Git => {
                let repository = rest
                    .strip_prefix("/v1/repos/")
                    .and_then(|rest| rest.strip_suffix("/info/refs?service=git-receive-pack"))
                    .ok_or_else(|| format!("no address of a git push: {rest}"))?;
                let mut params = Map::new();
                params.insert("repository".into(), repository.into());
                ("GitPush".into(), params)
            }
            Service::ResponseBucket => ("PutResponse".into(), Map::new()),
            Service::GitLab => {
                gitlab::decode(request.method(), rest, &header("content-type"), &body)?
            }
        };
        let is_aws = !matches!(
            service,
            Service::Git | Service::ResponseBucket | Service::GitLab
        );
        if is_aws && !header("authorization").starts_with("AWS4-HMAC-SHA256 ") {
            return Err(format!("{operation} is not signed"));
        }
        Ok(Self {
            service,
            operation,
            params,
            method: request.method().to_owned(),
            url,
            headers,
            body,
        })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    /// A parameter that a service needs; empty when it is missing, which no
    /// rule accepts.
    pub fn needed(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.params.get(name).and_then(Value::as_bool) == Some(true)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The members of a list in the query protocol: `Tags.member.1.Key` and on.
    pub fn members(&self, list: &str, field: &str) -> Vec<&str> {
        (1..)
            .map_while(|index| self.text(&format!("{list}.member.{index}{field}")))
            .collect()
    }

    /// The strings of a JSON list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let items = self.params.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Whether it only reads.
    pub fn reads(&self) -> bool {
        reads(self.service, &self.operation)
    }

    /// The IAM action that allows it, and its resource.
    pub(crate) fn action_and_resource(&self) -> (String, String) {
        let resource = match self.service {
            Service::Iam => match (self.text("RoleName"), self.text("PolicyArn")) {
                (Some(role), _) => format!("arn:aws:iam::123456789012:role/{role}"),
                (_, Some(policy)) => policy.to_owned(),
                _ => format!("arn:aws:iam::123456789012:user/{}", self.needed("UserName")),
            },
            Service::SecretsManager => self
                .text("SecretId")
                .or_else(|| self.text("Name"))
                .unwrap_or_default()
                .to_owned(),
            Service::CodeBuild => {
                let first = self.list("ids").into_iter().next();
                let project = first.or(self.text("projectName")).unwrap_or_default();
                codebuild::project_arn(project.split(':').next().unwrap_or_default())
            }
            Service::CodeCommit => match self.text("resourceArn") {
                Some(arn) => arn.to_owned(),
                None => format!(
                    "arn:aws:codecommit:eu-central-1:123456789012:{}",
                    self.needed("repositoryName")
                ),
            },
            // The resource of an action is "pipeline-name/stage-name/action-name" (Service
            // Authorization Reference).
            Service::CodePipeline => {
                let name = self.text("pipelineName");
                let name = name.unwrap_or_else(|| self.needed("name"));
                let action = [self.text("stageName"), self.text("actionName")];
                let parts: Vec<&str> = action.into_iter().flatten().collect();
                let path = [&[name], parts.as_slice()].concat().join("/");
                format!("arn:aws:codepipeline:eu-central-1:123456789012:{path}")
            }
            Service::Events => format!(
                "arn:aws:events:eu-central-1:123456789012:rule/{}",
                self.needed("Name")
            ),
            Service::CloudFormation
                if ["DescribeType", "ListStacks"].contains(&self.operation.as_str()) =>
            {
                "*".to_owned()
            }
            Service::CloudFormation => match self.needed("StackName") {
                arn if arn.starts_with("arn:") => arn.to_owned(),
                name => {
                    format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/{name}/*")
                }
            },
            Service::Lambda => self.needed("FunctionName").to_owned(),
            Service::S3 => {
                return s3::action_and_resource(&s3::Location::of(self));
            }
            Service::Sts => self.needed("RoleArn").to_owned(),
            Service::Git => self.needed("repository").to_owned(),
            Service::ResponseBucket => self.path().to_owned(),
            Service::GitLab => self.needed("project").to_owned(),
        };
        let action = match self.service {
            Service::Lambda => "lambda:InvokeFunction".to_owned(),
            service => format!("{service}:{}", self.operation),
        };
        (action, resource)
    }

    /// The parameters that a journal may show.
    pub fn shown(&self) -> Map<String, Value> {
        let mut params = self.params.clone();
        params.retain(|name, _| !matches!(name.as_str(), "SecretString" | "SecretBinary"));
        params.remove("Version");
        // As long as all the rest together.
        params.remove("TemplateBody");
        if self.service == Service::ResponseBucket {
            params.insert("path".into(), self.path().into());
        }
        if self.service == Service::GitLab {
            // It holds a login.
            params.remove("url");
        }
        params
    }

    pub fn host(&self) -> &str {
        let rest = self.url.strip_prefix("https://").unwrap_or_default();
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    fn path(&self) -> &str {
        let start = self.url.find("//").map_or(0, |found| found + 2);
        let rest = &self.url[start..];
        let rest = rest.find('/').map_or("", |found| &rest[found..]);
        rest.split('?').next().unwrap_or_default()
    }
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// The service at this address, and the path after the host.
fn address(url: &str) -> Result<(Service, &str), String> {
    let rest = url
        .strip_prefix("https://")
        .ok_or_else(|| format!("not https: {url}"))?;
    let (host, _) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let service = match host {
        "iam.amazonaws.com" => Service::Iam,
        "secretsmanager.eu-central-1.amazonaws.com" => Service::SecretsManager,
        "codebuild.eu-central-1.amazonaws.com" => Service::CodeBuild,
        "codecommit.eu-central-1.amazonaws.com" => Service::CodeCommit,
        "codepipeline.eu-central-1.amazonaws.com" => Service::CodePipeline,
        "events.eu-central-1.amazonaws.com" => Service::Events,
        "cloudformation.eu-central-1.amazonaws.com" => Service::CloudFormation,
        "lambda.eu-central-1.amazonaws.com" => Service::Lambda,
        "sts.eu-central-1.amazonaws.com" => Service::Sts,
        "git-codecommit.eu-central-1.amazonaws.com" => Service::Git,
        "cloudformation-custom-resource-response-eucentral1.s3.amazonaws.com" => {
            Service::ResponseBucket
        }
        host if s3::is_host(host) => Service::S3,
        gitlab::HOST | gitlab::REDIRECT_HOST => Service::GitLab,
        _ => return Err(format!("no service at {host}")),
    };
    Ok((service, &rest[host.len()..]))
}

/// Decodes `application/x-www-form-urlencoded`. A name that ends in `[]` has a list, as in Rack.
pub fn form(encoded: &str) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in encoded.split('&').filter_map(|pair| pair.split_once('=')) {
        let (name, value) = (unescaped(name), Value::from(unescaped(value)));
        match name.strip_suffix("[]") {
            None => members.insert(name, value),
            Some(list) => {
                let held = members.remove(list);
                let mut all = held.and_then(|held| held.as_array().cloned());
                let mut all = all.take().unwrap_or_default();
                all.push(value);
                members.insert(list.to_owned(), all.into())
            }
        };
    }
    members
}

pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%' && tail.len() >= 2)
            .then(|| std::str::from_utf8(&tail[..2]).ok())
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if let Some(byte) = hex {
            bytes.push(byte);
            &tail[2..]
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
