//! Arbitrary events: random JSON, and changed valid events.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// A placeholder for JSON that is nested deeper than a value may be. It is replaced in the text.
const DEEP: &str = "<nested deep>";

/// Texts at the edges of scripts, encodings and limits.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "\0",
    "\u{1}\u{1f}\u{7f}",
    "null",
    "true",
    "False",
    "-1",
    "1e999",
    "漢字カナ",
    "Привет",
    "مرحبا\u{202e}",
    "e\u{301}",
    "🦀👩‍👩‍👧",
    "\u{feff}\u{fffd}\u{10ffff}",
    "\"\\/\n\r\t",
    "../../etc/passwd",
    "${AWS::StackName}",
    "arn:aws:iam::123456789012:user/user-dev-codecommit-mirroring",
    "codecommit-mirror/user-dev-codecommit-mirroring",
    "codecommit-mirror/user-dev-codecommit-mirroring-AbCdE1",
    "cfn-gitops:owner",
    "aws:cloudformation:stack-name",
    "Custom::MirrorCredential",
    "Custom::GitOpsPipeline",
    "gitops-dev-orders",
    "codecommit-dev-cfn-orders",
    "arn:aws:iam::123456789012:role/role-dev-codebuild-cfn",
    "{{resolve:ssm:name}}",
    "referenceCreated",
];

/// Names that mean something in an event, first those of a request.
const NAMES: &str = "\
    RequestType ResponseURL StackId RequestId LogicalResourceId PhysicalResourceId \
    ResourceType ResourceProperties OldResourceProperties ServiceToken ServiceTimeout \
    UserName SecretName KmsKeyId RepositoryNames ForeignCredentials RotationSerial Tags Key \
    Value GitLab Mirrors Step Continuation Event Hop Received source detail StackName \
    repositoryName EnvID ProjectID BranchMap Source RepositoryName Build BuildSpec \
    EnvironmentVariables Approval Deploy ParameterOverrides ExecutionMode PipelineRoleArn \
    ApprovalRule ApproversNeeded RepositoryDeletionPolicy";

/// The valid events with which mutations start. Each starts with a Create.
pub struct Source {
    pub credentials: Vec<Value>,
    pub pipelines: Vec<Value>,
}

impl Source {
    /// One event's text, most of them requests that can be answered.
    pub fn event(&self, rng: &mut Rng) -> String {
        let mut event = match rng.u8(..10) {
            0 => any(rng, 5),
            1 => self.about_right(rng),
            _ => self.valid(rng),
        };
        // Most requests are invalid, which is found before AWS is called. The calls of the rest are
        // worth their time.
        if rng.u8(..6) > 0
            && let Some(Value::Object(properties)) = properties_of(&mut event)
        {
            properties.insert(name(rng), any(rng, 2));
            properties.insert("RotationSerial".to_owned(), json!([]));
        }
        for _ in 0..rng.usize(1..6) {
            let at_root = rng.u8(..32) > 0;
            mutate(&mut event, at_root, rng);
        }
        let text = broken(event.to_string(), rng);
        let depth = rng.usize(1..5000);
        text.replace(
            &format!("\"{DEEP}\""),
            &format!("{}1{}", "[".repeat(depth), "]".repeat(depth)),
        )
    }

    fn valid(&self, rng: &mut Rng) -> Value {
        let kind = self.kind(rng);
        let valid = rng.choice(kind).expect("some valid event");
        // A Delete with any properties calls AWS.
        if valid["RequestType"] == "Delete" && rng.u8(..3) > 0 {
            return kind[0].clone();
        }
        valid.clone()
    }

    fn kind(&self, rng: &mut Rng) -> &[Value] {
        // Requests for pipelines take more time.
        if rng.u8(..5) < 3 {
            &self.credentials
        } else {
            &self.pipelines
        }
    }

    /// A request with arbitrary other members.
    fn about_right(&self, rng: &mut Rng) -> Value {
        let mut members = Map::new();
        for name in NAMES.split(' ').take(9) {
            if rng.u8(..8) > 0 {
                members.insert(name.to_owned(), any(rng, 3));
            }
        }
        let kind = self.kind(rng);
        let valid = rng.choice(kind).expect("some valid event");
        for name in ["ResponseURL", "RequestType", "ResourceType"] {
            if rng.bool() {
                members.insert(name.to_owned(), valid[name].clone());
            }
        }
        Value::Object(members)
    }
}

/// The properties of a request, or of the request in a continuation.
fn properties_of(event: &mut Value) -> Option<&mut Value> {
    let request = if event.get("Event").is_some() {
        event.get_mut("Event")?
    } else {
        event
    };
    request.get_mut("ResourceProperties")
}

