//! CodeCommit's API and the git address behind it.

use serde_json::json;

use super::{
    answer::{Answer, AwsError},
    aws::Aws,
    request::Call,
};

pub fn answer(aws: &mut Aws, call: &Call) -> Result<Answer, AwsError> {
    if call.operation != "GetRepository" {
        return Err(aws.unknown_operation("codecommit", &call.operation));
    }
    let name = call.needed("repositoryName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(allowed) {
        let message = "The repository name is not valid. Repository names can be any valid combination \
                       of letters, numbers, periods, underscores, and dashes between 1 and 100 characters \
                       in length.";
        return Err(AwsError::new(
            400,
            "InvalidRepositoryNameException",
            message,
        ));
    }
    if !aws.repositories.contains(name) {
        let message = format!("{name} does not exist");
        return Err(AwsError::new(
            400,
            "RepositoryDoesNotExistException",
            message,
        ));
    }
    let host = "git-codecommit.eu-central-1.amazonaws.com/v1/repos";
    Ok(Answer::json(&json!({"repositoryMetadata": {
        "accountId": "123456789012",
        "repositoryId": "f7579e13-b83e-4027-aaef-650c0EXAMPLE",
        "repositoryName": name,
        "cloneUrlHttp": format!("https://{host}/{name}"),
        "cloneUrlSsh": format!("ssh://{host}/{name}"),
        "Arn": format!("arn:aws:codecommit:eu-central-1:123456789012:{name}"),
        "creationDate": Aws::seconds(std::time::Duration::ZERO),
        "lastModifiedDate": Aws::seconds(std::time::Duration::ZERO),
    }})))
}

/// What a `git push` asks first. git's "smart HTTP" protocol: the answer to who
/// may push is an advertisement of the refs.
pub fn probe(aws: &mut Aws, call: &Call) -> Result<Answer, AwsError> {
    if call.method != "GET" {
        return Err(AwsError::new(405, "MethodNotAllowed", ""));
    }
    let login = call.header("authorization").and_then(basic);
    let user = login.and_then(|(name, password)| {
        // A new login is refused until IAM's change has spread.
        let seen = aws.iam.seen(aws.now, aws.options.login_late);
        seen.login(&name, &password).map(str::to_owned)
    });
    let Some(user) = user else {
        let mut refusal = Answer::plain(401, "");
        refusal.code = Some("Unauthorized");
        refusal
            .headers
            .push(("www-authenticate", "Basic realm=\"AWS CodeCommit\"".into()));
        return Ok(refusal);
    };
    let repository = call.needed("repository");
    if !aws.repositories.contains(repository) {
        return Err(AwsError::new(404, "NotFound", "repository not found"));
    }
    // 403 is what is known of the answer to a user without GitPush.
    if aws.without_git_push.contains(&user) {
        return Err(AwsError::new(403, "Forbidden", ""));
    }
    let mut advertisement = Answer::plain(200, "001f# service=git-receive-pack\n0000");
    advertisement.headers.push((
        "content-type",
        "application/x-git-receive-pack-advertisement".into(),
    ));
    Ok(advertisement)
}

/// Name and password from a Basic `Authorization` header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(aws_smithy_types::base64::decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
