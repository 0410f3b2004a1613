//! One GitLab for another program, which has the repositories: it serves git over HTTP, and pushes
//! for the mirrors. Time is real.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    AwsState, FakeAws,
    account::mirror_runs,
    gitlab::{
        DEVELOPER, GitLab, HOST, Project, Scope, Served, Token,
        branch_patterns::is_like,
        history::{PushEvent, record_all},
        merge_requests, runs,
    },
    http::{self, Answer, Request},
    world::World,
};

/// A GitLab without projects. `backoffs` are the seconds of `protected_backoff` and
/// `unprotected_backoff`.
pub fn start(backoffs: [f64; 2]) -> FakeAws {
    let fake = FakeAws::by_machine_clock();
    fake.options(|options| {
        let [protected, unprotected] = backoffs.map(Duration::from_secs_f64);
        options.gitlab.protected_backoff = protected;
        options.gitlab.unprotected_backoff = unprotected;
    });
    fake.change(|aws| aws.gitlab.served = Some(Served::default()));
    fake
}

/// Executes a command of the other program: a line of its output, with the command's name in `do`.
pub fn execute(fake: &FakeAws, given: &Value) -> Value {
    if given["do"] == "call" {
        return call(fake, given);
    }
    fake.change(|aws| command(aws, given))
}

/// A request for the API.
fn call(fake: &FakeAws, given: &Value) -> Value {
    let headers = given["headers"].as_object().into_iter().flatten();
    let request = Request {
        method: text(given, "method").to_owned(),
        target: text(given, "target").to_owned(),
        headers: headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        body: text(given, "body").into(),
    };
    let answer = match http::decode(HOST, &request) {
        // `route :any, '*path'` in `lib/api/api.rb`.
        Err(_) => Answer::new(404, r#"{"error":"404 Not Found"}"#),
        Ok(_) => http::execute(fake, HOST, &request).1.expect("no fault"),
    };
    json!({
        "status": answer.status, "headers": answer.headers.into_iter().collect::<BTreeMap<_, _>>(),
        "body": String::from_utf8_lossy(&answer.body),
    })
}

fn command(aws: &mut AwsState, given: &Value) -> Value {
    let project = given["project"].as_u64().unwrap_or_default();
    match text(given, "do") {
        "user" | "token" | "project" => create(&mut aws.gitlab, given),
        "git" => may_use_git(&aws.gitlab, given),
        "pushed" => {
            pushed(aws, project, given);
            json!({"default_branch": held(aws, project).default_branch})
        }
        "begun" => begun(aws),
        "ended" => {
            let diverged = given["diverged"].as_array().into_iter().flatten();
            let diverged: Vec<&str> = diverged.filter_map(Value::as_str).collect();
            let mirror = given["mirror"].as_u64().unwrap_or_default();
            mirror_runs::end(aws, mirror, given["error"].as_str(), &diverged);
            json!({})
        }
        "is_quiet" => json!(aws.gitlab.jobs.is_empty() && aws.gitlab.pushes.is_empty()),
        unknown => panic!("no command {unknown}"),
    }
}

/// Creates a user, a token or a project, or changes a token.
fn create(gitlab: &mut GitLab, given: &Value) -> Value {
    match text(given, "do") {
        "user" => {
            gitlab.users += 1;
            json!({ "id": 1_000 + gitlab.users })
        }
        "token" => {
            let token = Token {
                host: HOST,
                scope: match text(given, "scope") {
                    "api" => Scope::Api,
                    "read_api" => Scope::ReadApi,
                    _ => Scope::ReadRepository,
                },
                user: given["user"].as_u64().unwrap_or_default(),
                level: given["level"].as_u64(),
                is_revoked: given["is_revoked"] == true,
                expires: given["expires"].as_u64().map(World::since_epoch),
            };
            let value = text(given, "value").to_owned();
            gitlab.tokens.insert(value, token);
            json!({})
        }
        _ => {
            let id = 41 + gitlab.projects.len() as u64;
            let (path, branch) = (text(given, "path"), text(given, "default_branch"));
            let project = Project::empty(id, HOST, path, branch);
            gitlab.projects.insert(id, project);
            json!({ "id": id })
        }
    }
}

fn text<'a>(given: &'a Value, name: &str) -> &'a str {
    given[name].as_str().unwrap_or_default()
}

fn held(aws: &mut AwsState, project: u64) -> &mut Project {
    aws.gitlab.projects.get_mut(&project).expect("a project")
}

fn served(aws: &mut AwsState) -> &mut Served {
    aws.gitlab.served.as_mut().expect("a served GitLab")
}

