//! The rules of this client that the operator's command checks before a deployment, as data.
//!
//! `cli/rules.json` has them: `tests/schemas` compares the file with this module. The conclusions
//! in it are those of `tests/conclusions.rs`.

use cfn_custom_resource::{Kind, ReasonCode};
use serde_json::{Value, json};

use super::api::error::MAINTAINER;
use super::api::own_token::SUFFICIENT_SCOPES;
use super::api::sanitize::BARE;
use super::api::token::TOKEN_CHARACTERS;
use super::api::token_error::{CA_TAG, ENV_TAG, URL_TAG};
use super::api::transport::{ATTEMPT_TIMEOUT, CHALLENGES, MAX_RESPONSE_BYTES};
use super::mirrors::mirror::MAX_ENABLED_MIRRORS;
use super::project::property::MEMBERS;
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
        "max_response_bytes": MAX_RESPONSE_BYTES,
        "timeout_seconds": ATTEMPT_TIMEOUT.as_secs(),
        "bare_messages": BARE,
        "challenges": CHALLENGES,
        // Of conclusions that are not from one answer.
        "codes": {
            "branch_not_mirrored": ReasonCode::from(Code::BranchNotMirrored).0,
            "push_failed": ReasonCode::from(Code::PushFailed).0,
        },
    })
}
