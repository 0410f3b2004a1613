//! The attributes of the resource.

use std::collections::BTreeMap;

use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{Credential, Secret};

/// The attributes that `Fn::GetAtt` returns, in alphabetical order.
pub const ATTRIBUTES: [&str; 6] = [
    "CreateDate",
    "SecretArn",
    "SecretName",
    "ServiceSpecificCredentialId",
    "ServiceUserName",
    "UserName",
];

pub fn attributes(
    spec: &Spec,
    secret: &Secret,
    credential: &Credential,
) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("SecretArn", secret.arn.clone()),
        ("SecretName", spec.secret_name.clone()),
        ("UserName", spec.user_name.clone()),
        ("ServiceUserName", credential.service_user_name.clone()),
        ("ServiceSpecificCredentialId", credential.id.clone()),
        ("CreateDate", write_time(credential.created)),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mirror_credential::plan::tests::{credential, secret};
    use crate::mirror_credential::spec;

    #[test]
    fn every_attribute_of_an_outcome_is_listed() {
        let spec = spec::decode(&json!({"UserName": "u"})).expect("valid");
        let attributes = attributes(&spec, &secret(), &credential("id"));
        assert!(attributes.into_keys().eq(ATTRIBUTES));
    }
}
