//! The stories of `tests/scenarios`, whose README describes the format.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::custom_resource::{RequestOutcome, RollBack};
use fake_aws::{EmptyProjects, FakeAws, Options, Service};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");

/// A story that is played in this world.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Story<W: Word = ResourceWord> {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    #[serde(rename = "story")]
    _sentence: String,
    #[serde(default, rename = "observes")]
    _rows: Vec<String>,
    #[serde(default = "every_world")]
    worlds: Vec<World>,
    #[serde(default)]
    pub world: Map<String, Value>,
    /// The settings of unkind worlds that rightly change its end.
    #[serde(default, rename = "changed by")]
    pub changed_by: Vec<String>,
    /// Mixtures of settings in which it is always played, such as those in which it once failed.
    #[serde(default, rename = "also in")]
    pub also_in: Vec<String>,
    #[serde(default, rename = "each")]
    _each: Value,
    #[serde(default)]
    pub given: Vec<Value>,
    #[serde(default)]
    pub retained: Vec<String>,
    pub steps: Vec<Step<W>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum World {
    Process,
    Local,
    Account,
}

fn every_world() -> Vec<World> {
    vec![World::Process, World::Local, World::Account]
}

/// A word of one kind of stories: an action that only they have.
pub trait Word: Clone + Debug + DeserializeOwned {
    type Expectation: Clone + Debug + DeserializeOwned;

    /// Whether another person or service changes something.
    fn is_by_hand(&self) -> bool {
        false
    }

    /// Whether it is a request, which has [`Effects`].
    fn is_request(&self) -> bool {
        false
    }
}

/// An action, and its result.
#[derive(Clone, Debug)]
pub struct Step<W: Word = ResourceWord> {
    pub action: Action<W>,
    pub effects: Effects,
}

/// An action of any story.
#[derive(Clone, Debug)]
pub enum Action<W: Word = ResourceWord> {
    Word(W),
    /// A change by another person or service.
    ByHand(Value),
    Wait(Duration),
    Expect(W::Expectation),
}

/// The words of a custom resource's story.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceWord {
    /// With all properties, as in the other one.
    Create(Value),
    Update(Value),
    Delete,
    #[serde(deserialize_with = "commit")]
    Push(Push),
    Schedule,
    Rotate,
}

/// A commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub commit: String,
    /// `None` for the usual one.
    pub branch: Option<String>,
    /// Its files, if a story is about them.
    pub files: Option<BTreeMap<String, String>>,
}

/// The result of a step's request. By default, it succeeds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Effects {
    pub fails: Vec<String>,
    pub notes: Vec<String>,
    #[serde(rename = "rolled back")]
    pub rolled_back: Option<RollBack>,
    #[serde(rename = "canceled after", deserialize_with = "some_duration")]
    pub canceled_after: Option<Duration>,
    #[serde(deserialize_with = "some_duration")]
    pub within: Option<Duration>,
    #[serde(rename = "at most")]
    pub at_most: Option<usize>,
}

/// The state at rest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    pub repository: Option<Vec<String>>,
    pub mirrors: Option<usize>,
    pub credentials: Option<usize>,
    pub executions: Option<BTreeMap<String, usize>>,
    pub calls: BTreeMap<String, usize>,
}

impl Word for ResourceWord {
    type Expectation = Expectation;

    fn is_request(&self) -> bool {
        !matches!(self, ResourceWord::Push(_) | ResourceWord::Schedule)
    }
}

impl<W: Word> From<W> for Step<W> {
    fn from(word: W) -> Self {
        Step {
            action: Action::Word(word),
            effects: Effects::default(),
        }
    }
}

/// The members of a step that are about its result.
const EFFECTS: [&str; 6] = [
    "fails",
    "notes",
    "rolled back",
    "canceled after",
    "within",
    "at most",
];

