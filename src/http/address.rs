//! Which addresses are safe for a secret.

/// Whether requests to `url` are encrypted, or do not leave this machine.
pub fn is_https_or_loopback(url: &str) -> bool {
    match reqwest::Url::parse(url) {
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            url.scheme() == "https"
                || (url.scheme() == "http" && matches!(host, "127.0.0.1" | "[::1]" | "localhost"))
        }
        Err(_) => false,
    }
}
