//! The conclusions that `cfn-gitops check` shows, too: their sentences are in `cli/rules.json`, and
//! `tests/cli/test_check_gitlab.py` reads the recorded answers.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::errors::project_with;
use super::script::{Reply, Script};
use super::{INFRA, PROJECT, TOKEN, gitlab};
use crate::clients::gitlab::api::error::redirection;
use crate::clients::gitlab::api::project_parts::ProjectPart;
use crate::clients::gitlab::api::token_error::TokenSource;
use crate::clients::gitlab::{ErrorKind, GitLabError, Rejection, TokenError};
use crate::clients::http::TlsError;

/// The name of a conclusion.
fn name_of(kind: &ErrorKind) -> String {
    let shown = match kind {
        ErrorKind::Rejected { cause, .. } => format!("{cause:?}"),
        ErrorKind::Tls(error) => format!("{error:?}"),
        ErrorKind::Token(error) => format!("{error:?}"),
        kind => format!("{kind:?}"),
    };
    shown.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// The conclusions from answers and from failed connections: the reason of each, with placeholders.
#[rustfmt::skip] // A table.
fn conclusions() -> Map<String, Value> {
    // Numbers that stand for a placeholder.
    let (status, level) = (503, 999);
    let [message, to, secret_id, secret_key] = ["{message}", "{to}", "{secret}", "{key}"].map(str::to_owned);
    let [tagged, own, url, missing, all] = ["{tagged}", "{own}", "{url}", "{missing}", "{all}"].map(str::to_owned);
    let secret = secret_id.clone();
    let token = TokenSource { secret_id, secret_key };
    let rejections = [
        Rejection::AccessDenied,
        Rejection::Archived,
        Rejection::Denied,
        Rejection::MirrorsDisabled,
        Rejection::Other,
        Rejection::SwitchedOff(ProjectPart::Repository),
        Rejection::Temporary,
        Rejection::TooManyMirrors,
    ];
    let connections = [
        TlsError::CaAsServer,
        TlsError::Expired,
        TlsError::NotTls,
        TlsError::NotYetValid,
        TlsError::Refused,
        TlsError::UnknownCa,
        TlsError::WrongName("other names".to_owned()),
    ];
    let secrets = [
        TokenError::Deleted { secret: secret.clone() },
        TokenError::Missing,
        TokenError::NoText,
        TokenError::OtherEnvironment { tagged: tagged.clone(), own },
        TokenError::OtherGitLab { tagged, url: url.clone() },
        TokenError::OwnSecret("{tag}"),
        TokenError::Untagged { secret: secret.clone(), url },
        TokenError::UntrustedCa { missing, all, secret },
    ];
    let kinds = rejections.map(|cause| ErrorKind::Rejected { status, message: message.clone(), cause });
    let mut kinds = Vec::from(kinds);
    kinds.extend(connections.map(ErrorKind::Tls));
    kinds.extend(secrets.map(ErrorKind::Token));
    kinds.extend([
        ErrorKind::Challenged { status },
        ErrorKind::InvalidCaCertificate,
        ErrorKind::InsufficientPermissions { message: message.clone(), token: token.clone() },
        ErrorKind::InsufficientScope { token: token.clone() },
        ErrorKind::NoResponse,
        ErrorKind::NotFound,
        ErrorKind::NotGitLab { status, message: message.clone() },
        ErrorKind::NotMaintainer { status, level },
        ErrorKind::ProofRequired { message: message.clone(), token: token.clone() },
        ErrorKind::Redirected { status, to: to.clone() },
        ErrorKind::Rejected { status, message: redirection(&to), cause: Rejection::ProjectMoved(None) },
        ErrorKind::ServerError { status, message: message.clone() },
        ErrorKind::Throttled { message: message.clone() },
        ErrorKind::TokenRejected { message, token },
        ErrorKind::TooLarge,
        ErrorKind::UnexpectedResponse { status },
        ErrorKind::UnknownRoute,
        ErrorKind::Unreachable,
        ErrorKind::UnusableUrl,
    ]);
    kinds.iter().map(row).collect()
}

fn row(kind: &ErrorKind) -> (String, Value) {
    let problem = kind.to_string().replace("503", "{status}");
    let problem = problem.replace("999", "{level}");
    let reason = GitLabError::answered(kind.clone()).reason();
    let row = json!({"code": reason.code.0, "problem": problem, "remedy": reason.remedy});
    (name_of(kind), row)
}

/// `tests/schemas` writes the rest of the file.
#[test]
fn conclusions_are_as_checked_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/rules.json");
    let text = std::fs::read_to_string(&file).expect("the rules");
    let mut rules: Value = serde_json::from_str(&text).expect("JSON");
    let conclusions = Value::from(conclusions());
    if std::env::var_os("CFN_GITOPS_WRITE_SCHEMAS").is_some() {
        rules["gitlab"]["conclusions"] = conclusions.clone();
        std::fs::write(&file, rules.to_string()).expect("the file is written");
    }
    assert_eq!(rules["gitlab"]["conclusions"], conclusions);
}

#[tokio::test(start_paused = true)]
async fn recorded_answer_leads_to_its_conclusion() {
    const ANSWERS: &str = include_str!("answers.json");
    let answers: Vec<Value> = serde_json::from_str(ANSWERS).expect("a list");
    for answer in answers {
        let body = answer["body"].as_str().map_or(answer["body"].to_string(), ToOwned::to_owned);
        let status = answer["status"].as_u64().expect("a number");
        let mut reply = Reply::text(u16::try_from(status).expect("a status"), &body);
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            reply = reply.with(name.clone().leak(), value.as_str().expect("a text"));
        }
        let at = answer["at"].as_str().expect("a text");
        let (path, project) = match at {
            "token" => ("/personal_access_tokens/self".to_owned(), reply.clone()),
            "project" => (format!("{PROJECT}?statistics=true"), reply.clone()),
            part => (
                format!("{PROJECT}/{part}?per_page=100&page=1"),
                project_with(&json!({"access_level": answer["level"]})),
            ),
        };
        let times = if matches!(status, 423 | 429 | 503) {
            4
        } else {
            1
        };
        let script = Script::default()
            .then_times(times, &format!("GET {path}"), &reply)
            .then(&format!("GET {PROJECT}"), project);
        let gitlab = gitlab(&script);
        let read = match at {
            "token" => gitlab.token_details().await.map(drop),
            "project" => gitlab.project(INFRA).await.map(drop),
            "protected_branches" => gitlab.protected_branches(INFRA).await.map(drop),
            _ => gitlab.mirrors(INFRA).await.map(drop),
        };
        let Err(error) = read else {
            panic!("{answer}");
        };
        assert_eq!(name_of(&error.kind), answer["is"], "{answer}");
        assert!(!error.reason().to_string().contains(TOKEN), "{error}");
    }
}
