//! The members of the property `GitLab`, which both resources have.

use crate::clients::gitlab::api::token::Access;
use crate::clients::http;
use cfn_custom_resource::{Format, Kind, Object, Pattern, Property};

/// How to reach GitLab.
pub const MEMBERS: [Property; 4] = [
    Property::new("Url", Kind::Text(&URL)).or("https://gitlab.com").doc(
        "The address of GitLab. The token is sent only to the host in the tag \
             `cfn-gitops:gitlab-url` of the token's secret, and only if the tag equals this \
             address.",
    ),
    Property::required("TokenSecretId", Kind::Text(&SECRET_ID))
        .doc("The secret with GitLab's token, in the function's account and region."),
    Property::new("TokenSecretKey", Kind::Text(&SECRET_KEY)).or("token").doc(
        "The member of the secret that is the token. If the secret is not a JSON object, \
             its whole value is the token.",
    ),
    Property::new("CaCertificate", Kind::Text(&CERTIFICATE)).doc(
        "CA certificates that are trusted in addition to the public ones. The tag \
         `cfn-gitops:gitlab-ca-sha256` of the token's secret must have the SHA-256 fingerprint \
         of each.",
    ),
];

// A login in the address would be a second secret, in plain text. The tag of the token's secret is
// the same address, and a tag has no brackets, so that an address of IPv6 needs a name:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Tag.html
static URL: Format = Format::with_parser(
    Pattern::new(concat!(
        r"^(https://[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1))",
        r"(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)*/?$"
    ))
    .without("/api/v4/?$")
    .up_to(256),
    "must be https://, a host and perhaps a path, of ASCII letters, digits and `_.-`, without a login (http:// only \
     to this machine)",
    http::is_https_or_loopback,
)
.with_place(api_path);
// A name has at most 512 characters, so that 600 are enough for an ARN.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
static SECRET_ID: Format = Format::new(
    Pattern::new(concat!(
        "^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?",
        "[A-Za-z0-9/_+=.@-]+$"
    ))
    .up_to(600),
    "must be the name or the ARN of a secret",
);
static SECRET_KEY: Format = Format::new(
    Pattern::new("^[\\s\\S]").up_to(256),
    "must be 1 to 256 characters",
);
// Other text could be a private key, which everyone who can read the stack would see.
static CERTIFICATE: Format = Format::with_parser(
    Pattern::new(concat!(
        r"^[ \t\r\n]*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/= \t\r\n]+",
        r"-----END CERTIFICATE-----[ \t\r\n]*)+$"
    )),
    "must be certificates in PEM, without other text",
    http::is_certificate,
)
.with_place(http::unreadable_certificate);
/// The number or the full path of a project.
pub static PROJECT: Format = Format::new(
    Pattern::new(
        "^([0-9]{1,20}|[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*(/[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*)+)$",
    )
    .without("[^/]{256}|\\.(git|atom)$")
    .up_to(1024),
    "must be a project's number or its full path (group/project)",
)
.with_place(path_in_address);

/// The path of the API, which is not a part of the address.
fn api_path(url: &str) -> Option<String> {
    let is_api = url.trim_end_matches('/').ends_with("/api/v4");
    is_api.then(|| "leave out /api/v4".to_owned())
}

/// The path of the project in its address, or in a text that has more than the path.
fn path_in_address(text: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((_, address)) => address.split_once('/')?.1,
        None => text.split_once(':').map_or(text, |(_, path)| path),
    };
    let path = path.replace("%2F", "/").replace("%2f", "/");
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.split("/-/").next().unwrap_or_default();
    let path = path.strip_prefix("api/v4/projects/").unwrap_or(path);
    let path = path.trim_matches(|c: char| c == '/' || c.is_whitespace());
    let path = path.trim_end_matches(".git");
    (path != text && PROJECT.fits(path)).then(|| format!("did you mean {path}?"))
}

impl Access {
    /// Decodes the members. `None` if there is no token.
    pub fn decode(gitlab: &Object) -> Option<Self> {
        let url = gitlab.text("Url").unwrap_or_default();
        Some(Access {
            url: url.trim_end_matches('/').to_owned(),
            token_secret_id: gitlab.text("TokenSecretId")?,
            token_secret_key: gitlab.text("TokenSecretKey").unwrap_or_default(),
            ca_certificate: gitlab.text("CaCertificate"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{PROJECT, URL};

    #[test]
    fn unusable_gitlab_url_is_rejected() {
        for url in [
            "https://user:word@gitlab.example.com",
            "https://gitlab.example.com/?a",
            "https://gitlab.example.com/#a",
            "http://gitlab.example.com",
            "gitlab.example.com",
            "https:gitlab.example.com",
            "http://127.1",
        ] {
            assert!(!URL.fits(url), "{url}");
        }
        for url in [
            "https://gitlab.example.com/api/v4",
            "https://gitlab.example.com/git/api/v4/",
        ] {
            assert!(!URL.fits(url), "{url}");
            assert!(URL.error_of(url).ends_with("; leave out /api/v4"), "{url}");
        }
        assert!(URL.fits("https://gitlab.example.com:8443/git/"));
        assert!(URL.fits("http://127.0.0.1:8080"));
    }

    #[test]
    fn project_in_another_form_is_rejected_with_its_path() {
        for text in [
            "group/project.git",
            "/group/project",
            "group/project/",
            "group%2Fproject",
            "group%2fproject",
            " group/project\n",
            "https://gitlab.example.com/group/project",
            "https://gitlab.example.com:8443/group/project.git",
            "https://gitlab.example.com/group/project/-/tree/main?a=b",
            "https://gitlab.example.com/api/v4/projects/group%2Fproject",
            "git@gitlab.example.com:group/project.git",
            "ssh://git@gitlab.example.com/group/project.git",
        ] {
            assert!(!PROJECT.fits(text), "{text}");
            let error = PROJECT.error_of(text);
            let remedy = "; did you mean group/project?";
            assert!(error.ends_with(remedy), "{text}: {error}");
        }
        assert!(!PROJECT.fits(" 42") && PROJECT.error_of(" 42").ends_with("mean 42?"));
        for text in ["project", "https://gitlab.example.com/", "group/a b", ""] {
            assert!(!PROJECT.fits(text), "{text}");
            assert!(!PROJECT.error_of(text).contains("did you mean"), "{text}");
        }
        for text in ["42", "group/project", "group/project.github.io"] {
            assert!(PROJECT.fits(text), "{text}");
        }
    }
}
