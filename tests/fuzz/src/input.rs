//! Nearly valid inputs, with changes at random.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Occurs in values, never in names. No message may repeat it.
pub const SENTINEL: &str = "s3ntinel";

/// Characters with a meaning for a parser, a shell, CloudFormation or a terminal.
const TOKENS: [&str; 37] = [
    "", " ", "\n", "\r\n", "\t", "\0", "\u{202e}", "é", "🦀", "..", "/../", "//", "\\", "%", "%00",
    "?", "#", "&", "=", "@", ":", ":443", "://", "*", "**", "\"", "'", "<>", "|", "`id`", "$(id)",
    "{", "}", "[]", "null", SENTINEL, "-1",
];

/// Longer texts with such a meaning.
const TEXTS: [&str; 9] = [
    "\u{1b}[31m",
    "%2e%2e%2f",
    "@example.org",
    "${Sentinel}",
    "${AWS::AccountId}",
    "{{resolve:ssm:name}}",
    "{{resolve:secretsmanager:prd}}",
    "#{SourceVariables.CommitId}",
    "18446744073709551616",
];

/// Decides about an input, at random.
pub struct Choices(Rng);

impl Choices {
    /// The same choices for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Choices(Rng::with_seed(seed))
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// Any number, the large and the small ones as often.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..) >> self.below(64)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// One of `seeds`, with up to six changes; often none.
    pub fn text(&mut self, seeds: &[&str]) -> String {
        let mut text: Vec<char> = self.one_of(seeds).chars().collect();
        for _ in 0..self.below(7) {
            let at = self.below(text.len() + 1);
            let end = (at + self.below(12)).min(text.len());
            match self.below(6) {
                0 => drop(text.drain(at..end)),
                1 => text.truncate(at),
                2 => text.extend_from_within(at..end),
                3 => {
                    let other: Vec<char> = self.one_of(seeds).chars().collect();
                    text.truncate(at);
                    text.extend(&other[self.below(other.len() + 1)..]);
                }
                4 => drop(text.splice(at..end, [self.0.char(..)])),
                _ => {
                    let token = self.one_of(&[&TOKENS[..], &TEXTS].concat());
                    let end = if self.below(2) == 0 { at } else { end };
                    text.splice(at..end, token.chars());
                }
            }
        }
        text.into_iter().collect()
    }

    /// One of `seeds`, with up to five changes somewhere in it; often none.
    pub fn json(&mut self, seeds: &[Value]) -> Value {
        let mut value = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(6) {
            self.change(&mut value);
        }
        value
    }

    fn change(&mut self, value: &mut Value) {
        let goes_on = self.below(4) > 0;
        match value {
            Value::Array(list) if goes_on && !list.is_empty() => {
                let at = self.below(list.len());
                match self.below(8) {
                    0 => drop(list.remove(at)),
                    1 => list.push(list[at].clone()),
                    2 => list.resize(list.len() + self.below(60), list[at].clone()),
                    _ => self.change(&mut list[at]),
                }
            }
            Value::Object(members) if goes_on && !members.is_empty() => {
                let name = members.keys().nth(self.below(members.len())).cloned();
                self.change_member(members, &name.unwrap_or_default());
            }
            Value::String(text) if goes_on => *text = self.text(&[text]),
            _ => *value = self.odd(),
        }
    }

    fn change_member(&mut self, members: &mut Map<String, Value>, name: &str) {
        match self.below(10) {
            0 => drop(members.remove(name)),
            1 => {
                let value = members.remove(name).unwrap_or_default();
                members.insert(name.to_lowercase(), value);
            }
            2 => {
                let value = self.odd();
                let name = self.one_of(&["", "Unknown", "a.b", "é", "[0]"]);
                members.insert(name.to_owned(), value);
            }
            _ => {
                if let Some(value) = members.get_mut(name) {
                    self.change(value);
                }
            }
        }
    }

    fn odd(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!("False"),
            3 => json!(self.number()),
            4 => json!(-1.5e300),
            5 => json!([]),
            6 => json!({}),
            7 => json!([[{}], SENTINEL]),
            8 => json!({"Fn::Sub": SENTINEL}),
            9 => json!(self.one_of(&["a", "é", "\u{0}"]).repeat(self.below(5000))),
            10 => json!(SENTINEL),
            _ => json!(self.text(&["x"])),
        }
    }
}

/// Every text in `value` that is not a member's name.
pub fn strings_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(strings_in).collect(),
        Value::Object(members) => members.values().flat_map(strings_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![],
    }
}
