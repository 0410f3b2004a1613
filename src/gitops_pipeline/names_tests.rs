use std::collections::BTreeSet;
use std::path::Path;

use crate::gitops_pipeline::names::*;
use crate::mirror_credential::spec::default_secret_name;

#[test]
fn longest_names_are_within_their_limits() {
    let names = ResourceNames::new("abcdefghij", "abcdefghijklmnopqrst").expect("30 characters");
    assert_eq!(names.event_rule().len(), 64);
    assert!(names.provisioning_role().len() <= 64);
    assert!(names.stack().len() <= 128);
    assert!(names.pipeline().len() <= 100);
    assert!(names.repository().len() <= 100);
    assert!(names.approval_rule_template().len() <= 100);
    let too_long = ResourceNames::new("abcdefghij", "abcdefghijklmnopqrstu");
    assert_eq!(too_long, None);
    let longest_env = ResourceNames::new(&"e".repeat(29), "p").expect("30 characters");
    assert!(longest_env.provisioning_role().len() <= 64);
}

#[test]
fn two_projects_never_share_a_name() {
    assert_eq!(ResourceNames::new("dev-a", "b"), None);
    let names = ResourceNames::new("dev", "a-b").expect("names");
    assert_eq!(ResourceNames::from_stack_name(&names.stack()), Some(names));
    let others = [
        "gitops-pipeline",
        "gitops-",
        "gitops--x",
        "Gitops-dev-x",
        "",
    ];
    for no_stack in others {
        assert_eq!(ResourceNames::from_stack_name(no_stack), None, "{no_stack}");
    }
}

#[test]
fn location_is_read_from_any_arn() {
    let stack = "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/s/id";
    let location = AwsLocation::from_arn(stack).expect("a location");
    assert_eq!(location.role("r"), "arn:aws-cn:iam::123456789012:role/r");
    let pipeline = "arn:aws-cn:codepipeline:cn-north-1:123456789012:p";
    assert_eq!(location.arn("codepipeline", "p"), pipeline);
    let console = location.pipeline_console("p");
    assert!(console.starts_with("https://cn-north-1.console.amazonaws.cn/"));
    for global in ["stack", "arn:aws:iam::123456789012:role/r"] {
        assert_eq!(AwsLocation::from_arn(global), None);
    }
}

/// GitLab's limit is 255 characters.
#[test]
fn longest_reported_addresses_are_within_gitlabs_limit() {
    let names = ResourceNames::new("abcdefghij", "abcdefghijklmnopqrst").expect("30 characters");
    let arn = "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/s/id";
    let location = AwsLocation::from_arn(arn).expect("a location");
    let id = "5f3b2c10-0000-11f0-8000-000000000000";
    let execution = location.reported_execution(&names.pipeline(), id);
    let build = format!("{}:{id}", names.review_project());
    let build = location.reported_build(&names, &build);
    for url in [format!("{execution}/{id}"), build] {
        assert!(url.len() <= 255, "{}: {url}", url.len());
    }
}

#[test]
fn address_of_another_account_or_region_is_anothers() {
    let location = |region: &str, account: &str| {
        let arn = format!("arn:aws:cloudformation:{region}:{account}:stack/s/id");
        AwsLocation::from_arn(&arn).expect("a location")
    };
    let url = |region, account| location(region, account).reported_execution("p", "e1");
    let own = url("eu-central-1", "123456789012");
    let other_execution = location("eu-central-1", "123456789012").reported_execution("p", "e2");
    assert!(are_of_one_account(
        &own,
        &format!("{other_execution}/attempt")
    ));
    for other in [
        url("eu-central-1", "210987654321"),
        url("us-east-1", "123456789012"),
        own.replace("/codesuite/", "/"),
        own.replace('#', "?"),
        String::new(),
    ] {
        assert!(!are_of_one_account(&own, &other), "{other}");
    }
}