impl<'de, W: Word> Deserialize<'de> for Step<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (effects, action): (Map<_, _>, Map<_, _>) = match Value::deserialize(deserializer)? {
            Value::String(name) => (Map::new(), Map::from_iter([(name, Value::Null)])),
            Value::Object(members) => {
                members.into_iter().partition(|(name, _)| EFFECTS.contains(&name.as_str()))
            }
            other => return Err(D::Error::custom(format!("not a step: {other}"))),
        };
        let action: Action<W> = read_action(action).map_err(D::Error::custom)?;
        let is_request = matches!(&action, Action::Word(word) if word.is_request());
        if !effects.is_empty() && !is_request {
            return Err(D::Error::custom(format!("not a request: {action:?}")));
        }
        Ok(Step {
            action,
            effects: serde_json::from_value(effects.into()).map_err(D::Error::custom)?,
        })
    }
}

fn read_action<W: Word>(action: Map<String, Value>) -> serde_json::Result<Action<W>> {
    let mut members = action.iter();
    Ok(match (members.next(), members.next()) {
        (Some((name, change)), None) if name == "by hand" => Action::ByHand(change.clone()),
        (Some((name, time)), None) if name == "wait" => Action::Wait(duration(time)?),
        (Some((name, expected)), None) if name == "expect" => {
            Action::Expect(serde_json::from_value(expected.clone())?)
        }
        _ => Action::Word(serde_json::from_value(action.into())?),
    })
}

impl Effects {
    /// Whether a request ended as in the story. Unless it `may_fail`, it has to. Without a fault, it
    /// has the texts.
    pub fn check(&self, outcome: &RequestOutcome, may_fail: bool, has_fault: bool) -> bool {
        let has_to_fail = !self.fails.is_empty();
        let is_as_expected = outcome.is_success() != has_to_fail;
        let may_differ = may_fail && !has_to_fail;
        assert!(is_as_expected || may_differ, "{outcome:?}");
        if !has_fault {
            outcome.assert_reason(&self.fails);
            for text in &self.notes {
                assert!(outcome.note().contains(text), "{text}: {outcome:?}");
            }
        }
        is_as_expected
    }

    /// Checks the calls of a request without a fault that began when the journal had this length,
    /// and its time. Polls of a stack in a row count once.
    pub fn check_figures(&self, fake: &FakeAws, began: SystemTime, length: usize) {
        let took = fake.now().duration_since(began).expect("later");
        assert!(
            self.within.is_none_or(|within| took <= within),
            "it took {took:?}"
        );
        let mut calls = fake.journal().split_off(length);
        calls.dedup_by(|one, before| {
            one.service == Service::CloudFormation && one.operation == before.operation
        });
        assert!(
            self.at_most.is_none_or(|most| calls.len() <= most),
            "{calls:?}"
        );
    }
}

impl<W: Word> Story<W> {
    /// Whether no other person or service changes anything, and each request succeeds.
    pub fn is_ordinary(&self) -> bool {
        let is_ordinary = |step: &Step<W>| {
            let is_by_hand = match &step.action {
                Action::Word(word) => word.is_by_hand(),
                action => matches!(action, Action::ByHand(_)),
            };
            step.effects.fails.is_empty() && !is_by_hand
        };
        self.given.is_empty() && self.world.is_empty() && self.steps.iter().all(is_ordinary)
    }

    /// The last expectation.
    ///
    /// # Panics
    /// If there is none.
    pub fn end(&self) -> &W::Expectation {
        let expected = self.steps.iter().rev().find_map(|step| match &step.action {
            Action::Expect(expected) => Some(expected),
            _ => None,
        });
        expected.unwrap_or_else(|| panic!("{} expects nothing", self.name))
    }

