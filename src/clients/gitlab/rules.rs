//! The rules of this client that the operator's command checks before a deployment, as data.
//!
//! `cli/rules.json` has them: `tests/schemas` compares the file with this module.

use cfn_custom_resource::{Kind, ReasonCode};
use serde_json::{Map, Value, json};

use super::branches::MAX_LISTED;
use super::endpoints::Endpoint;
use super::error::MAINTAINER;
use super::mirror::MAX_ENABLED_MIRRORS;
use super::own_token::SUFFICIENT_SCOPES;
use super::project_parts::ProjectPart;
use super::property::MEMBERS;
use super::token::TOKEN_CHARACTERS;
use super::token_error::{CA_TAG, ENV_TAG, URL_TAG};
use super::transport::{ATTEMPT_TIMEOUT, MAX_RESPONSE_BYTES};
use crate::common::ownership;
use crate::common::reason_codes::Code;

/// The rules that the operator's command reads.
pub fn rules() -> Value {
    let [url, _, key, _] = MEMBERS;
    let pattern = match url.kind {
        Kind::Text(format) => format.pattern.matches,
        _ => "",
    };
    json!({
        "url": {"default": url.default, "pattern": pattern},
        "secret_key": {"default": key.default},
        "tags": {
            "url": URL_TAG,
            "ca": CA_TAG,
            "env": ENV_TAG,
            "own": [ownership::STACK_ID, ownership::LOGICAL_ID],
        },
        "token_characters": TOKEN_CHARACTERS,
        "sufficient_scopes": SUFFICIENT_SCOPES,
        "least_access_level": MAINTAINER,
        "max_enabled_mirrors": MAX_ENABLED_MIRRORS,
        "max_listed_protected_branches": MAX_LISTED,
        "max_response_bytes": MAX_RESPONSE_BYTES,
        "timeout_seconds": ATTEMPT_TIMEOUT.as_secs(),
        "parts": names_of_parts(),
        "closed_by": {
            "mirrors": closing("GET", "/protected_branches"),
            "notes": closing("POST", "/merge_requests/:iid/notes"),
            "deployments": closing("POST", "/deployments"),
        },
        "codes": codes(),
    })
}

/// The beginning of a sentence about each part, by the member that shows who may use it.
fn names_of_parts() -> Map<String, Value> {
    let parts = ProjectPart::ALL.into_iter();
    let named = parts.map(|part| (part.member().to_owned(), part.to_string().into()));
    named.collect()
}

/// The members of the parts that close the endpoint if they are switched off.
fn closing(method: &str, path: &str) -> Vec<&'static str> {
    let closed_by = Endpoint::of(method, path).map_or(&[][..], |it| it.closed_by);
    closed_by.iter().map(|part| part.member()).collect()
}

/// The codes of the reasons that a deployment would end with.
fn codes() -> Map<String, Value> {
    let codes = [
        ("invalid", Code::InvalidProperties),
        ("unreachable", Code::GitLabUnreachable),
        ("not_trusted", Code::GitLabNotTrusted),
        ("no_tls", Code::NoTlsConnection),
        ("not_gitlab", Code::NotGitLab),
        ("unusable", Code::TokenUnusable),
        ("not_allowed", Code::TokenNotAllowed),
        ("rejected", Code::TokenRejected),
        ("lacks_access", Code::TokenLacksAccess),
        ("project_missing", Code::ProjectMissing),
        ("mirrors_disabled", Code::MirrorsDisabled),
        ("mirror_limit", Code::MirrorLimit),
        ("branch_not_mirrored", Code::BranchNotMirrored),
        ("part_switched_off", Code::PartSwitchedOff),
    ];
    let texts = codes.map(|(name, code)| (name.to_owned(), ReasonCode::from(code).0.into()));
    texts.into_iter().collect()
}
