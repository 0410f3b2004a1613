//! What people and GitLab's administrators change, by the names that stories use.

use serde_json::Value;

use crate::checks;
use crate::fixture::{PROJECT, REPOSITORY, SECRET, USER};
use fake_aws::gitlab::Mirror;
use fake_aws::secrets::versions::VersionContent;
use fake_aws::{AwsState, FakeAws};

/// A change.
pub struct Change {
    name: &'static str,
    /// The login or the mirrors may not work until an Update corrects it.
    pub breaks: bool,
    pub apply: fn(&FakeAws),
}

/// The change of this name.
///
/// # Panics
/// If there is none.
pub fn named(name: &Value) -> &'static Change {
    let change = CHANGES.iter().find(|change| change.name == name);
    change.unwrap_or_else(|| panic!("no change is called {name}"))
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
pub fn remove_mirrors(fake: &FakeAws) {
    fake.change(|aws| {
        for project in aws.gitlab.projects.values_mut() {
            project.mirrors.retain(|_, mirror| !mirror.is_ours());
        }
    });
}

/// Changes every credential of ours.
pub fn change_credentials(fake: &FakeAws, change: fn(&mut AwsState, &str, &str)) {
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
    fake.change(|aws| aws.secrets.remove(SECRET));
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
    breaking("the credential is set to inactive", |fake| {
        change_credentials(fake, AwsState::deactivate);
    }),
    breaking("the password is reset", |fake| {
        fake.change(|aws| {
            let now = aws.now;
            for credential in checks::ours(aws) {
                let random = &mut aws.random;
                let reset = aws
                    .iam
                    .change(now, |iam| iam.reset(USER, &credential.id, random));
                aws.remember_secret(&reset.expect("it is there").password);
            }
        });
    }),
    breaking("another value is stored", |fake| store(fake, "{\"a\":1}")),
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
];
