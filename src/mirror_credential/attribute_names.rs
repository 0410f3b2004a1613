//! The attributes of the resource, for its schema and its documentation.

/// The attributes that `Fn::GetAtt` returns, in alphabetical order.
pub const ATTRIBUTES: [&str; 6] = [
    "CreateDate",
    "SecretArn",
    "SecretName",
    "ServiceSpecificCredentialId",
    "ServiceUserName",
    "UserName",
];

#[cfg(test)]
mod tests {
    use super::ATTRIBUTES;
    use serde_json::json;

    use crate::mirror_credential::apply::applier::Applied;
    use crate::mirror_credential::plan::tests::{credential, secret};
    use crate::mirror_credential::resource::outcome;
    use crate::mirror_credential::spec;

    #[test]
    fn every_attribute_of_an_outcome_is_listed() {
        let spec = spec::decode(&json!({"UserName": "u"})).expect("valid");
        let applied = Applied {
            secret: secret(),
            credential: credential("id"),
            warnings: Vec::new(),
        };
        let outcome = outcome(&spec, &applied);
        assert!(outcome.attributes.into_keys().eq(ATTRIBUTES));
    }
}
