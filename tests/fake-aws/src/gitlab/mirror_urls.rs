//! The addresses of push mirrors, with or without a login.

/// Splits the login off a URL like `parse_url` in `lib/gitlab/url_sanitizer.rb`: raw, up to
/// the last `@`, and the name up to the first `:`. It is stored unchanged. When it is used,
/// `encode_percent` escapes it, so a login that was already escaped arrives escaped.
///
/// `valid?` first parses the whole URL. A `/`, `?` or `#` in the login ends the part that may
/// contain a login, and the rest is not a valid URL (`lib/gitlab/url_blocker.rb`, `parse_url`).
///
/// An empty one is `blank`, in the user's language.
pub fn sanitized(raw: &str, blank: &str) -> Result<(String, Option<(String, String)>), String> {
    let schemes = ["https", "http", "ssh", "git"];
    if raw.trim().is_empty() {
        return Err(blank.to_owned());
    }
    let (scheme, rest) = raw.trim().split_once("://").unwrap_or_default();
    if !schemes.contains(&scheme) {
        return Err("is blocked: Only allowed schemes are http, https, ssh, git".to_owned());
    }
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.rfind('@') {
        None => Ok((raw.trim().to_owned(), None)),
        Some(at) if at > authority => Err("is blocked: URI is invalid".to_owned()),
        Some(at) => {
            let (name, password) = rest[..at].split_once(':').unwrap_or((&rest[..at], ""));
            // `validate_user` in `lib/gitlab/url_blocker.rb`.
            if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
                let reason = "is blocked: Username needs to start with an alphanumeric character";
                return Err(reason.to_owned());
            }
            let login = Some((name.to_owned(), password.to_owned()));
            Ok((format!("{scheme}://{}", &rest[at + 1..]), login))
        }
    }
}
