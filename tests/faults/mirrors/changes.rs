//! Changes by people and GitLab's administrators, by the names that stories use.

use std::time::Duration;

use serde_json::Value;

use crate::checks;
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, PROJECT, REPOSITORY, SECRET, TOKEN, USER,
};
use fake_aws::gitlab::{ANOTHER_PERSON, DEVELOPER, Gateway, HOST, Mirror, Project, REDIRECT_HOST};
use fake_aws::request::Service;
use fake_aws::secrets::Secret;
use fake_aws::secrets::versions::VersionContent;
use fake_aws::{AwsState, FakeAws, FaultKind, On, Scope};

/// Changes that leave the first project as it was end with it.
const ELSEWHERE: &str = " of network alone";

/// Applies the change of this name. Returns whether the login or the mirrors may not work until an
/// Update corrects it.
///
/// # Panics
/// If there is none.
pub fn apply(fake: &FakeAws, name: &Value) -> bool {
    let name = name.as_str().expect("a name");
    let Some(everywhere) = name.strip_suffix(ELSEWHERE) else {
        return change(fake, name);
    };
    let before = fake.snapshot().gitlab.projects;
    let breaks = change(fake, everywhere);
    fake.change(|aws| {
        let first = before.values().next().expect("a project").clone();
        aws.gitlab.projects.insert(first.id, first);
    });
    breaks
}

/// Changes the first project.
fn change_project(fake: &FakeAws, change: impl FnOnce(&mut Project)) {
    fake.change(|aws| change(aws.gitlab.project_mut(PROJECT)));
}

/// Changes every mirror of ours in the first project.
fn change_mirrors(fake: &FakeAws, change: fn(&mut Mirror)) {
    change_project(fake, |project| {
        let mirrors = project.mirrors.values_mut();
        mirrors.filter(|mirror| mirror.is_ours()).for_each(change);
    });
}

/// Removes every mirror of ours.
fn remove_mirrors(fake: &FakeAws) {
    fake.change(|aws| {
        for project in aws.gitlab.projects.values_mut() {
            project.mirrors.retain(|_, mirror| !mirror.is_ours());
        }
    });
}

/// Changes every credential of ours.
fn change_credentials(fake: &FakeAws, change: fn(&mut AwsState, &str, &str)) {
    fake.change(|aws| {
        for credential in checks::ours(aws) {
            change(aws, USER, &credential.id);
        }
    });
}

/// A person stores another value.
fn store(fake: &FakeAws, text: &str) {
    fake.change(|aws| {
        let now = aws.now;
        let secret = aws.secrets.get_mut(SECRET).expect("the secret");
        let content = VersionContent {
            text: text.to_owned(),
            binary: false,
        };
        let token = "by-hand-by-hand-by-hand-by-hand-";
        fake_aws::secrets::versions::add(secret, token, content, &["AWSCURRENT"], now);
    });
}

pub fn delete_secret(fake: &FakeAws) {
    fake.change(|aws| aws.secrets.retain(|name, _| name == TOKEN));
}

/// Removes every tag of cfn-gitops from the users, as a change of stack-level tags may.
pub fn remove_tags(fake: &FakeAws) {
    fake.change(|aws| {
        let now = aws.now;
        aws.iam.change(now, |iam| {
            for user in [USER, OTHER_USER] {
                let user = iam.users.get_mut(user).expect("the user");
                user.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
            }
        });
    });
}

/// Removes every tag of cfn-gitops from the secret, as a clean-up of tags may.
pub fn remove_secret_tags(fake: &FakeAws) {
    fake.change(|aws| {
        let secret = aws.secrets.get_mut(SECRET).expect("the secret");
        secret.tags.retain(|key, _| !key.starts_with("cfn-gitops:"));
    });
}

/// Sets the credential to inactive, because its password leaked. From now on, it is inactive or
/// deleted.
pub fn deactivate(fake: &FakeAws) {
    let leaked = fake.look(checks::ours);
    change_credentials(fake, AwsState::deactivate);
    fake.at_every_instant(move |aws| {
        let mut held = checks::ours(aws).into_iter();
        let is_leaked = |id: &str| leaked.iter().any(|credential| credential.id == id);
        match held.find(|one| one.active && is_leaked(&one.id)) {
            Some(one) => Err(format!("{} is active again", one.id)),
            None => Ok(()),
        }
    });
}