/// Any JSON value.
fn any(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => Value::Bool(rng.bool()),
        2 => number(rng),
        3..=5 => Value::String(text(rng)),
        6 => (0..rng.usize(..4)).map(|_| any(rng, depth - 1)).collect(),
        7 => json!(DEEP),
        _ => {
            let members = (0..rng.usize(..5)).map(|_| (name(rng), any(rng, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

fn number(rng: &mut Rng) -> Value {
    match rng.u8(..6) {
        0 => json!(0),
        1 => json!(i64::MIN),
        2 => json!(u64::MAX),
        3 => json!(f64::MAX),
        4 => json!(rng.i32(-9..4000)),
        _ => json!(rng.f64()),
    }
}

fn name(rng: &mut Rng) -> String {
    if rng.u8(..4) == 0 {
        return text(rng);
    }
    let names: Vec<&str> = NAMES.split(' ').collect();
    (*rng.choice(names).as_ref().expect("some name")).to_owned()
}

fn text(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0 => (0..rng.usize(..12)).map(|_| rng.char(..)).collect(),
        1 => {
            let unit = *rng.choice(TEXTS).as_ref().expect("some text");
            let longest = *rng.choice([4, 40, 600].as_ref()).expect("a length");
            unit.repeat(rng.usize(..longest))
        }
        2 => rng.u64(..).to_string(),
        _ => (*rng.choice(TEXTS).as_ref().expect("some text")).to_owned(),
    }
}

/// Does one thing to one place of a value; `inside` spares the value as a whole.
fn mutate(value: &mut Value, inside: bool, rng: &mut Rng) {
    let go_on = inside || rng.u8(..3) > 0;
    match value {
        Value::Object(members) if !members.is_empty() && go_on => {
            let chosen = rng.usize(..members.len());
            let key = members.keys().nth(chosen).expect("a member").clone();
            // Where the answer goes is mostly spared, or little would be left to answer.
            if key == "ResponseURL" && rng.u8(..16) > 0 {
                return;
            }
            match rng.u8(..8) {
                0 => {
                    members.remove(&key);
                }
                1 => {
                    let moved = members.remove(&key).expect("a member");
                    members.insert(name(rng), moved);
                }
                2 => {
                    members.insert(name(rng), any(rng, 2));
                }
                3 => {
                    members.insert(key, any(rng, 2));
                }
                _ => mutate(&mut members[&key], false, rng),
            }
        }
        Value::Array(elements) if !elements.is_empty() && go_on => {
            let chosen = rng.usize(..elements.len());
            match rng.u8(..4) {
                0 => {
                    elements.remove(chosen);
                }
                1 => {
                    let again = elements[chosen].clone();
                    elements.extend(std::iter::repeat_n(again, rng.usize(1..60)));
                }
                _ => mutate(&mut elements[chosen], false, rng),
            }
        }
        Value::String(text) if go_on => altered(text, rng),
        other => *other = any(rng, 3),
    }
}

/// Changes a text a little, to reach the code that depends on its parts.
fn altered(string: &mut String, rng: &mut Rng) {
    let places: Vec<usize> = (0..=string.len()).filter(|at| string.is_char_boundary(*at)).collect();
    let at = *rng.choice(&places).expect("a text has two ends");
    match rng.u8(..4) {
        0 => string.truncate(at),
        1 => string.insert_str(at, &text(rng)),
        2 => string.insert(at, rng.char('0'..='9')),
        _ => {
            string.pop();
            string.push(rng.char(..));
        }
    }
}

/// Changes the text in ways that a value cannot express.
fn broken(mut text: String, rng: &mut Rng) -> String {
    let places: Vec<usize> = match rng.u8(..24) {
        0 if rng.bool() => (0..text.len()).collect(),
        1..=3 => text.match_indices('"').map(|(at, _)| at + 1).collect(),
        4..=6 => text.match_indices('{').map(|(at, _)| at + 1).collect(),
        _ => return text,
    };
    let Some(&at) = rng.choice(&places).filter(|at| text.is_char_boundary(**at)) else {
        return text;
    };
    match rng.u8(..4) {
        0 if !text[..at].ends_with(['"', '{']) => text.truncate(at),
        // Half a character, as JavaScript's JSON writes it.
        1 | 2 if text[..at].ends_with('"') => text.insert_str(at, r"\ud800"),
        _ if text[..at].ends_with('{') => {
            let (name, value) = (json!(name(rng)), json!(self::text(rng)));
            let comma = if text[at..].starts_with('}') { "" } else { "," };
            text.insert_str(at, &format!("{name}:{value}{comma}"));
        }
        _ if rng.u8(..4) == 0 => text.insert(at, rng.char(' '..='~')),
        _ => {}
    }
    text
}
