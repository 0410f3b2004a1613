//! Unkind worlds: AWS, GitLab and Lambda as they are on other days, in other versions and behind
//! other proxies. The stories have the same end in them.
//!
//! Each [`Setting`] is one such property, and a [`Mixture`] is several at once.
//! [`play_in_each_world`] plays each story in the kind world and in mixtures of a seed. If a story
//! fails in a mixture, then settings are removed until each one that is left matters. These
//! variables of the environment play others:
//!
//! | Variable | Value |
//! |---|---|
//! | `WORLD_SEED` | another seed |
//! | `WORLD` | the settings of the only mixture, for example `late-tags,german` |
//! | `STORY` | the name of the only story |

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fake_aws::extent::some_or;
use fake_aws::gitlab::Language;
use fake_aws::schedules::{SingleFault, text};
use fake_aws::secrets::versions::AbandonedBy;
use fake_aws::{Options, Schedules, SeenTokens, Service};
use fastrand::Rng;

use crate::runner::{Account, played};
use crate::scenarios::{Story, Word};

/// The same for each run, so that a failure can be repeated.
const SEED: u64 = 66;

/// How many settings a mixture has, without its delivery.
const SIZES: std::ops::RangeInclusive<usize> = 3..=5;

/// How Lambda delivers the requests of a story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    #[default]
    Once,
    /// Each request and event again after it succeeded.
    Twice,
    /// Copies of all requests and events so far after each of them.
    LateCopies,
}

/// Where a story is played.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub options: Options,
    pub delivery: Delivery,
    pub faults: Vec<SingleFault>,
    /// A request that succeeds in the story may fail without a fault.
    pub may_fail: bool,
    /// The story may have another end.
    pub may_differ: bool,
}

impl From<Options> for Place {
    fn from(options: Options) -> Self {
        Place {
            options,
            ..Place::default()
        }
    }
}

impl Place {
    /// Whether AWS and GitLab are as on most days.
    pub fn is_kind(&self) -> bool {
        format!("{:?}", self.options) == format!("{:?}", Options::default())
    }

    /// Whether every figure is that of the story.
    pub fn is_plain(&self) -> bool {
        let is_once = self.delivery == Delivery::Once;
        self.is_kind() && is_once && self.faults.is_empty() && !self.may_fail
    }
}

/// One unkind property of the world.
pub struct Setting {
    pub name: &'static str,
    /// A mixture has at most one of each group. Most settings are a group of their own.
    pub(crate) group: &'static str,
    /// The services whose behaviour it changes. Empty if it changes all of them.
    services: &'static [Service],
    apply: fn(&mut Place),
}

impl fmt::Debug for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

const fn setting(
    name: &'static str,
    services: &'static [Service],
    apply: fn(&mut Place),
) -> Setting {
    one_of(name, name, services, apply)
}

const fn one_of(
    group: &'static str,
    name: &'static str,
    services: &'static [Service],
    apply: fn(&mut Place),
) -> Setting {
    Setting {
        name,
        group,
        services,
        apply,
    }
}

const EVERY: &[Service] = &[];
const IAM: &[Service] = &[Service::Iam];
const SECRETS: &[Service] = &[Service::SecretsManager];
const GITLAB: &[Service] = &[Service::GitLab];
/// Only stories of mirrors are about IAM. These settings change GitLab's mirrors alone.
const MIRRORS: &[Service] = &[Service::Iam];
const STACKS: &[Service] = &[Service::CloudFormation];
const PIPELINES: &[Service] = &[Service::CodePipeline];
const LOGS: &[Service] = &[Service::CloudWatchLogs];

