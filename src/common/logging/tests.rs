use tracing::Level;

use super::filter;

#[test]
fn libraries_log_at_warn_and_above_only() {
    let directives = "hyper=trace,cfn_gitops=trace trace,lambda_runtime=trace trace debug";
    for wanted in directives.split(' ') {
        let filter = filter(wanted);
        for target in "lambda_runtime hyper aws_smithy_runtime::client reqwest".split(' ') {
            let is_logged = |level| filter.would_enable(target, &level);
            assert!(!is_logged(Level::INFO), "{wanted}: {target}");
            assert!(is_logged(Level::WARN), "{wanted}: {target}");
        }
        let own = filter.would_enable("cfn_gitops::handler", &Level::DEBUG);
        assert!(own, "{wanted}");
    }
}

#[test]
fn rust_log_sets_the_level_of_this_crate() {
    assert!(filter("").would_enable("cfn_gitops", &Level::INFO));
    assert!(!filter("").would_enable("cfn_gitops", &Level::DEBUG));
    assert!(!filter("error").would_enable("cfn_gitops", &Level::WARN));
    assert!(filter("cfn_gitops=debug").would_enable("cfn_custom_resource", &Level::DEBUG));
    assert!(filter("nonsense=nonsense").would_enable("cfn_gitops", &Level::INFO));
}
