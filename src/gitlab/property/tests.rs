use super::URL;

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
    assert!(URL.fits("https://gitlab.example.com:8443/git/"));
    assert!(URL.fits("http://127.0.0.1:8080"));
}