/// All settings.
pub const SETTINGS: &[Setting] = &[
    // New users, repositories and secrets do not exist for 8 s. Terraform's provider:
    // https://github.com/hashicorp/terraform-provider-aws/issues/2449
    setting(
        "late-things",
        &[Service::Iam, Service::SecretsManager],
        |it| {
            it.options.new_things_late = Duration::from_secs(8);
        },
    ),
    // IAM's list of credentials is 4 s late. IAM User Guide, "Changes that I make are not always
    // immediately visible"
    setting("late-lists", IAM, |it| {
        it.options.lists_late = Duration::from_secs(4);
    }),
    // A user's tags are 3 s late: the same page.
    setting("late-tags", IAM, |it| {
        it.options.tags_late = Duration::from_secs(3);
    }),
    // CodeCommit rejects a new login, and accepts a deleted one, for 5 s: the same page.
    setting("late-logins", IAM, |it| {
        it.options.login_late = Duration::from_secs(5);
    }),
    // Every other read of IAM is late: the same page.
    setting("replicas-differ", IAM, |it| {
        it.options.replicas_differ = true;
        it.options.lists_late = Duration::from_secs(4);
        it.options.tags_late = Duration::from_secs(3);
    }),
    // A secret's name is not free until 3 s after its deletion. Secrets Manager API Reference,
    // `DeleteSecret`.
    setting("slow-deletions", SECRETS, |it| {
        it.options.deletion_takes = Duration::from_secs(3);
    }),
    // `DescribeSecret` is 3 s late. Secrets Manager User Guide, Troubleshooting.
    setting("late-secrets", SECRETS, |it| {
        it.options.secrets_late = Duration::from_secs(3);
    }),
    // AWSPENDING remains on a version until it is removed. Not documented.
    one_of("pending", "pending-stays", SECRETS, |it| {
        it.options.pending.goes_with_current = false;
        it.options.pending.abandoned_by = AbandonedBy::Nothing;
    }),
    // Each new version removes AWSPENDING from another one. User Guide, `RotationAbandoned`.
    one_of("pending", "pending-goes-early", SECRETS, |it| {
        it.options.pending.abandoned_by = AbandonedBy::Any;
    }),
    // Each page of IAM, CloudFormation and CodeCommit has one item. API References: fewer items
    // than requested are possible.
    setting("short-pages", EVERY, |it| {
        it.options.page_length = Some(1);
    }),
    setting("slow-answers", EVERY, |it| {
        it.options.latency = Duration::from_millis(300);
    }),
    // `DescribeStacks` is 3 s late. No page excludes it.
    setting("late-stacks", STACKS, |it| {
        it.options.stacks_late = Duration::from_secs(3);
    }),
    // `DescribeStackEvents` is 3 s late. No page excludes it.
    setting("late-events", STACKS, |it| {
        it.options.events_late = Duration::from_secs(3);
    }),
    setting("slow-resources", STACKS, |it| {
        it.options.resource_takes = Duration::from_secs(20);
    }),
    // Stacks and events have no IDs of operations. No page names the Regions that have them.
    setting("no-operation-ids", STACKS, |it| {
        it.options.lacks_operation_ids = true;
    }),
    // CloudFormation rejects a repeated request token with `TokenAlreadyExistsException`. Reported,
    // not documented.
    setting("seen-tokens-refused", STACKS, |it| {
        it.options.seen_tokens = SeenTokens::Refused;
    }),
    setting("slow-change-sets", STACKS, |it| {
        it.options.change_sets.waits = Duration::from_secs(10);
        it.options.change_sets.takes = Duration::from_secs(20);
    }),
    // A stack that cleans up, and a mirror that pushes, have statuses that no page lists. The
    // documentation of each enum of the AWS SDK for Rust: "forward-compatible"
    setting(
        "unknown-statuses",
        &[Service::CloudFormation, Service::GitLab],
        |it| {
            it.options.unknown_statuses = true;
        },
    ),
    // `ListPipelineExecutions` is 5 s late. No page excludes it.
    setting("late-executions", PIPELINES, |it| {
        it.options.executions_late = Duration::from_secs(5);
    }),
    setting("slow-sources", PIPELINES, |it| {
        it.options.source_takes = Duration::from_secs(20);
    }),
    // `GetLogEvents` is 30 s late. No page excludes it.
    setting("late-logs", LOGS, |it| {
        it.options.logs_late = Duration::from_secs(30);
    }),
    // Every other page of `GetLogEvents` is empty. Its API Reference.
    setting("empty-log-pages", LOGS, |it| {
        it.options.empty_log_pages = true;
    }),
    // GitLab accepts an address twice, and has no limit of enabled mirrors.
    // `spec/models/remote_mirror_spec.rb`.
    one_of("edition", "older-gitlab", MIRRORS, |it| {
        it.options.gitlab.unique_urls = false;
        it.options.gitlab.enabled_mirrors_limit = None;
    }),
    // GitLab does not know rules of groups, users and roles, nor `mirror_branch_regex`, and shows
    // no members about them. `ee/lib/ee/api/entities/remote_mirror.rb`,
    // `ee/lib/ee/api/entities/protected_ref_access.rb`.
    setting("free-gitlab", MIRRORS, |it| {
        it.options.gitlab.premium = false;
    }),
    // GitLab's messages are in this language. `Gitlab::I18n.locale`.
    one_of("language", "german", GITLAB, |it| {
        it.options.gitlab.language = Language::German;
    }),
    one_of("language", "japanese", GITLAB, |it| {
        it.options.gitlab.language = Language::Japanese;
    }),
    one_of("language", "polish", GITLAB, |it| {
        it.options.gitlab.language = Language::Polish;
    }),
    // GitLab's clock is wrong by 90 minutes. A server without NTP.
    one_of("clock", "clock-behind", GITLAB, |it| {
        it.options.gitlab.clock_behind = Duration::from_mins(90);
    }),
    one_of("clock", "clock-ahead", GITLAB, |it| {
        it.options.gitlab.clock_ahead = Duration::from_mins(90);
    }),
    setting("slow-pushes", MIRRORS, |it| {
        it.options.sync_takes = Duration::from_secs(90);
    }),
    // Each project has one more mirror, whose address is null. `safe_url` in
    // `app/models/concerns/safe_url.rb`.
    setting("one-broken-mirror", MIRRORS, |it| {
        it.options.gitlab.has_broken_mirror = true;
    }),
    // `last_error` shows the login of the mirror. `update_error_message` in
    // `app/models/remote_mirror.rb` is there to prevent it.
    setting("logins-in-errors", MIRRORS, |it| {
        it.options.gitlab.errors_show_the_login = true;
    }),
    // Lambda delivers each request and event again after it succeeded. Lambda Developer Guide,
    // asynchronous invocation.
    one_of("delivery", "delivered-twice", EVERY, |it| {
        it.delivery = Delivery::Twice;
    }),
    // Lambda delivers all requests and events so far again after each: the same page.
    one_of("delivery", "late-copies", EVERY, |it| {
        it.delivery = Delivery::LateCopies;
        // Requests are ordered by the second in which they were signed.
        it.options.latency = Duration::from_millis(300);
    }),
];

