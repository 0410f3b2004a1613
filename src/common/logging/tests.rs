use tracing::Level;

use super::filter;

#[test]
fn libraries_log_at_warn_and_above_only() {
    for wanted in [
        "trace",
        "debug",
        "hyper=trace,cfn_gitops=trace",
        "trace,lambda_runtime=trace",
    ] {
        let filter = filter(wanted);
        for target in [
            "lambda_runtime",
            "hyper",
            "aws_smithy_runtime::client",
            "reqwest",
        ] {
            assert!(
                !filter.would_enable(target, &Level::INFO),
                "{wanted}: {target}"
            );
            assert!(filter.would_enable(target, &Level::WARN));
        }
        assert!(
            filter.would_enable("cfn_gitops::handler", &Level::DEBUG),
            "{wanted}"
        );
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
