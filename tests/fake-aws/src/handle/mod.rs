//! The handle for tests: it sets up an account, injects faults, reads the
//! state, and lists the calls.

mod builds;
mod change_sets;
pub(crate) mod fate;
/// The faults that a call may meet.
pub(crate) mod faults;
/// Where calls wait for their turn in a schedule.
pub(crate) mod gate;
mod gitlab;
mod inspect;
mod scale;

use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

use crate::{
    account::AwsState,
    handle::{
        faults::{At, Fault, FaultKind, Lasting, On},
        gate::Gate,
    },
    journal::{Count, Entry},
    services::{
        codecommit::{
            Repository,
            other_account::{self, OTHER_ACCOUNT},
        },
        event_bus::Reaction,
        iam::{ACCOUNT, Credential, User},
        response_bucket,
        stacks::{CustomResource, Parent, ResourceAction, ResourceFailure, Stack},
    },
    world::{AwsError, Denied, History, Options},
};

/// An invariant after every change. The text describes a violation.
pub(crate) type Invariant = Arc<dyn Fn(&AwsState) -> Result<(), String> + Send + Sync>;

/// One account of AWS, with everything that happens to it. Clones are the same
/// account; [`FakeAws::fork`] makes another one.
#[derive(Clone)]
pub struct FakeAws {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    aws: AwsState,
    passed: Duration,
    /// When this fake AWS was first used: then it runs in the runtime whose clock
    /// counts, in which it may not have been created.
    since: Option<Instant>,
    journal: Vec<Entry>,
    keeps_no_journal: bool,
    tally: Count,
    numbered: BTreeMap<String, Vec<String>>,
    faults: Vec<(String, Fault)>,
    lasting: Vec<Lasting>,
    /// Calls that reach AWS later than they were sent.
    held: Vec<(String, At, Duration)>,
    invariants: Vec<Invariant>,
    violations: Vec<String>,
    gate: Option<Gate>,
}

impl Default for FakeAws {
    fn default() -> Self {
        Self::new()
    }
}

