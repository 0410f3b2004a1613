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
mod tests;