/// # Panics
/// If no setting has this name.
pub fn setting_called(name: &str) -> &'static Setting {
    let found = SETTINGS.iter().find(|known| known.name == name);
    found.unwrap_or_else(|| panic!("no setting is called {name}"))
}

/// Settings at once. The kind world has none.
#[derive(Clone, Debug, Default)]
pub struct Mixture {
    settings: Vec<&'static Setting>,
}

impl Mixture {
    /// Some of these settings at random, and the delivery of this `number`.
    fn of(seed: u64, number: usize, settings: &[&'static Setting]) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut left = settings.to_vec();
        random.shuffle(&mut left);
        let mut chosen: Vec<&'static Setting> = vec![];
        left.retain(|setting| setting.group != "delivery");
        for setting in left {
            if chosen.iter().all(|one| one.group != setting.group) {
                chosen.push(setting);
            }
        }
        chosen.truncate(random.usize(SIZES));
        let delivery = [None, Some("delivered-twice"), Some("late-copies")][number % 3];
        chosen.extend(delivery.map(setting_called));
        Mixture { settings: chosen }
    }

    /// The settings of these names, which commas separate.
    ///
    /// # Panics
    /// If no setting has such a name.
    pub fn called(names: &str) -> Self {
        let names = names.split(',').filter(|name| !name.is_empty());
        Mixture {
            settings: names.map(setting_called).collect(),
        }
    }

    /// The place of a story in it.
    pub fn place<W: Word>(&self, story: &Story<W>) -> Place {
        let mut place = Place::default();
        for setting in &self.settings {
            (setting.apply)(&mut place);
            place.may_differ |= story.changed_by.iter().any(|name| name == setting.name);
        }
        place
    }

    /// The mixture without one of its settings, for each of them.
    fn smaller(&self) -> impl Iterator<Item = Self> {
        (0..self.settings.len()).map(|index| {
            let mut settings = self.settings.clone();
            settings.remove(index);
            Mixture { settings }
        })
    }
}

/// The names of the settings, as in `WORLD`.
impl fmt::Display for Mixture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.settings.iter().map(|one| one.name).collect();
        formatter.write_str(&names.join(","))
    }
}

