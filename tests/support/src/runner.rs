//! One runner for all stories. An [`Account`] has the words and the checks of one kind.

use std::rc::Rc;
use std::time::Duration;

use fake_aws::explore::paused;
use fake_aws::interceptor::assert_ends_with_frozen_reads;
use fake_aws::{Entry, FakeAws, Options, Service};
use serde_json::Value;

use crate::scenarios::{Action, Effects, Step, Story, Word, stories};
use crate::worlds::{Mixture, Place};

/// After this time, every service shows the changes before a story.
const CHANGES_ARE_SHOWN: Duration = Duration::from_mins(1);

/// An account in which the stories of one kind are played.
pub trait Account: Sized {
    type Word: Word;

    /// How the names of its stories begin.
    const PREFIX: &'static str;
    /// The services that its stories are about.
    const SERVICES: &'static [Service];
    /// Of the single faults of stories about changes and failures, a run tries so many times fewer
    /// than of ordinary ones.
    const SPECIAL: u64;

    fn stories() -> Vec<Story<Self::Word>> {
        stories(Self::PREFIX)
    }

    /// The account before all changes.
    fn fake(options: Options) -> impl Future<Output = FakeAws>;

    /// Applies a change by another person or service.
    fn change(fake: &FakeAws, change: &Value);

    /// The account before the first step.
    fn begin(play: Rc<Play<Self::Word>>) -> Self;

    /// Performs the step of this index.
    fn take(&mut self, at: usize, word: &Self::Word, effects: &Effects)
    -> impl Future<Output = ()>;

    /// Another person or service changes something.
    fn by_hand(&mut self, change: &Value) -> impl Future<Output = ()>;

    /// Compares the state with the expectation of this index.
    fn expect(
        &mut self,
        at: usize,
        expected: &<Self::Word as Word>::Expectation,
    ) -> impl Future<Output = ()>;

    /// Checks the invariants after a step.
    fn check(&mut self, _: &Step<Self::Word>) -> impl Future<Output = ()> {
        async {}
    }

    /// Plays and checks the same end of each story. Its calls have no faults.
    fn end(&mut self) -> impl Future<Output = ()>;
}

/// A story that is being played.
pub struct Play<W: Word> {
    pub story: Story<W>,
    pub place: Place,
    pub fake: FakeAws,
    /// Whether every figure is that of the story.
    pub is_plain: bool,
}

impl<W: Word> Play<W> {
    pub fn has_fault(&self) -> bool {
        !self.place.faults.is_empty()
    }

    /// Fails unless the function has made each call so often. Faults change that.
    pub fn assert_calls<'a>(&self, calls: impl IntoIterator<Item = (&'a String, &'a usize)>) {
        for (operation, number) in calls.into_iter().filter(|_| self.is_plain) {
            assert_eq!(self.fake.count(operation), *number, "{operation}");
        }
    }
}

/// A story that was played.
pub struct Played {
    pub fake: FakeAws,
    /// The number of calls before the end.
    length: usize,
}

impl Played {
    /// The calls before the end.
    pub fn calls(&self) -> Vec<Entry> {
        let mut calls = self.fake.journal();
        calls.truncate(self.length);
        calls
    }
}

/// The account after these changes.
pub async fn account_after<A: Account>(options: Options, changes: &[Value]) -> FakeAws {
    let fake = A::fake(options).await;
    for change in changes {
        A::change(&fake, change);
        tokio::time::sleep(CHANGES_ARE_SHOWN).await;
    }
    fake
}

/// The story in a new account, before its first step.
pub async fn begin<A: Account>(story: &Story<A::Word>, place: &Place) -> (Rc<Play<A::Word>>, A) {
    let options = story.options(place.options.clone());
    let play = Rc::new(Play {
        fake: account_after::<A>(options, &story.given).await,
        story: story.clone(),
        is_plain: place.is_plain(),
        place: place.clone(),
    });
    let account = A::begin(Rc::clone(&play));
    for fault in &place.faults {
        fault.inject(&play.fake);
    }
    (play, account)
}

/// Performs each step, and checks every invariant and the end.
pub async fn perform<A: Account>(play: &Play<A::Word>, mut account: A) -> Played {
    let fake = &play.fake;
    for (at, step) in play.story.steps.iter().enumerate() {
        let Step { action, effects } = step;
        match action {
            Action::Wait(time) => tokio::time::sleep(*time).await,
            Action::ByHand(change) => account.by_hand(change).await,
            Action::Expect(expected) => account.expect(at, expected).await,
            Action::Word(word) => {
                let before = play.is_plain.then(|| (fake.now(), fake.journal().len()));
                account.take(at, word, effects).await;
                if let Some((began, length)) = before {
                    effects.check_figures(fake, began, length);
                }
            }
        }
        account.check(step).await;
    }
    let length = fake.journal().len();
    account.end().await;
    fake.assert_unbroken();
    let fake = fake.clone();
    Played { fake, length }
}

/// Plays the story in a new account.
pub fn played<A: Account>(story: &Story<A::Word>, place: &Place) -> Played {
    paused(async {
        let (play, account) = begin::<A>(story, place).await;
        perform(&play, account).await
    })
}

/// The story of this name.
///
/// # Panics
/// If there is none.
pub fn story_called<A: Account>(name: &str) -> Story<A::Word> {
    let story = A::stories().into_iter().find(|known| known.name == name);
    story.unwrap_or_else(|| panic!("no story is called {name}"))
}

/// Plays the story of this name in this mixture.
pub fn play_called<A: Account>(name: &str, mixture: &Mixture) {
    let story = story_called::<A>(name);
    played::<A>(&story, &mixture.place(&story));
}

/// No invocation repeats a change without end that no read shows. Returns the number of schedules.
pub fn play_with_frozen_reads<A: Account>() -> usize {
    let stories = A::stories();
    let plays = stories.iter().map(|story| {
        let play = || drop(played::<A>(story, &Place::default()));
        (story.name.clone(), play)
    });
    assert_ends_with_frozen_reads(plays)
}