fn in_both(change: impl Fn(&'static str)) {
    [PROJECT, OTHER_PROJECT].into_iter().for_each(change);
}

fn token_secret(fake: &FakeAws, change: impl FnOnce(&mut Secret)) {
    fake.change(|aws| change(aws.secrets.get_mut(TOKEN).expect("the token's secret")));
}

fn tag_for_elsewhere(fake: &FakeAws) {
    token_secret(fake, |secret| {
        let url = format!("https://{REDIRECT_HOST}");
        secret.tags.insert("cfn-gitops:gitlab-url".to_owned(), url);
    });
}

fn store_token(fake: &FakeAws, text: &str) {
    token_secret(fake, |secret| {
        for version in secret.versions.values_mut() {
            text.clone_into(&mut version.value.text);
        }
    });
}

fn grant(fake: &FakeAws, level: Option<u64>) {
    in_both(|project| fake.change(|aws| aws.gitlab.project_mut(project).access = level));
}

fn break_gitlab(fake: &FakeAws, kind: FaultKind) {
    fake.break_from_now(On::Service(Service::GitLab), kind);
}

/// The gateway that answers `text` answers each creation of a mirror instead of GitLab.
fn answer_creations(fake: &FakeAws, text: &str) {
    let found = Gateway::each("GitLab.CreateMirror").find(|gateway| gateway.body.contains(text));
    fake.options(|options| options.gitlab.gateway = Some(found.expect("such an answer")));
}

fn fail_to_issue(fake: &FakeAws, kind: FaultKind) {
    fake.break_from_now(On::Operation("CreateServiceSpecificCredential"), kind);
}

fn protect(fake: &FakeAws, own: &[&str], of_group: &[&str]) {
    in_both(|project| {
        fake.protect(project, own);
        fake.protect_by_group(project, of_group);
    });
}

fn fill(fake: &FakeAws, project: &str, until: usize) {
    for number in fake.mirrors(project).len()..until {
        let url = format!("https://example.com/{number}");
        fake.manual_mirror(project, &url, None, true);
    }
}

/// Every service answers again itself, and the user's second place is free.
fn mend(fake: &FakeAws) {
    fake.mend();
    fake.options(|options| options.gitlab.gateway = None);
    fake.change(|aws| {
        for credential in aws.credentials(USER) {
            if credential.issued_by == ANOTHER_PERSON {
                aws.withdraw(USER, &credential.id);
            }
        }
    });
}

fn change(fake: &FakeAws, name: &str) -> bool {
    match name {
        "the mirrors are removed" => remove_mirrors(fake),
        "a mirror is disabled" => change_mirrors(fake, |mirror| mirror.enabled = false),
        "a mirror gets other settings" => change_mirrors(fake, |mirror| {
            mirror.only_protected_branches = false;
            mirror.branch_regex = Some("^feature$".to_owned());
            mirror.keep_divergent_refs = true;
        }),
        "a mirror has failed" => change_mirrors(fake, |mirror| {
            mirror.status = "failed";
            mirror.last_error = Some("by a network that is well again".to_owned());
        }),
        "the credential is deleted" => change_credentials(fake, AwsState::withdraw),
        "the credential is set to inactive" => deactivate(fake),
        "the password is reset" => change_credentials(fake, |aws, user, id| {
            aws.reset(user, id);
        }),
        "another value is stored" => store(fake, "{\"a\":1}"),
        "the secret is deleted" => delete_secret(fake),
        "the user's tags are removed" => remove_tags(fake),
        "the mirrors and the secret are deleted" => {
            remove_mirrors(fake);
            delete_secret(fake);
        }
        "the project is deleted" => {
            fake.change(|aws| aws.gitlab.projects.retain(|_, held| held.path != PROJECT));
        }
        "the user is deleted" => {
            change_credentials(fake, AwsState::withdraw);
            fake.delete_user(USER).expect("nothing in its way");
        }
        "everything is deleted" => {
            remove_mirrors(fake);
            change_credentials(fake, AwsState::withdraw);
            delete_secret(fake);
        }
        "a push is killed" => {
            fake.push_to_gitlab(PROJECT, "main", "cut off");
            fake.kill_sidekiq(PROJECT);
        }
        _ => {
            change_harmlessly(fake, name);
            return false;
        }
    }
    true
}

fn change_harmlessly(fake: &FakeAws, name: &str) {
    match name {
        "every service works again" => mend(fake),
        "infra has no commits" => change_project(fake, |project| {
            project.branches.clear();
            project.commits.clear();
        }),
        "infra has 4096 bytes of Git LFS objects" => {
            change_project(fake, |project| project.lfs_objects_size = 4096);
        }
        "infra protects main" => fake.protect(PROJECT, &["main"]),
        "a group alone protects main" => protect(fake, &[], &["main"]),
        "a group alone protects branches" => protect(fake, &[], &["main", "dev*"]),
        "a group protects the branch" => protect(fake, &["development"], &["main"]),
        "an unprotected branch" => {
            fake.protect(PROJECT, &["development"]);
            fake.protect(OTHER_PROJECT, &["mai"]);
        }
        "a manual mirror to the same repository" => {
            let url = fake_aws::codecommit::clone_url(REPOSITORY);
            fake.manual_mirror(PROJECT, &url, None, false);
        }
        "twelve manual mirrors" => fill(fake, PROJECT, 12),
        "manual mirrors take all places" => in_both(|project| fill(fake, project, 10)),
        "a manual mirror is disabled" => change_project(fake, |project| {
            let mirrors = project.mirrors.values_mut();
            let last = mirrors.filter(|mirror| !mirror.is_ours()).last();
            last.expect("a manual one").enabled = false;
        }),
        "a push that diverges" => {
            fake.push(REPOSITORY, "main", "theirs");
            fake.push(OTHER_REPOSITORY, "main", "theirs");
        }
        "a push that diverges in network" => drop(fake.push(OTHER_REPOSITORY, "main", "theirs")),
        "a user without the right to push" => fake.take_git_push(USER),
        "a token that GitLab does not know" => fake.change(|aws| aws.gitlab.tokens.clear()),
        "a token that may only read" => {
            fake.change(|aws| aws.gitlab.tokens.clear());
            fake.gitlab_token_for(TOKEN, HOST, Scope::ReadApi);
        }
        "a Developer's token" => grant(fake, Some(DEVELOPER)),
        "a project that the token's user cannot see" => grant(fake, None),
        "push mirrors are switched off" => {
            fake.options(|options| options.gitlab.mirroring_disabled = true);
        }
        "silent mode" => fake.options(|options| options.gitlab.silent = true),
        "a gateway answers the creation of a mirror" => answer_creations(fake, "no Route"),
        "a gateway without a route answers as GitLab does" => {
            answer_creations(fake, "404 Not Found");
        }
        "a login page answers the creation of a mirror" => answer_creations(fake, "Sign in"),
        "GitLab moves to another address" => {
            fake.change(|aws| {
                let projects = aws.gitlab.projects.values_mut();
                projects.for_each(|project| project.host = REDIRECT_HOST);
                let tokens = aws.gitlab.tokens.values_mut();
                tokens.for_each(|token| token.host = REDIRECT_HOST);
            });
            tag_for_elsewhere(fake);
        }
        "another GitLab has the project" => {
            fake.change(|aws| aws.gitlab.tokens.clear());
            fake.gitlab_project_at(REDIRECT_HOST, "moved/infra", &["main", "dev*"]);
            fake.gitlab_token_for(TOKEN, REDIRECT_HOST, Scope::Api);
        }
        "GitLab redirects" => fake.options(|options| options.gitlab.redirects = true),
        "GitLab is in maintenance" => fake.options(|options| options.gitlab.read_only = true),
        "GitLab becomes unreachable" => break_gitlab(fake, FaultKind::RequestLost),
        "GitLab hangs" => break_gitlab(fake, FaultKind::RequestHangs),
        "GitLab is out of order" => break_gitlab(fake, FaultKind::InternalError500),
        "GitLab throttles" => break_gitlab(fake, FaultKind::Throttled),
        "GitLab fails to create mirrors" => {
            let create = On::Operation("GitLab.CreateMirror");
            fake.break_from_now(create, FaultKind::InternalError500);
        }
        "the token is deleted in GitLab and in AWS" => fake.change(|aws| {
            aws.gitlab.tokens.clear();
            aws.secrets.remove(TOKEN);
        }),
        "the token's secret is deleted" => drop(fake.change(|aws| aws.secrets.remove(TOKEN))),
        "the token's secret has no tags" => token_secret(fake, |secret| secret.tags.clear()),
        "a token of another host" => tag_for_elsewhere(fake),
        "the token's secret has another key" => store_token(fake, "{\"other\":\"word\"}"),
        "a token in quotes" => store_token(fake, "\"glpat-1\""),
        "reading the token's secret is denied" => fake.deny("secretsmanager:GetSecretValue", TOKEN),
        // None is free if a fault left one there.
        "a foreign credential takes the second place" => {
            drop(fake.change(|aws| aws.issue(USER, ANOTHER_PERSON)));
        }
        "a foreign credential of another user" => drop(fake.foreign_credential(OTHER_USER)),
        "new logins take half an hour" => {
            fake.options(|options| options.login_late = Duration::from_mins(30));
        }
        "a policy denies new credentials" => fail_to_issue(fake, FaultKind::DeniedExplicitly),
        "no policy allows new credentials" => {
            fake.deny("iam:CreateServiceSpecificCredential", USER);
        }
        "IAM throttles new credentials" => fail_to_issue(fake, FaultKind::Throttled),
        "tagging the user is denied" => fake.deny("iam:TagUser", USER),
        "writing the secret is denied" => fake.deny("secretsmanager:PutSecretValue", USER),
        _ => panic!("no change is called {name}"),
    }
}
