//! Changes by people and GitLab's administrators, by the names that stories use.

use std::time::Duration;

use serde_json::Value;

use crate::checks;
use crate::fixture::{
    OTHER_PROJECT, OTHER_REPOSITORY, OTHER_USER, PROJECT, REPOSITORY, SECRET, TOKEN, USER,
};
use fake_aws::gitlab::{ANOTHER_PERSON, DEVELOPER, HOST, Mirror};
use fake_aws::request::Service;
use fake_aws::secrets::Secret;
use fake_aws::secrets::versions::VersionContent;
use fake_aws::{AwsState, FakeAws, FaultKind, On, Scope};

/// A change.
struct Change {
    name: &'static str,
    /// The login or the mirrors may not work until an Update corrects it.
    breaks: bool,
    apply: fn(&FakeAws),
}

/// Changes that leave the first project as it was end with it.
const ELSEWHERE: &str = " of network alone";

/// The change of this name.
///
/// # Panics
/// If there is none.
fn named(name: &str) -> &'static Change {
    let change = CHANGES.iter().find(|change| change.name == name);
    change.unwrap_or_else(|| panic!("no change is called {name}"))
}

pub fn breaks(name: &Value) -> bool {
    let name = name.as_str().expect("a name");
    named(name.trim_end_matches(ELSEWHERE)).breaks
}

pub fn apply(fake: &FakeAws, name: &Value) {
    let name = name.as_str().expect("a name");
    let Some(everywhere) = name.strip_suffix(ELSEWHERE) else {
        return (named(name).apply)(fake);
    };
    let before = fake.snapshot().gitlab.projects;
    (named(everywhere).apply)(fake);
    fake.change(|aws| {
        let first = before.values().next().expect("a project").clone();
        aws.gitlab.projects.insert(first.id, first);
    });
}

const fn breaking(name: &'static str, apply: fn(&FakeAws)) -> Change {
    let breaks = true;
    Change {
        name,
        breaks,
        apply,
    }
}

const fn harmless(name: &'static str, apply: fn(&FakeAws)) -> Change {
    let breaks = false;
    Change {
        name,
        breaks,
        apply,
    }
}