/// Setup, and calls of others meanwhile.
impl FakeAws {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        Self::seeded(options, 0)
    }

    /// A fake AWS whose time is the machine's, which must be later than the fixed day on which all
    /// others begin.
    pub fn by_machine_clock() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = crate::World::since_epoch(since_1970.unwrap_or_default().as_secs());
        Self::holding(AwsState::new(Options::default(), fastrand::u64(..)), now)
    }

    /// The seed decides ids and passwords.
    pub fn seeded(options: Options, seed: u64) -> Self {
        Self::holding(AwsState::new(options, seed), Duration::ZERO)
    }

    /// Another fake AWS with the present state, without the journal, faults
    /// and deliveries: it does not affect this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut inner = self.inner();
        let passed = inner.now();
        let mut aws = inner.aws.clone();
        aws.responses.clear();
        aws.invocations.clear();
        let fork = Self::holding(aws, passed);
        fork.inner().invariants.clone_from(&inner.invariants);
        fork
    }

    fn holding(aws: AwsState, passed: Duration) -> Self {
        let inner = Inner {
            aws,
            passed,
            since: None,
            journal: vec![],
            keeps_no_journal: false,
            tally: Count::default(),
            numbered: BTreeMap::new(),
            faults: vec![],
            lasting: vec![],
            held: vec![],
            invariants: vec![],
            violations: vec![],
            gate: None,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Whether both are the same account.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Changes the state like another principal, under the invariants.
    pub fn change<R>(&self, change: impl FnOnce(&mut AwsState) -> R) -> R {
        let mut inner = self.inner();
        inner.catch_up();
        let result = change(&mut inner.aws);
        inner.aws.show_secrets_late();
        inner.check("a change by another person");
        result
    }

    /// Changes the state as if it had been so for long: no read is late for it.
    pub fn arrange<R>(&self, change: impl FnOnce(&mut AwsState) -> R) -> R {
        let mut inner = self.inner();
        inner.catch_up();
        let result = change(&mut inner.aws);
        inner.aws.iam.settle();
        result
    }

    pub fn options(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.inner().aws.options);
    }

    /// An IAM user that has been there for long.
    pub fn user(&self, name: &str) {
        self.arrange(|aws| {
            let user = User {
                id: format!("AIDA{:0>17}", name.len()),
                created: aws.now,
                ..User::default()
            };
            let now = aws.now;
            aws.iam.change(now, |iam| iam.users.insert(name.to_owned(), user.into()))
        });
    }

    /// A credential of this user that another person issued long ago.
    pub fn foreign_credential(&self, user: &str) -> Credential {
        self.arrange(|aws| aws.issue(user, "another person"))
            .expect("a user with a free slot")
    }

    /// A repository that another person created long ago.
    pub fn repository(&self, name: &str) {
        let aws = &mut self.inner().aws;
        let id = aws.next_id();
        aws.codecommit.repositories.insert(name.to_owned(), Repository::new(name, id));
    }

    /// Pushes a commit to a branch, and returns EventBridge's effects:
    /// started pipelines, and events for the function, which the
    /// test has to deliver.
    pub fn push(&self, repository: &str, branch: &str, commit: &str) -> Vec<Reaction> {
        let event = self.push_without_event(repository, branch, commit);
        self.send_event(&event)
    }

    /// The same, but CodeCommit's event is not delivered yet.
    pub fn push_without_event(&self, repository: &str, branch: &str, commit: &str) -> Value {
        self.change(|aws| aws.push(ACCOUNT, repository, branch, commit))
    }

    /// Delivers an event to the rules that match it.
    pub fn send_event(&self, event: &Value) -> Vec<Reaction> {
        self.change(|aws| aws.send_event(event))
    }

    /// The same, with all files of the commit and their contents.
    pub fn push_files(
        &self,
        repository: &str,
        branch: &str,
        commit: &str,
        files: &[(&str, &str)],
    ) -> Vec<Reaction> {
        let files = owned(files);
        self.change(|aws| {
            let held = aws.codecommit.repositories.get_mut(repository);
            let held = held.expect("a repository to push to");
            held.trees.insert(commit.to_owned(), files);
        });
        self.push(repository, branch, commit)
    }

    /// Deletes a branch. No rule of the product matches that event.
    pub fn delete_branch(&self, repository: &str, branch: &str) {
        self.change(|aws| {
            let held = aws.codecommit.repositories.get_mut(repository);
            let branches = &mut held.expect("a repository with the branch").branches;
            branches.remove(branch).expect("a branch to delete");
        });
    }

    /// The same in the other account, which forwards its events to this one.
    pub fn push_in_other_account(
        &self,
        repository: &str,
        branch: &str,
        commit: &str,
    ) -> Vec<Reaction> {
        self.change(|aws| {
            let event = aws.push(OTHER_ACCOUNT, repository, branch, commit);
            aws.send_event(&event)
        })
    }

    /// A repository in the other account.
    pub fn repository_in_other_account(&self, name: &str) {
        let aws = &mut self.inner().aws;
        let made = other_account::repository(name, aws.next_id());
        aws.other_account.repositories.insert(name.to_owned(), made);
    }

    /// Makes a resource of a stack fail this many times.
    pub fn fail_resource(
        &self,
        logical_id: &str,
        doing: ResourceAction,
        reason: &str,
        times: usize,
    ) {
        let failing = ResourceFailure {
            logical_id: logical_id.to_owned(),
            doing,
            reason: reason.to_owned(),
            times,
        };
        self.inner().aws.stacks.failing.push(failing);
    }

    /// An empty stack of another owner.
    pub fn stack(&self, name: &str, status: &'static str, tags: &[(&str, &str)]) {
        self.arrange(|aws| {
            let id = aws.next_id();
            let mut stack = Stack::bare(name, &id, aws.now);
            stack.tags = owned(tags);
            stack.arrange(status, None, None, aws.now);
            aws.stacks.all.insert(stack.id.clone(), stack);
        });
    }

    /// CloudFormation's record of a custom resource that is complete.
    pub fn declare(&self, stack_id: &str, logical_id: &str, kind: &'static str, id: &str) {
        let declared = CustomResource {
            kind,
            physical_id: id.to_owned(),
            status: "CREATE_COMPLETE",
        };
        let key = (stack_id.to_owned(), logical_id.to_owned());
        self.change(|aws| aws.stacks.declared.insert(key, declared));
    }

    /// CloudFormation's record of the stack `arn` with a custom resource.
    pub fn show_parent(&self, arn: &str, parent: Parent) {
        self.change(|aws| {
            let (now, parents) = (aws.now, &mut aws.stacks.parents);
            let shown = parents.entry(arn.to_owned()).or_insert_with(|| History::new(None));
            shown.change(now, |shown| *shown = Some(parent));
        });
    }

    /// `CloudFormation`'s calls for a user at the deletion of a stack.
    pub fn delete_user(&self, name: &str) -> Result<(), AwsError> {
        self.change(|aws| {
            let now = aws.now;
            aws.iam.change(now, |iam| iam.delete_user(name))
        })
    }

    /// Removes `codecommit:GitPush` from a user.
    pub fn take_git_push(&self, user: &str) {
        self.change(|aws| aws.codecommit.without_git_push.insert(user.to_owned()));
    }

    /// Denies an action (`iam:TagUser`, or `*`) on resources whose name or ARN
    /// contains a text.
    pub fn deny(&self, action: &str, resource: &str) {
        self.deny_because(action, resource, Denied::NoPolicy);
    }

    /// The same, and the answer gives this reason.
    pub fn deny_because(&self, action: &str, resource: &str, why: Denied) {
        self.change(|aws| aws.deny(action, resource, why, None));
    }

    /// IAM propagates the permission of an action (or `*`) so much later: until then it is denied.
    pub fn withhold(&self, action: &str, time: Duration) {
        self.change(|aws| {
            let until = Some(aws.now + time);
            aws.deny(action, "", Denied::NoPolicy, until);
        });
    }

    /// IAM propagates roles so much later: until then CloudFormation cannot assume any.
    pub fn withhold_roles(&self, time: Duration) {
        self.change(|aws| aws.roles_from = aws.now + time);
    }

    /// Allows everything again that was denied.
    pub fn allow(&self) {
        self.change(|aws| aws.denied.clear());
    }

    /// Breaks a call of this caller.
    pub fn inject(&self, caller: &str, fault: Fault) {
        self.inner().faults.push((caller.to_owned(), fault));
    }

    /// Breaks these calls of everybody from now on.
    pub fn break_from_now(&self, on: On, kind: FaultKind) {
        self.inner().lasting.push(Lasting { on, kind });
    }

    /// Ends the fault of [`FakeAws::break_from_now`].
    pub fn mend(&self) {
        self.inner().lasting.clear();
    }

    /// Delays the arrival of this caller's call at AWS.
    pub fn hold(&self, caller: &str, at: At, time: Duration) {
        self.inner().held.push((caller.to_owned(), at, time));
    }

    /// Checks this after every executed change, and at once.
    pub fn at_every_instant(
        &self,
        invariant: impl Fn(&AwsState) -> Result<(), String> + Send + Sync + 'static,
    ) {
        let mut inner = self.inner();
        inner.invariants.push(Arc::new(invariant));
        inner.check("the beginning");
    }

    /// An address for an answer, signed now by `CloudFormation`.
    pub fn response_url(&self, request: &str) -> String {
        self.response_url_dated_ahead(request, Duration::ZERO)
    }

    /// The same with a date that is so much later.
    pub fn response_url_dated_ahead(&self, request: &str, ahead: Duration) -> String {
        let mut inner = self.inner();
        inner.aws.now = inner.now();
        response_bucket::response_url(inner.aws.now + ahead, request)
    }
}

/// The pairs as a map.
pub(crate) fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl FakeAws {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A test's own panic while it reads must not be hidden by a second one.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn now(&mut self) -> Duration {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.passed + since.elapsed()
    }

    /// Runs all background operations, each at its time and
    /// under the invariants.
    fn catch_up(&mut self) {
        let now = self.now();
        while self.aws.step(now) {
            self.check("a step of a stack, a pipeline or a mirror");
        }
        self.aws.now = now;
    }

    fn check(&mut self, after: &str) {
        for invariant in &self.invariants {
            if let Err(broken) = invariant(&self.aws) {
                self.violations.push(format!("after {after}: {broken}"));
            }
        }
    }
}