    /// The world of the story: `options`, of which it sets some.
    ///
    /// # Panics
    /// If no option has such a name.
    pub fn options(&self, mut options: Options) -> Options {
        for (name, value) in &self.world {
            let text = value.as_str().unwrap_or_default();
            match name.as_str() {
                "sync_takes" => options.sync_takes = parse_duration(text),
                "new_things_late" => options.new_things_late = parse_duration(text),
                "tags_late" => options.tags_late = parse_duration(text),
                "login_late" => options.login_late = parse_duration(text),
                "deletion_takes" => options.deletion_takes = parse_duration(text),
                "plain_passwords" => options.plain_passwords = *value == true,
                "enabled_mirrors_limit" => options.gitlab.enabled_mirrors_limit = None,
                "empty_projects" => {
                    options.gitlab.empty_projects = match text {
                        "never run" => EmptyProjects::NeverRun,
                        "fail" => EmptyProjects::Fail,
                        "look disabled" => EmptyProjects::LookDisabled,
                        other => panic!("{}: {other}", self.name),
                    }
                }
                "stacks_late" => options.stacks_late = parse_duration(text),
                "source_takes" => options.source_takes = parse_duration(text),
                // That around the function.
                "step_deliveries" => {}
                other => panic!("{}: no world has {other}", self.name),
            }
        }
        options
    }
}

impl Story {
    /// A story without a file, and its Delete.
    pub fn of(name: &str, mut steps: Vec<Step>) -> Self {
        steps.push(ResourceWord::Delete.into());
        Story {
            name: name.to_owned(),
            _sentence: String::new(),
            _rows: vec![],
            _each: Value::Null,
            worlds: vec![World::Process],
            world: Map::new(),
            changed_by: vec![],
            also_in: vec![],
            given: vec![],
            retained: vec![],
            steps,
        }
    }

    /// The properties of each request.
    pub fn properties(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Word(ResourceWord::Create(set) | ResourceWord::Update(set)) => Some(set),
            _ => None,
        })
    }

    /// Completes the properties of all requests, and adds the Delete, which a file may leave out.
    /// `translate` replaces names in the properties of a step.
    fn complete(&mut self, defaults: &Value, translate: impl Fn(&mut Value)) {
        let mut so_far = defaults.clone();
        for Step { action, effects } in &mut self.steps {
            if let Action::Word(
                ResourceWord::Create(properties) | ResourceWord::Update(properties),
            ) = action
            {
                translate(properties);
                let mut complete = so_far.clone();
                for (name, value) in properties.as_object().into_iter().flatten() {
                    let members = complete.as_object_mut().expect("properties");
                    match value {
                        Value::Null => drop(members.remove(name)),
                        Value::String(text) if text == "default" => {
                            members.insert(name.clone(), defaults[name].clone());
                        }
                        value => drop(members.insert(name.clone(), value.clone())),
                    }
                }
                if effects.fails.is_empty() && effects.rolled_back.is_none() {
                    so_far.clone_from(&complete);
                }
                *properties = complete;
            }
        }
        self.steps.push(ResourceWord::Delete.into());
    }
}

/// The stories of a custom resource, with all properties of their requests.
///
/// # Panics
/// If a file is none.
pub fn stories_of_resource(
    prefix: &str,
    defaults: &Value,
    translate: impl Fn(&mut Value),
) -> Vec<Story> {
    let mut stories: Vec<Story> = stories(prefix);
    for story in &mut stories {
        story.complete(defaults, &translate);
    }
    stories
}

/// The stories of this beginning that are played in this world, in the order of their names.
///
/// # Panics
/// If a file is none.
pub fn stories<W: Word>(prefix: &str) -> Vec<Story<W>> {
    let files = std::fs::read_dir(FOLDER).expect("the scenarios");
    let names = files.map(|file| file.expect("a file").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    let mut stories = vec![];
    for file in names {
        let text = std::fs::read_to_string(format!("{FOLDER}/{file}")).expect("a file");
        let name = file.trim_end_matches(".yaml");
        let content = fake_aws::yaml::read(&text);
        let of_content = |name: String, content: Value| {
            let story = serde_json::from_value(content);
            let story: Story<W> = story.unwrap_or_else(|error| panic!("{file}: {error}"));
            Story { name, ..story }
        };
        match &content["each"] {
            Value::Object(each) => stories.extend(
                replace_each(&content, each)
                    .into_iter()
                    .map(|(what, one)| of_content(format!("{name}: {what}"), one)),
            ),
            _ => stories.push(of_content(name.to_owned(), content)),
        }
    }
    stories.retain(|story| story.worlds.contains(&World::Process));
    stories
}

/// Members whose value `each` stands for the whole row of `each`.
const WHOLE: [&str; 8] = [
    "fails", "notes", "given", "create", "update", "then", "answers", "world",
];

/// A row of `each`: its name and its value.
struct Row<'a> {
    what: &'a str,
    value: &'a Value,
    /// The members of rows that are `each` in the content.
    members: &'a BTreeSet<&'a str>,
}

