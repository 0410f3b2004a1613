//! Requests, decoded, and the permission that each needs.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Map, Value};

pub use crate::world::call::{Call, Service};
use crate::{
    gitlab,
    services::{codebuild, functions, logs, s3},
    world::call::{find_header, form, unescaped},
};

impl Call {
    /// Decodes a request, or returns why no service would accept it.
    pub fn decode(request: &HttpRequest) -> Result<Self, String> {
        let url = request.uri().to_owned();
        let body = request.body().bytes().ok_or("a body that is streamed")?.to_vec();
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers: Vec<(String, String)> = headers.collect();
        let header = |name: &str| find_header(&headers, name).unwrap_or_default().to_owned();
        let (service, rest) = address(&url)?;
        let (operation, params) = match service {
            Service::Iam | Service::CloudFormation | Service::Sts => {
                let mut form = form(&String::from_utf8_lossy(&body));
                let action = form.remove("Action");
                let action = action.as_ref().and_then(Value::as_str).unwrap_or_default();
                (action.to_owned(), form)
            }
            json if json.speaks_json() => {
                let target = header("x-amz-target");
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                let params = serde_json::from_slice(&body)
                    .map_err(|error| format!("a body that is no JSON object: {error}"))?;
                (operation, params)
            }
            Service::Lambda => {
                let (operation, function) = functions::operation_at(rest)
                    .ok_or_else(|| format!("no address of an operation of Lambda: {rest}"))?;
                let mut params = Map::new();
                params.insert("FunctionName".into(), unescaped(function).into());
                (operation.into(), params)
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
            _ => gitlab::decode(request.method(), rest, &body)?,
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

    /// The IAM action that allows it, and its resource.
    pub(crate) fn action_and_resource(&self) -> (String, String) {
        let resource = match self.service {
            Service::Iam => match (self.text("RoleName"), self.text("PolicyArn")) {
                (Some(role), _) => format!("arn:aws:iam::123456789012:role/{role}"),
                (_, Some(policy)) => policy.to_owned(),
                _ => format!("arn:aws:iam::123456789012:user/{}", self.needed("UserName")),
            },
            Service::SecretsManager => {
                let name = self.text("SecretId").or(self.text("Name"));
                name.unwrap_or_default().to_owned()
            }
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
            Service::CloudWatchLogs => logs::stream_arn(self),
            Service::Lambda => match self.needed("FunctionName") {
                arn if arn.starts_with("arn:") => arn.to_owned(),
                name => format!("arn:aws:lambda:eu-central-1:123456789012:function:{name}"),
            },
            Service::S3 => {
                return s3::action_and_resource(&s3::Location::of(self));
            }
            Service::Sts => self.needed("RoleArn").to_owned(),
            Service::Git => self.needed("repository").to_owned(),
            Service::ResponseBucket => self.path().to_owned(),
            Service::GitLab => self.needed("project").to_owned(),
        };
        let action = match self.service {
            Service::Lambda if self.operation == "Invoke" => "lambda:InvokeFunction".to_owned(),
            service => format!("{service}:{}", self.operation),
        };
        (action, resource)
    }
}

/// The service at this address, and the path after the host.
fn address(url: &str) -> Result<(Service, &str), String> {
    let rest = url.strip_prefix("https://").ok_or_else(|| format!("not https: {url}"))?;
    let (host, _) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let service = match host {
        "iam.amazonaws.com" => Service::Iam,
        "secretsmanager.eu-central-1.amazonaws.com" => Service::SecretsManager,
        "codebuild.eu-central-1.amazonaws.com" => Service::CodeBuild,
        "codecommit.eu-central-1.amazonaws.com" => Service::CodeCommit,
        "codepipeline.eu-central-1.amazonaws.com" => Service::CodePipeline,
        "events.eu-central-1.amazonaws.com" => Service::Events,
        "cloudformation.eu-central-1.amazonaws.com" => Service::CloudFormation,
        "logs.eu-central-1.amazonaws.com" => Service::CloudWatchLogs,
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