/// Whether a token may pull from the project at `path`, or push these `commands`: the old object,
/// the new one, and the reference.
fn may_use_git(gitlab: &GitLab, given: &Value) -> Value {
    let rejected = |status: u16, text: &str| json!({"status": status, "text": text});
    let token = gitlab.tokens.get(text(given, "token"));
    let Some(token) = token.filter(|token| !token.is_revoked) else {
        return rejected(401, "HTTP Basic: Access denied");
    };
    let Some(project) = gitlab.project(HOST, text(given, "path")) else {
        let message = "The project you were looking for could not be found or you don't have \
                       permission to view it.";
        return rejected(404, message);
    };
    // `ERROR_MESSAGES` in `lib/gitlab/git_access.rb`, and `lib/gitlab/auth.rb`.
    let pushes = given["pushes"] == true;
    if token.scope != Scope::Api && (pushes || token.scope != Scope::ReadRepository) {
        let message = "HTTP Basic: Access denied: the token's scope is too narrow";
        return rejected(403, message);
    }
    if pushes && token.level < Some(DEVELOPER) {
        return rejected(403, "You are not allowed to push code to this project.");
    }
    let is_object = |id: &Value| id.as_str().is_some_and(|id| id.contains(|c| c != '0'));
    let mut not_forced = vec![];
    for command in given["commands"].as_array().into_iter().flatten() {
        let (was, is) = (is_object(&command[0]), is_object(&command[1]));
        let name = command[2].as_str().unwrap_or_default();
        if let Some(branch) = name.strip_prefix("refs/heads/")
            && was
            && is
            && project.rejects_force_push(branch)
        {
            not_forced.push(name);
        }
    }
    json!({"project": project.id, "not_forced": not_forced})
}

/// A push has changed the `branches` and `tags`, and added `commits` with their parents and
/// times. A project's first branch becomes its default, and the new default is protected
/// (`app/workers/post_receive.rb`, `app/services/projects/protect_default_branch_service.rb`).
fn pushed(aws: &mut AwsState, id: u64, given: &Value) {
    let now = aws.now;
    let project = held(aws, id);
    for commit in given["commits"].as_array().into_iter().flatten() {
        let sha = commit[0].as_str().unwrap_or_default().to_owned();
        let history = &mut project.records.history;
        let parents = serde_json::from_value(commit[1].clone()).expect("commits");
        history.parents.insert(sha.clone(), parents);
        let committed = commit[2].as_u64().map(World::since_epoch);
        history.committed.extend(committed.map(|at| (sha.clone(), at)));
        project.commits.insert(sha);
    }
    let branches: BTreeMap<String, String> =
        serde_json::from_value(given["branches"].clone()).expect("names and commits");
    let former = std::mem::replace(&mut project.branches, branches);
    let branches = &project.branches;
    let names = former.keys().chain(branches.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let moved = names.into_iter().filter(|name| former.get(*name) != branches.get(*name));
    let mut events: Vec<PushEvent> = moved
        .map(|name| {
            let (from, to) = (former.get(name).cloned(), branches.get(name).cloned());
            PushEvent::of("branch", name, from, to, now)
        })
        .collect();
    if former.is_empty()
        && let Some(first) = branches.keys().next().cloned()
    {
        if !branches.contains_key(&project.default_branch) {
            project.default_branch = first;
        }
        if !project.is_protected(&project.default_branch) {
            project.protected.insert(project.default_branch.clone());
        }
    }
    let tags: BTreeMap<String, String> =
        serde_json::from_value(given["tags"].clone()).expect("names and objects");
    let former = std::mem::replace(&mut project.records.tags, tags);
    let tags = &project.records.tags;
    let gone = former.keys().filter(|name| !tags.contains_key(*name));
    let names = gone.chain(tags.keys().filter(|name| former.get(*name) != tags.get(*name)));
    events.extend(names.map(|name| {
        let (from, to) = (former.get(name).cloned(), tags.get(name).cloned());
        PushEvent::of("tag", name, from, to, now)
    }));
    if events.is_empty() {
        return;
    }
    record_all(project, events);
    merge_requests::refresh_all(project);
    runs::project_was_pushed_to(&mut aws.gitlab, &aws.world, id);
}

/// The pushes that have begun since the last command, with all that Gitaly receives
/// (`options_for_update` in `app/models/remote_mirror.rb`).
fn begun(aws: &mut AwsState) -> Value {
    let begun = std::mem::take(&mut served(aws).begun);
    let shown = begun.into_iter().filter_map(|id| {
        let push = aws.gitlab.pushes.iter().find(|push| push.mirror.id == id)?;
        let project = aws.gitlab.projects.get(&push.project)?;
        let mirror = &push.mirror;
        let (user, password) = mirror.login.clone().unwrap_or_default();
        Some(json!({
            "mirror": id, "project": project.id, "path": project.path, "url": mirror.url,
            "user": user, "password": password, "names": project.mirrored_names(mirror),
            "keep_divergent_refs": mirror.keep_divergent_refs,
            "default_branch": project.default_branch,
        }))
    });
    shown.collect()
}

impl Project {
    /// One rule that allows it is enough (`allow_force_push?` in `app/models/protected_branch.rb`).
    fn rejects_force_push(&self, branch: &str) -> bool {
        let is_forced = self.force_pushed.iter().any(|name| is_like(name, branch));
        self.is_protected(branch) && !is_forced
    }
}