/// Plays each story in the kind world, in three mixtures or, with `SCHEDULES=all`, in twelve, and in
/// those of its member `also in`. `SCHEDULES=ci` plays a quarter of them, and `test` an eighth.
///
/// # Panics
/// If a story fails.
pub fn play_in_each_world<A: Account>(what: &str) {
    let [seed, world, only] = ["WORLD_SEED", "WORLD", "STORY"].map(|name| std::env::var(name).ok());
    let seed = seed.map_or(SEED, |text| text.parse().expect("WORLD_SEED is a number"));
    let mut schedules = Schedules::quarter();
    for story in A::stories() {
        for name in &story.changed_by {
            setting_called(name);
        }
        if only.as_ref().is_some_and(|only| *only != story.name) {
            continue;
        }
        let mixtures = match &world {
            Some(names) => vec![Mixture::called(names)],
            None => mixtures(seed, &story, A::SERVICES),
        };
        for mixture in mixtures {
            let name = format!("{}, WORLD_SEED={seed} WORLD={mixture}", story.name);
            schedules.run(name, || {
                play_shrunk(mixture, |mixture| {
                    played::<A>(&story, &mixture.place(&story));
                });
            });
        }
    }
    schedules.report(&format!(
        "{what} in the kind world and in mixtures, WORLD_SEED={seed}"
    ));
}

/// The kind world, the mixtures of a seed for this story, which is about these services, and those
/// of its member `also in`.
fn mixtures<W: Word>(seed: u64, story: &Story<W>, services: &[Service]) -> Vec<Mixture> {
    let of_these = |setting: &&Setting| {
        let mut changed = setting.services.iter();
        setting.services.is_empty() || changed.any(|one| services.contains(one))
    };
    let settings: Vec<&Setting> = SETTINGS.iter().filter(of_these).collect();
    let of_story = story.name.bytes().fold(seed, |so_far, byte| {
        so_far.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mixtures = (0..some_or(3, 12)).zip(of_story..);
    let mixtures = mixtures.map(|(number, seed)| Mixture::of(seed, number, &settings));
    std::iter::once(Mixture::default())
        .chain(mixtures)
        .chain(story.also_in.iter().map(|names| Mixture::called(names)))
        .collect()
}

/// Plays in `mixture`. If that fails, removes settings as long as it still fails.
///
/// # Panics
/// If it fails, with the names of the settings that are left.
fn play_shrunk(mut mixture: Mixture, play: impl Fn(&Mixture)) {
    let failure = |mixture: &Mixture| {
        let played = catch_unwind(AssertUnwindSafe(|| play(mixture)));
        played.err().map(|panic| text(&*panic).clone())
    };
    let Some(mut reason) = failure(&mixture) else {
        return;
    };
    let fails_smaller = |mixture: &Mixture| {
        mixture.smaller().find_map(|one| failure(&one).map(|reason| (one, reason)))
    };
    while let Some(smaller) = fails_smaller(&mixture) {
        (mixture, reason) = smaller;
    }
    panic!("WORLD={mixture} suffices: {reason}");
}
