//! What a delivery knows: reading it, and keeping up with its own changes.

use super::Delivery;
use super::start::read_state;
use crate::aws::CallError;
use crate::mirror_credential::mirrors::journal::Journal;
use crate::mirror_credential::observe;
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan::SecretState;

impl Delivery<'_> {
    pub(in crate::mirror_credential) fn change_secret(&mut self, change: impl FnOnce(&mut Secret)) {
        if let SecretState::Present(secret) = &mut self.known.secret {
            change(secret);
        }
    }

    /// Somebody else has taken over. What was issued may have been reset, and what was made in
    /// GitLab is not needed.
    pub(in crate::mirror_credential) fn give_way(&mut self, number: u64) {
        if let Some(issued) = &mut self.known.issued {
            issued.password = None;
            self.is_login_shared = true;
        }
        let made = std::mem::take(&mut self.known.journal.made);
        self.known.strays.extend(made);
        self.known.overtaken_at = Some(self.resource.clock.now());
        self.known.claim = None;
        self.known.is_journaled = false;
        self.known.is_sealed = false;
        // Whoever took over makes mirrors, too.
        self.known.projects = None;
        self.number_is_taken(number);
    }

    /// Somebody wrote the entry `number` before: what the secret shows now decides, and the next
    /// number is a higher one in any case.
    pub(in crate::mirror_credential) fn number_is_taken(&mut self, number: u64) {
        let now = self.resource.clock.now();
        let is_higher = self.known.taken.is_none_or(|(taken, _)| number > taken);
        if is_higher {
            self.known.taken = Some((number, now));
        }
        self.known.secret = SecretState::Unread;
    }

    pub(in crate::mirror_credential) fn note_active(&mut self, id: &str, active: bool) {
        let credentials = self.known.user.credentials.iter_mut();
        for credential in credentials.filter(|credential| credential.id == id) {
            credential.active = active;
        }
    }

    pub(in crate::mirror_credential) fn forget_credential(&mut self, id: &str) {
        self.known.gone.push(id.to_owned());
        self.own.retain(|credential| credential.id != id);
        let credentials = &mut self.known.user.credentials;
        credentials.retain(|credential| credential.id != id);
        if self
            .known
            .issued
            .as_ref()
            .is_some_and(|issued| issued.id == id)
        {
            self.known.issued = None;
        }
    }

    pub(in crate::mirror_credential) async fn read_secret(&mut self) -> Result<(), CallError> {
        self.known.secret = read_state(self.resource, self.desired).await?;
        self.known.is_in_order = true;
        let latest = self.known.secret.present().map(|secret| secret.claim);
        if self.known.claim.is_some() && latest > self.known.claim {
            let secret = std::mem::replace(&mut self.known.secret, SecretState::Unread);
            self.give_way(latest.unwrap_or_default());
            self.known.secret = secret;
        }
        let taken = self.known.taken.map_or(0, |(number, _)| number);
        self.change_secret(|secret| secret.taken = taken);
        let current = self.known.secret.present();
        self.known.had_secret |=
            current.is_some_and(|secret| secret.owner.as_ref() == Some(&self.me.owner));
        let current = current.and_then(|secret| secret.current.as_ref());
        let stored = current.map(|login| &login.credential_id);
        let issued = self.known.issued.as_ref();
        if issued.is_some_and(|issued| Some(&issued.id) == stored) {
            // Another delivery took it over, and has stored it.
            self.known.issued = None;
        }
        if current.map(|login| &login.version_id) != self.known.judged.as_ref() {
            self.known.proved = false;
            self.known.login_refused = false;
        }
        if self.known.claim.is_none() {
            // What somebody else had not finished may be finished now.
            let own = &self.made_here;
            self.known.strays.retain(|record| own.contains(record));
            self.known.journal = Journal::default();
            self.known.journal_read = None;
        }
        let first = self.known.secret.present().filter(|secret| {
            // The answer to our own CreateSecret may have been lost.
            secret.claim == 0 && secret.is_unfinished() && self.me.has_created(secret)
        });
        if first.is_some() && self.known.claim.is_none() && self.known.overtaken_at.is_none() {
            self.known.claim = Some(0);
        }
        Ok(())
    }

    pub(in crate::mirror_credential) async fn read_user(&mut self) -> Result<(), CallError> {
        self.known.looked_at = self.resource.clock.now();
        self.known.is_in_order = false;
        let mut user = observe::read_user(&self.resource.aws, &self.desired.user_name).await?;
        user.credentials
            .retain(|credential| !self.known.gone.contains(&credential.id));
        for own in &self.own {
            if user.credential(&own.id).is_none() {
                user.credentials.push(own.clone());
            }
        }
        if self.known.recorded {
            // What we wrote stands, whether IAM shows it yet or not.
            let before = &mut self.known.user;
            user.owner = before.owner.take();
            user.secret_name = before.secret_name.take();
            user.attempt = before.attempt.take();
            let me = self.me;
            user.deletion = user
                .deletion
                .filter(|deletion| me.is_overtaken_by(deletion));
        }
        self.known.user = user;
        Ok(())
    }
}