impl Row<'_> {
    /// The value of a member that is `each`. `None` if the row leaves the member out.
    fn member(&self, name: &str) -> Option<Value> {
        if self.members.contains(name) {
            return self.value.get(name).cloned();
        }
        match WHOLE.contains(&name) {
            true if self.members.is_empty() => Some(self.value.clone()),
            true => None,
            false => Some(json!(self.what)),
        }
    }
}

/// The content for each row: with its name for `each`, and with its value for `fails: each` and the
/// other [`WHOLE`] members. If members of rows are `each` in the content, such a member is replaced
/// by the row's, and one that the row does not have is left out. Of an item whose only member is a
/// list of the row, such as `then: each`, the list is inserted.
fn replace_each(content: &Value, each: &Map<String, Value>) -> Vec<(String, Value)> {
    let members = each.values().filter_map(Value::as_object).flatten();
    let members = members.map(|(name, _)| name.as_str());
    let members = members.filter(|name| uses_each(content, name)).collect();
    let of_row = |(what, value): (&String, &Value)| {
        let row = Row {
            what,
            value,
            members: &members,
        };
        (what.clone(), replace(content, &row))
    };
    each.iter().map(of_row).collect()
}

/// Whether a member of this name is `each`.
fn uses_each(content: &Value, wanted: &str) -> bool {
    match content {
        Value::Array(items) => items.iter().any(|item| uses_each(item, wanted)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| (name == wanted && value == "each") || uses_each(value, wanted)),
        _ => false,
    }
}

fn replace(content: &Value, row: &Row) -> Value {
    match content {
        Value::String(text) if text == "each" => json!(row.what),
        Value::Array(items) => {
            let one = |item: &Value| match inserted(item, row) {
                Some(Value::Array(steps)) => steps,
                Some(_) => vec![],
                None => vec![replace(item, row)],
            };
            items.iter().flat_map(one).collect()
        }
        Value::Object(members) => {
            let one = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) if text == "each" => row.member(name)?,
                    value => replace(value, row),
                };
                Some((name.clone(), value))
            };
            members.iter().filter_map(one).collect()
        }
        other => other.clone(),
    }
}

/// The list for an item such as `then: each`, or null if the row has none. `None` for other items.
fn inserted(item: &Value, row: &Row) -> Option<Value> {
    let mut members = item.as_object()?.iter();
    let (name, value) = members.next()?;
    if members.next().is_some() {
        return None;
    }
    let list = if value == "each" {
        row.member(name)
    } else {
        None
    };
    match list {
        Some(list) if list.is_array() && row.members.contains(name.as_str()) => Some(list),
        _ if name == "then" && value == "each" => Some(list.unwrap_or_default()),
        _ => None,
    }
}

fn parse_duration(text: &str) -> Duration {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..unit].parse().expect("a number and a unit");
    match &text[unit..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_mins(number),
        "h" => Duration::from_hours(number),
        other => panic!("{other} is not a unit of time"),
    }
}

/// A time, such as `10m`.
///
/// # Errors
/// If it is not a text.
///
/// # Panics
/// If it has no number or an unknown unit.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    String::deserialize(deserializer).map(|text| parse_duration(&text))
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// A mapping with the member `commit`, of which the name of a commit stands for the whole.
///
/// # Errors
/// If it is neither.
pub fn commit<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let whole = match Value::deserialize(deserializer)? {
        Value::String(commit) => json!({"commit": commit}),
        whole => whole,
    };
    serde_json::from_value(whole).map_err(D::Error::custom)
}
