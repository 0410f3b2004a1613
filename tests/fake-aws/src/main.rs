//! Serves accounts over HTTP, for `tests/rules`. With the argument `gitlab`, it is the GitLab of
//! `tests/local/gitlab`, which sends a command in each line of its input
//! ([`served::execute`]). With `statuses`, it prints the calls that each status of a stack accepts.
//!
//! The first line of its output contains the port of each service. Each line of its input describes
//! a new account, which replaces the one before: `users`, `repositories`, `project`, and the
//! `gitlab` of `tests/rules/README.md`. The response is a line with the GitLab token. The program ends with its
//! input.

use std::{
    collections::BTreeMap,
    error::Error,
    io::BufRead,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fake_aws::{FakeAws, Scope, gitlab, http, served, stacks};
use serde_json::{Value, json};

const HOSTS: [(&str, &str); 6] = [
    ("iam", "iam.amazonaws.com"),
    (
        "secretsmanager",
        "secretsmanager.eu-central-1.amazonaws.com",
    ),
    ("codebuild", "codebuild.eu-central-1.amazonaws.com"),
    ("codecommit", "codecommit.eu-central-1.amazonaws.com"),
    (
        "cloudformation",
        "cloudformation.eu-central-1.amazonaws.com",
    ),
    ("gitlab", gitlab::HOST),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, protected, unprotected] = arguments.as_slice()
        && mode == "gitlab"
    {
        return serve_gitlab([protected.parse()?, unprotected.parse()?]);
    }
    if arguments == ["statuses"] {
        println!("{}", json!(BTreeMap::from(stacks::ACCEPTED)));
        return Ok(());
    }
    let account = Arc::new(Mutex::new(FakeAws::new()));
    let mut ports = json!({});
    for (name, host) in HOSTS {
        let account = Arc::clone(&account);
        ports[name] = http::serve(move |request| {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            http::execute(&account, host, &request).1
        })?
        .into();
    }
    println!("{ports}");
    for line in std::io::stdin().lock().lines() {
        let (fake, token) = arrange(&serde_json::from_str(&line?)?);
        *account.lock().unwrap_or_else(PoisonError::into_inner) = fake;
        println!("{}", json!({ "token": token }));
    }
    Ok(())
}

fn serve_gitlab(backoffs: [f64; 2]) -> Result<(), Box<dyn Error>> {
    let fake = served::start(backoffs);
    for line in std::io::stdin().lock().lines() {
        let given = serde_json::from_str(&line?)?;
        println!("{}", served::execute(&fake, &given));
    }
    Ok(())
}

fn arrange(given: &Value) -> (FakeAws, String) {
    let (fake, given_gitlab) = (FakeAws::new(), &given["gitlab"]);
    for user in texts(&given["users"]) {
        fake.user(user);
    }
    for repository in texts(&given["repositories"]) {
        fake.repository(repository);
    }
    let is = |name: &str| given_gitlab[name] == true;
    let list = |name: &str| texts(&given_gitlab[name]);
    let project = given["project"].as_str().unwrap_or_default();
    fake.gitlab_project(project, &list("branches"));
    if given_gitlab.get("protected").is_some() {
        fake.protect(project, &list("protected"));
    }
    fake.protect_by_group(project, &list("protected_by_group"));
    if let Some(source) = given_gitlab["merge_request"].as_str() {
        let commit = format!("first-of-{source}");
        fake.merge_request(project, 1, source, &commit, "opened");
    }
    let scope = match given_gitlab["scope"].as_str() {
        Some("read_api") => Scope::ReadApi,
        Some("read_repository") => Scope::ReadRepository,
        _ => Scope::Api,
    };
    let token = fake.gitlab_token_for("gitlab/token", gitlab::HOST, scope);
    fake.options(|options| {
        let behaviour = &mut options.gitlab;
        behaviour.unique_urls = !is("older_than_19_2");
        behaviour.premium = !is("free");
        behaviour.silent = is("silent");
        behaviour.drops_paging_headers = false;
        behaviour.mirroring_disabled = is("mirroring_disabled");
        if is("older_than_18_9") {
            behaviour.enabled_mirrors_limit = None;
        }
    });
    fake.change(|aws| {
        if is("expired") {
            let token = aws.gitlab.tokens.get_mut(&token).expect("just created");
            token.expires = Some(Duration::ZERO);
        }
        let project = aws.gitlab.project_mut(project);
        project.lfs_objects_size = given_gitlab["lfs_objects_size"].as_u64().unwrap_or(0);
        if let Some(level) = given_gitlab.get("level") {
            project.access = level.as_u64();
        }
    });
    (fake, token)
}

fn texts(list: &Value) -> Vec<&str> {
    let members = list.as_array().into_iter().flatten();
    members.filter_map(Value::as_str).collect()
}