/// The names of these kinds that have another scheme: those of other templates' resources, and the
/// patterns of several schemes.
const OTHERS: &[&str] = &[
    "codebuild-${EnvID}-replication-${ProjectID}",
    // The repositories of any origin.
    "codecommit-${EnvID}",
    "codecommit-${EnvID}-*",
    "codecommit-${EnvID}-${ProjectID}",
    // The pipelines of any origin.
    "codepipeline-${EnvID}-*",
    "codepipeline-${EnvID}-s3-${ProjectID}",
    "event-rule-${EnvID}-*",
    "event-rule-${EnvID}-cfn-gitops-*",
    "event-rule-${EnvID}-cfn-gitops-health",
    "event-rule-${EnvID}-cfn-gitops-report",
    "event-rule-${EnvID}-cfn-gitops-review",
    // All rules that start pipelines.
    "event-rule-${EnvID}-codepipeline-exec-*",
    "event-rule-${EnvID}-codepipeline-exec-s3-${ProjectID}",
    "event-rule-${EnvID}-forward-*",
    "event-rule-${EnvID}-forward-codecommit",
    "event-rule-${EnvID}-forward-ecr",
    "event-rule-${EnvID}-replication-*",
    "event-rule-${EnvID}-replication-${ProjectID}",
    "event-rule-${EnvID}-replication-${ProjectID}-daily",
    "event-rule-${EnvID}-replication-${ProjectID}-failed",
];

/// The template at `path`, without comments.
fn template(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a template");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names and patterns in `text` that begin with `begin`.
fn names_in<'a>(text: &'a str, begin: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "-*?${}".contains(it);
    text.match_indices(begin).filter_map(move |(at, _)| {
        let is_first = !text[..at].ends_with(is_part);
        let rest = &text[at..];
        is_first.then(|| &rest[..rest.find(|it| !is_part(it)).unwrap_or(rest.len())])
    })
}

#[test]
fn templates_name_the_resources_of_projects_by_the_schemes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = root.join("templates").read_dir().expect("templates/");
    let listed = listed.map(|entry| entry.expect("a template").path());
    let paths = listed.chain([root.join("template.yaml")]);
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let schemes = SCHEMES.iter().filter(|scheme| **scheme != TOMBSTONES);
    let schemes = schemes.filter_map(|scheme| scheme.0.strip_suffix("${ProjectID}"));
    let mut unknown = BTreeSet::new();
    for path in paths {
        let text = template(&path);
        for scheme in schemes.clone() {
            let (kind, _) = scheme.split_once("${EnvID}").expect("an environment");
            for name in names_in(&text, &format!("{kind}${{EnvID}}")) {
                let mut own = schemes.clone().filter_map(|own| name.strip_prefix(own));
                let is_own = own.any(|rest| matches!(rest, "" | "*" | "${ProjectID}"));
                if !is_own && !OTHERS.contains(&name) {
                    unknown.insert(format!("{name} in {}", path.display()));
                }
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new());
}

#[test]
fn environment_grants_every_name() {
    let text = template(&Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml"));
    // No policy of the environment matches these.
    let unmatched = [CHANGE_SET, TEMPLATE_PATH, APPROVAL_RULE_TEMPLATE];
    let schemes = SCHEMES.iter().filter(|scheme| !unmatched.contains(scheme));
    let patterns = schemes.map(|scheme| scheme.0.replace("${ProjectID}", "*"));
    let users = [
        MIRROR_USERS.0.to_owned(),
        default_secret_name(MIRROR_USERS.0),
    ];
    for pattern in patterns.chain(users) {
        let (prefix, _) = pattern.split_once('*').unwrap_or((&pattern, ""));
        assert!(text.contains(prefix), "{pattern}");
    }
    let review = REVIEW_FOLDER.0.replace("${ProjectID}", "*");
    assert!(text.contains(&format!("${{ArtifactBucket.Arn}}/{review}")));
    let change_sets = format!("ChangeSetName: [{REVIEW_CHANGE_SETS}*, drift-*]");
    assert!(text.contains(&change_sets) && DRIFT_CHANGE_SET.starts_with("drift-"));
}

#[test]
fn schema_names_defaults_by_the_schemes() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/custom-gitopspipeline.json");
    let schema = std::fs::read_to_string(path).expect("the schema");
    for scheme in [
        REPOSITORY,
        DEPLOYED_STACK,
        SERVICE_TOKEN,
        PIPELINE_ROLE,
        BUILD_ROLE,
        REVIEW_BUILD_ROLE,
        DEPLOY_ROLE,
    ] {
        let shown = scheme.0.replace("${", "<").replace('}', ">");
        assert!(schema.contains(&shown), "{shown}");
    }
}
