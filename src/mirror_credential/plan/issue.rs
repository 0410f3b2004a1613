//! A new login, from the claim to the entry that holds it.

use super::{Issued, Step, View, tags_differ};
use crate::mirror_credential::credential_class::Kind;
use crate::mirror_credential::messages;
use crate::mirror_credential::observe::{Credential, Secret};
use crate::mirror_credential::spec::ForeignCredentials;

impl View<'_> {
    /// The next step towards a new login.
    pub(in crate::mirror_credential) fn obtain(&self) -> Step {
        let (known, desired) = (self.known, self.desired);
        if let Some(silence) = &known.silence {
            return Step::Refuse(silence.clone());
        }
        if self.me.rotation.is_none()
            && let Some(reason) = self.pushes_everything()
        {
            return Step::Refuse(reason);
        }
        let is_issued = |credential: &&Credential| {
            let issued = known.issued.as_ref();
            issued.is_some_and(|issued| issued.id == credential.id)
        };
        let foreign = self.of_kind(Kind::Foreign);
        let foreign: Vec<&Credential> = foreign.filter(|one| !is_issued(one)).collect();
        if let Some(first) = foreign.first() {
            if !known.is_settled() {
                return Step::LookAgain;
            }
            if !known.is_in_order {
                return Step::ReadSecret;
            }
            match desired.foreign_credentials {
                ForeignCredentials::Refuse => {
                    let name = &known.user.name;
                    return Step::Refuse(messages::foreign_in_the_way(name, &foreign));
                }
                ForeignCredentials::Delete => return self.delete(first),
            }
        }
        let Some(secret) = self.secret else {
            return Step::CreateSecret;
        };
        if let Some(step) = self.claim(secret) {
            return step;
        }
        if let Some(issued) = &known.issued {
            return match &issued.password {
                None => Step::Reset(issued.id.clone()),
                Some(password) if desired.url_safe_password && !password.is_url_safe() => {
                    Step::Reset(issued.id.clone())
                }
                Some(_) => self.place_issued(secret, issued),
            };
        }
        // What did an attempt before this one leave?
        if let Some(stray) = self.of_kind(Kind::Stray).next() {
            // With a closed record, this is the credential of another person.
            return if known.shows_closed_records() {
                Step::Reset(stray.id.clone())
            } else {
                Step::LookAgain
            };
        }
        let may_have_left = secret.was_taken_over() || known.doubtful_since.is_some();
        if may_have_left && !known.is_settled() {
            return Step::LookAgain;
        }
        if known.user.credentials.len() >= 2 {
            return match self.of_kind(Kind::Superseded).next() {
                Some(superseded) => self.delete(superseded),
                None => Step::Refuse(messages::both_slots_taken(&known.user.name)),
            };
        }
        if known.recorded {
            Step::Issue
        } else {
            Step::Record
        }
    }

    /// What has to be done before the login or its mirrors can be changed: the log's next entry is
    /// this delivery's, and what an attempt before it made is gone.
    pub(in crate::mirror_credential) fn claim(&self, secret: &Secret) -> Option<Step> {
        let known = self.known;
        if tags_differ(self.desired, self.me, secret, true) {
            return Some(Step::TagSecret);
        }
        if let Some(step) = self.read_journal(secret) {
            return Some(step);
        }
        if self.wants_mirrors() && known.projects.is_none() {
            return Some(Step::ReadProjects);
        }
        if !self.is_mine() || (self.wants_mirrors() && !known.is_journaled) {
            return Some(Step::Claim(secret.next_entry()));
        }
        if let Some(step) = self.end_rotation(secret) {
            return Some(step);
        }
        if secret.latest_login() > Some(secret.claim) {
            // What is issued has to follow a claim that is the log's latest entry.
            return Some(Step::Claim(secret.next_entry()));
        }
        self.remove_stray(secret)
            // It would stand in the way: newer versions of GitLab take an address once.
            .or_else(|| self.retire_superseded(secret))
    }

    fn place_issued(&self, secret: &Secret, issued: &Issued) -> Step {
        let has_repositories = !self.desired.repositories().is_empty();
        if let Some(step) = self.make_mirrors(secret, &[]) {
            return step;
        }
        if self.me.rotation.is_some() {
            // The seal says which claim a rotation holds, with mirrors or without.
            return if self.known.is_sealed {
                Step::Prepare
            } else {
                Step::Seal(secret.next_entry())
            };
        }
        // What works is given up only for what has been shown to work.
        let must_work = secret.current.is_some() || self.wants_mirrors();
        if must_work && !issued.proved && has_repositories {
            return Step::ProveIssued;
        }
        let records = self.placed(&[]);
        self.enable(&records)
            .or_else(|| self.sync(&records))
            .unwrap_or(Step::Store)
    }
}
