//! The class of a credential that IAM lists.

/// The relation of a credential to this resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialClass {
    /// The secret holds its login.
    Current,
    /// Issued for this secret. It can be deleted once a current credential exists.
    Superseded,
    /// Issued by a delivery that did not store it.
    Orphan,
    /// Issued for another secret of this resource.
    OtherResource,
    /// Not issued by this resource.
    Foreign,
}

impl CredentialClass {
    /// The suffix of the credential's ID in an issue intent. It distinguishes three classes: issued
    /// for this secret, issued for another secret, and foreign.
    pub fn sign(self) -> &'static str {
        match self {
            CredentialClass::Foreign => "",
            CredentialClass::Current | CredentialClass::Superseded | CredentialClass::Orphan => "=",
            CredentialClass::OtherResource => ":",
        }
    }

    /// Splits a credential's ID from its suffix.
    pub fn parse(id: &str) -> (String, Self) {
        if let Some(id) = id.strip_suffix('=') {
            return (id.to_owned(), CredentialClass::Superseded);
        }
        match id.strip_suffix(':') {
            Some(id) => (id.to_owned(), CredentialClass::OtherResource),
            None => (id.to_owned(), CredentialClass::Foreign),
        }
    }
}