/// Changes every mirror of ours in the first project.
fn change_mirrors(fake: &FakeAws, change: fn(&mut Mirror)) {
    fake.change(|aws| {
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
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

/// Every service answers again, and the user's second place is free.
fn mend(fake: &FakeAws) {
    fake.mend();
    fake.change(|aws| {
        for credential in aws.credentials(USER) {
            if credential.issued_by == ANOTHER_PERSON {
                aws.withdraw(USER, &credential.id);
            }
        }
    });
}

const CHANGES: &[Change] = &[
    breaking("the mirrors are removed", remove_mirrors),
    breaking("a mirror is disabled", |fake| {
        change_mirrors(fake, |mirror| mirror.enabled = false);
    }),
    breaking("a mirror gets other settings", |fake| {
        change_mirrors(fake, |mirror| {
            mirror.only_protected_branches = false;
            mirror.keep_divergent_refs = true;
        });
    }),
    breaking("a mirror has failed", |fake| {
        change_mirrors(fake, |mirror| {
            mirror.status = "failed";
            mirror.last_error = Some("by a network that is well again".to_owned());
        });
    }),
    breaking("the credential is deleted", |fake| {
        change_credentials(fake, AwsState::withdraw);
    }),
    breaking("the credential is set to inactive", deactivate),
    breaking("the password is reset", |fake| {
        fake.change(|aws| {
            for credential in checks::ours(aws) {
                aws.reset(USER, &credential.id);
            }
        });
    }),
    breaking("another value is stored", |fake| store(fake, "{\"a\":1}")),
    breaking("the secret is deleted", delete_secret),
    breaking("the user's tags are removed", remove_tags),
    breaking("the mirrors and the secret are deleted", |fake| {
        remove_mirrors(fake);
        delete_secret(fake);
    }),
    breaking("the project is deleted", |fake| {
        fake.change(|aws| aws.gitlab.projects.retain(|_, held| held.path != PROJECT));
    }),
    breaking("the user is deleted", |fake| {
        change_credentials(fake, AwsState::withdraw);
        fake.delete_user(USER).expect("nothing in its way");
    }),
    breaking("everything is deleted", |fake| {
        remove_mirrors(fake);
        change_credentials(fake, AwsState::withdraw);
        delete_secret(fake);
    }),
    harmless("a manual mirror to the same repository", |fake| {
        let url = fake_aws::codecommit::clone_url(REPOSITORY);
        fake.manual_mirror(PROJECT, &url, None, false);
    }),
    breaking("a push is killed", |fake| {
        fake.push_to_gitlab(PROJECT, "main", "cut off");
        fake.kill_sidekiq(PROJECT);
    }),
    harmless("every service works again", mend),
    harmless("infra has no commits", |fake| {
        fake.change(|aws| {
            let project = aws.gitlab.project_mut(PROJECT);
            project.branches.clear();
            project.commits.clear();
        });
    }),
    harmless("infra has 4096 bytes of Git LFS objects", |fake| {
        fake.change(|aws| aws.gitlab.project_mut(PROJECT).lfs_objects_size = 4096);
    }),
    harmless("infra protects main", |fake| {
        fake.protect(PROJECT, &["main"]);
    }),
    harmless("a group alone protects main", |fake| {
        protect(fake, &[], &["main"]);
    }),
    harmless("a group alone protects branches", |fake| {
        protect(fake, &[], &["main", "dev*"]);
    }),
    harmless("a group protects the branch", |fake| {
        protect(fake, &["development"], &["main"]);
    }),
    harmless("an unprotected branch", |fake| {
        fake.protect(PROJECT, &["development"]);
        fake.protect(OTHER_PROJECT, &["mai"]);
    }),
    harmless("twelve manual mirrors", |fake| fill(fake, PROJECT, 12)),
    harmless("manual mirrors take all places", |fake| {
        in_both(|project| fill(fake, project, 10));
    }),
    harmless("a manual mirror is disabled", |fake| {
        fake.change(|aws| {
            let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
            let last = mirrors.filter(|mirror| !mirror.is_ours()).last();
            last.expect("a manual one").enabled = false;
        });
    }),
    harmless("a push that diverges", |fake| {
        for repository in [REPOSITORY, OTHER_REPOSITORY] {
            fake.push(repository, "main", "theirs");
        }
    }),
    harmless("a push that diverges in network", |fake| {
        fake.push(OTHER_REPOSITORY, "main", "theirs");
    }),
    harmless("a user without the right to push", |fake| {
        fake.take_git_push(USER);
    }),
    harmless("a token that GitLab does not know", |fake| {
        fake.change(|aws| aws.gitlab.tokens.clear());
    }),
    harmless("a token that may only read", |fake| {
        fake.change(|aws| aws.gitlab.tokens.clear());
        fake.gitlab_token_for(TOKEN, HOST, Scope::ReadApi);
    }),
    harmless("a Developer's token", |fake| grant(fake, Some(DEVELOPER))),
    harmless("a project that the token's user cannot see", |fake| {
        grant(fake, None);
    }),
    harmless("push mirrors are switched off", |fake| {
        fake.options(|options| options.gitlab.mirroring_disabled = true);
    }),
    harmless("silent mode", |fake| {
        fake.options(|options| options.gitlab.silent = true);
    }),
    harmless("GitLab redirects", |fake| {
        fake.options(|options| options.gitlab.redirects = true);
    }),
    harmless("GitLab is in maintenance", |fake| {
        fake.options(|options| options.gitlab.read_only = true);
    }),
    harmless("GitLab becomes unreachable", |fake| {
        break_gitlab(fake, FaultKind::RequestLost);
    }),
    harmless("GitLab hangs", |fake| {
        break_gitlab(fake, FaultKind::RequestHangs);
    }),
    harmless("GitLab is out of order", |fake| {
        break_gitlab(fake, FaultKind::InternalError500);
    }),
    harmless("GitLab throttles", |fake| {
        break_gitlab(fake, FaultKind::Throttled);
    }),
    harmless("GitLab fails to create mirrors", |fake| {
        let create = On::Operation("GitLab.CreateMirror");
        fake.break_from_now(create, FaultKind::InternalError500);
    }),
    harmless("the token's secret is deleted", |fake| {
        drop(fake.change(|aws| aws.secrets.remove(TOKEN)));
    }),
    harmless("the token's secret has no tags", |fake| {
        token_secret(fake, |secret| secret.tags.clear());
    }),
    harmless("a token of another host", |fake| {
        token_secret(fake, |secret| {
            let url = "https://gitlab.elsewhere.example".to_owned();
            secret.tags.insert("cfn-gitops:gitlab-url".to_owned(), url);
        });
    }),
    harmless("the token's secret has another key", |fake| {
        store_token(fake, "{\"other\":\"word\"}");
    }),
    harmless("a token in quotes", |fake| store_token(fake, "\"glpat-1\"")),
    harmless("reading the token's secret is denied", |fake| {
        fake.deny("secretsmanager:GetSecretValue", TOKEN);
    }),
    harmless("a foreign credential takes the second place", |fake| {
        // None is free if a fault left one there.
        drop(fake.change(|aws| aws.issue(USER, ANOTHER_PERSON)));
    }),
    harmless("a foreign credential of another user", |fake| {
        fake.foreign_credential(OTHER_USER);
    }),
    harmless("new logins take half an hour", |fake| {
        fake.options(|options| options.login_late = Duration::from_mins(30));
    }),
    harmless("a policy denies new credentials", |fake| {
        fail_to_issue(fake, FaultKind::DeniedExplicitly);
    }),
    harmless("no policy allows new credentials", |fake| {
        fake.deny("iam:CreateServiceSpecificCredential", USER);
    }),
    harmless("IAM throttles new credentials", |fake| {
        fail_to_issue(fake, FaultKind::Throttled);
    }),
    harmless("tagging the user is denied", |fake| {
        fake.deny("iam:TagUser", USER);
    }),
    harmless("writing the secret is denied", |fake| {
        fake.deny("secretsmanager:PutSecretValue", USER);
    }),
];
