//! Requests with their responses, for the comparison with what others define or recorded:
//! `tests/witnesses/README.md`.
//!
//! If `RECORDED_CALLS` names a folder, each test process writes a file `<pid>.exchanges.jsonl` with
//! one JSON object a line: `service`, `operation`, `request` (`method`, `host`, `path`, `query`,
//! `headers`, `body`) and `response` (`status`, `headers`, `body`). A body is its JSON, another text,
//! or null. The fault tests make millions of calls, so an exchange is written only if a part of it
//! has a form that none before had.

use std::{
    collections::{BTreeSet, HashSet},
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::Path,
    process,
    sync::{LazyLock, Mutex},
};

use serde_json::{Map, Value, json};

use crate::{
    account::recorded_calls::PERSON,
    request::{Call, Service},
    world::{ApiResponse, World},
};

/// Headers with secrets, and headers that no rule is about.
const OMITTED_HEADERS: [&str; 8] = [
    "authorization",
    "private-token",
    "x-amz-security-token",
    "user-agent",
    "x-amz-user-agent",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "x-amz-date",
];

/// The file, the exchanges so far, and the forms that they have.
struct Exchanges {
    file: fs::File,
    known: HashSet<u64>,
    forms: HashSet<u64>,
}

static FILE: LazyLock<Option<Mutex<Exchanges>>> = LazyLock::new(|| {
    let folder = env::var_os("RECORDED_CALLS")?;
    fs::create_dir_all(&folder).expect("a folder for recorded exchanges");
    let path = Path::new(&folder).join(format!("{}.exchanges.jsonl", process::id()));
    Some(Mutex::new(Exchanges {
        file: fs::File::create(path).expect("a file for recorded exchanges"),
        known: HashSet::new(),
        forms: HashSet::new(),
    }))
});

/// Writes the function's exchange without secrets, if it has a new form. Git and the response bucket
/// have no operations, and the answer of another server in GitLab's place has no witness.
pub(crate) fn record(world: &World, caller: &str, call: &Call, response: &ApiResponse) {
    let Some(file) = &*FILE else { return };
    if caller == PERSON {
        return;
    }
    let behaviour = &world.options.gitlab;
    let gateway = behaviour.gateway.as_ref();
    let is_of_gateway = gateway.is_some_and(|gateway| gateway.operation == call.operation);
    let is_elsewhere = call.service == Service::GitLab && (is_of_gateway || behaviour.redirects);
    if is_elsewhere || matches!(call.service, Service::Git | Service::ResponseBucket) {
        return;
    }
    let mut file = file.lock().expect("no panic under this lock");
    let Exchanges { file, known, forms } = &mut *file;
    // Most schedules repeat the calls of another one.
    let (sent, received) = (&call.body, &response.body);
    let exchange_as_sent = hash(&(&call.operation, &call.url, sent, response.status, received));
    if !known.insert(exchange_as_sent) || !is_new(forms, call, response) {
        return;
    }
    let mut line = exchange(call, response).to_string();
    for secret in &world.secrets_ever {
        line = line.replace(secret, &"x".repeat(secret.len()));
    }
    writeln!(file, "{line}").expect("a written exchange");
}

/// Adds the forms of the exchange. Whether one of them is new.
fn is_new(forms: &mut HashSet<u64>, call: &Call, response: &ApiResponse) -> bool {
    let before = forms.len();
    let operation = hash(&(call.service, &call.operation, response.status));
    for (name, part) in [
        ("request", Value::Object(call.params.clone())),
        ("response", decoded(&response.body)),
    ] {
        add_forms(forms, hash(&(operation, name)), &part);
    }
    let names: Vec<&str> = response.headers.iter().map(|(name, _)| *name).collect();
    forms.insert(hash(&(operation, names)));
    forms.len() > before
}

/// A body of JSON or XML as a tree. A text if it is neither.
fn decoded(body: &str) -> Value {
    if body.starts_with('<') {
        return xml(body);
    }
    content(body)
}

/// Each element as an object with a list for each name of its children, or as its text.
fn xml(body: &str) -> Value {
    let mut open: Vec<Map<String, Value>> = vec![Map::new()];
    let mut text = "";
    for tag in body.split('<').skip(1) {
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        let is_empty = tag.ends_with('/');
        if !tag.starts_with('/') {
            open.push(Map::new());
            text = after;
        }
        if !(tag.starts_with('/') || is_empty) || open.len() < 2 {
            continue;
        }
        let children = open.pop().expect("checked above");
        let value = if children.is_empty() && !is_empty {
            text.into()
        } else {
            children.into()
        };
        let name = tag.trim_matches('/').split(' ').next().unwrap_or_default();
        let parent = open.last_mut().expect("the document");
        let list = parent.entry(name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("a list").push(value);
        text = "";
    }
    open.swap_remove(0).into()
}

/// The form of each value of a tree: a text's class, a list's length up to two, an object's names.
fn add_forms(forms: &mut HashSet<u64>, place: u64, value: &Value) {
    let form = match value {
        Value::Object(members) => {
            let mut names = BTreeSet::new();
            for (name, member) in members {
                let name = without_digits(name);
                add_forms(forms, hash(&(place, &name)), member);
                names.insert(name);
            }
            hash(&names)
        }
        Value::Array(members) => {
            for member in members {
                add_forms(forms, hash(&(place, "member")), member);
            }
            hash(&members.len().min(2))
        }
        Value::String(text) => hash(&class(text)),
        Value::Number(number) => hash(&(number.is_f64(), number.as_i64().map(i64::signum))),
        other => hash(other),
    };
    forms.insert(hash(&(place, form)));
}

/// A word, which may be one of a list, or the characters of a text and the size of its length.
fn class(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphabetic() || "_-".contains(letter);
    if text.len() <= 40 && text.chars().all(is_word) {
        return text.to_owned();
    }
    let kinds: BTreeSet<char> = text.chars().map(kind).collect();
    let size = usize::BITS - text.chars().count().leading_zeros();
    format!("{size} {}", kinds.into_iter().collect::<String>())
}

fn kind(letter: char) -> char {
    match letter {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        letter if letter.is_alphanumeric() => 'ü',
        letter => letter,
    }
}

/// `Tags.member.1.Key` and `Tags.member.2.Key` are one name.
fn without_digits(name: &str) -> String {
    name.replace(|letter: char| letter.is_ascii_digit(), "")
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn exchange(call: &Call, response: &ApiResponse) -> Value {
    let (_, query) = call.url.split_once('?').unwrap_or_default();
    let sent = call.headers.iter();
    let sent: Map<String, Value> = sent
        .filter(|(name, _)| !OMITTED_HEADERS.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().into()))
        .collect();
    let received = response.headers.iter();
    let received: Map<String, Value> = received
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    json!({
        "service": call.service.to_string(),
        "operation": call.operation,
        "request": {
            "method": call.method, "host": call.host(), "path": call.path(), "query": query,
            "headers": sent, "body": content(&String::from_utf8_lossy(&call.body)),
        },
        "response": {
            "status": response.status, "headers": received, "body": content(&response.body),
        },
    })
}

/// A body: its JSON, or its text. Null if it is empty.
fn content(body: &str) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}
