//! Shows of a text the words of its form: one of [`FORMS`].
//!
//! A text is read from its beginning to its end, and must have a form as a whole. So a text that
//! only contains such a sentence, for example in a name that a template computes, does not have
//! that form. Everything that is neither a word of a form nor a name of the template is hidden.

use std::sync::OnceLock;

use regex_lite::{Captures, Regex, escape};

use super::forms::FORMS;

/// Replaces a text that is not shown.
pub const HIDDEN: &str = "…";

/// The most forms inside each other. CloudFormation nests a stack, a resource and a handler.
const MAX_DEPTH: usize = 8;

/// Which names of a template are shown.
pub struct Names<'a> {
    /// Whether a logical ID, a type or the name of a property is shown.
    pub is_shown: &'a dyn Fn(&str) -> bool,
    /// Whether a name is shown that a template can compute.
    pub is_computed_shown: &'a dyn Fn(&str) -> bool,
}

/// `text` with only the words of its form and the names that are shown. `None` if it has no form.
pub fn shown(text: &str, names: &Names<'_>) -> Option<String> {
    shown_at(text, names, 0)
}

fn shown_at(text: &str, names: &Names<'_>, depth: usize) -> Option<String> {
    if depth == MAX_DEPTH {
        return None;
    }
    let matched = |form: &'static Form| Some((form, form.regex.captures(text)?));
    let (form, found) = forms().iter().find_map(matched)?;
    let shown = form.render(&found, names, depth);
    // A frame around a hidden text has no meaning.
    let has_words = shown.chars().any(char::is_alphanumeric);
    has_words.then_some(shown)
}

/// A part of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Words(&'static str),
    /// Names, each of which is shown or not.
    Names,
    /// The same, also with indexes.
    Path,
    Computed,
    /// Words that are shown if the template has them.
    Literal,
    /// Words of AWS.
    Shown,
    Rest,
    Hidden,
}

/// The parts of a form that are in braces: the name, its pattern and its kind. With an `s` after
/// its name, it is a list.
const PARTS: [(&str, &str, Part); 20] = [
    ("id", "[A-Za-z0-9]+", Part::Names),
    ("name", "[A-Za-z0-9_.:/-]+", Part::Names),
    ("path", r"[#/][#/A-Za-z0-9_.:\[\]-]*", Part::Path),
    (
        "violation",
        r"[#/][#/A-Za-z0-9_.\[\]-]*: (?:#: )?(?:extraneous key \[[A-Za-z0-9_.:/-]+\] is not permitted|required key \[[A-Za-z0-9_.:/-]+\] not found|failed validation constraint for keyword \[[a-z][A-Za-z]{2,24}\]|only [0-9]{1,3} subschema matches out of [0-9]{1,3}|expected type: (?:KIND), found: (?:KIND))",
        Part::Path,
    ),
    (
        "type",
        "(?:(?:AWS|Alexa|Custom)(?:::[A-Za-z0-9_@-]+)+|[A-Za-z0-9]+::[A-Za-z0-9]+::[A-Za-z0-9]+(?:::MODULE)?)",
        Part::Names,
    ),
    ("computed", ".+?", Part::Computed),
    ("literal", r"[^\[\], ]+", Part::Literal),
    ("file", "[A-Za-z0-9_./-]+", Part::Shown),
    ("status", "[A-Z]{4,}(?:_[A-Z]+)*", Part::Shown),
    (
        "verb",
        "create|update|delete|import|creation|deletion|updated|deleted",
        Part::Shown,
    ),
    // https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    (
        "failure",
        "NotUpdatable|InvalidRequest|HandlerInternalFailure|AccessDenied|UnauthorizedTaggingOperation|InvalidCredentials|\
         AlreadyExists|NotFound|ResourceConflict|Throttling|ServiceLimitExceeded|NotStabilized|GeneralServiceException|\
         ServiceInternalError|ServiceTimeout|NetworkFailure|InternalFailure|InvalidTypeConfiguration|NonCompliant|Unknown|\
         UnsupportedTarget",
        Part::Shown,
    ),
    ("error", "[A-Z][A-Za-z.]{2,59}", Part::Shown),
    ("service", "[A-Z][A-Za-z0-9 ]{1,39}", Part::Shown),
    ("kind", KIND, Part::Shown),
    ("code", "[A-Z_]+", Part::Shown),
    ("number", "[0-9]{1,9}", Part::Shown),
    ("action", "[a-z0-9-]+:[A-Z][A-Za-z0-9]*", Part::Shown),
    (
        "policy",
        "(?:identity-based|resource-based|session|service control|resource control|VPC endpoint) policy|permissions boundary",
        Part::Shown,
    ),
    ("word", "[A-Za-z0-9]+", Part::Hidden),
    ("rest", ".+", Part::Rest),
];

/// The types of properties.
const KIND: &str = "(?:List of )?(?:String|Integer|Number|Boolean|Double|Long|Map|List|Object|Json|JSONArray|JSONObject|Null)";

/// The pattern and the kind of the part `name`.
fn part(name: &str) -> Option<(String, Part)> {
    let of = |name: &str| PARTS.iter().find(|(it, ..)| *it == name);
    if let Some((_, pattern, part)) = of(name) {
        return Some(((*pattern).replace("KIND", KIND), *part));
    }
    let (_, pattern, part) = of(name.strip_suffix('s')?)?;
    let pattern = pattern.replace("KIND", KIND);
    Some((format!("{pattern}(?:[, ]+{pattern})*"), *part))
}

#[derive(Debug)]
struct Form {
    regex: Regex,
    /// In their order. Each but the words has a group of the pattern.
    parts: Vec<Part>,
}

fn forms() -> &'static [Form] {
    static FORMS_READ: OnceLock<Vec<Form>> = OnceLock::new();
    FORMS_READ.get_or_init(|| FORMS.iter().copied().filter_map(Form::read).collect())
}

impl Form {
    /// Reads a form. `None` if it is not well-formed, which a test excludes.
    fn read(form: &'static str) -> Option<Self> {
        let (mut pattern, mut parts, mut rest) = ("^".to_owned(), vec![], form);
        let mut is_left_out = false;
        while let Some(at) = rest.find(['{', '<', '>', '*']) {
            let (words, special) = rest.split_at_checked(at)?;
            // `{{path}}` is a part in braces.
            let at_name = special.strip_prefix("{{");
            let words_of = if at_name.is_some() {
                rest.get(..=at)?
            } else {
                words
            };
            pattern += &escape(words_of);
            if !is_left_out && !words_of.is_empty() {
                parts.push(Part::Words(words_of));
            }
            let special = at_name.map_or(special, |_| special.get(1..).unwrap_or_default());
            if special.starts_with('{') {
                let (name, further) = special.get(1..)?.split_once('}')?;
                let (of, part) = part(name)?;
                pattern.extend(["(", &of, ")"]);
                parts.push(part);
                rest = further;
                continue;
            }
            match special.get(..1)? {
                "*" if is_left_out => pattern += ".*",
                "*" => {
                    pattern += "(.*)";
                    parts.push(Part::Hidden);
                }
                mark => is_left_out = mark == "<",
            }
            rest = special.get(1..)?;
        }
        pattern += &escape(rest);
        // CloudFormation's own full stop may be missing, or that of the text around it.
        pattern += r"\.?$";
        if !rest.is_empty() {
            parts.push(Part::Words(rest));
        }
        let regex = Regex::new(&pattern).ok()?;
        Some(Form { regex, parts })
    }

    fn render(&self, found: &Captures<'_>, names: &Names<'_>, depth: usize) -> String {
        let mut texts = found.iter().skip(1).flatten();
        let shown = self.parts.iter().map(|part| {
            if let Part::Words(words) = part {
                return (*words).to_owned();
            }
            let text = texts.next().map_or("", |text| text.as_str());
            match part {
                Part::Shown => text.to_owned(),
                Part::Names => each_name(text, names.is_shown),
                Part::Literal => each_name(text, names.is_computed_shown),
                Part::Path => each_name(text, |name| is_index(name) || (names.is_shown)(name)),
                Part::Computed if (names.is_computed_shown)(text) => text.to_owned(),
                Part::Rest => {
                    let shown = shown_at(text, names, depth + 1);
                    shown.unwrap_or_else(|| HIDDEN.to_owned())
                }
                Part::Words(_) | Part::Computed | Part::Hidden => HIDDEN.to_owned(),
            }
        });
        shown.collect()
    }
}

/// Whether it is the index of a list in a path.
fn is_index(name: &str) -> bool {
    name.len() <= 3 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The names in a list or path. One that is not shown is hidden.
fn each_name(text: &str, is_shown: impl Fn(&str) -> bool) -> String {
    let mut shown = String::new();
    for part in text.split_inclusive([',', ' ', '/', '#', '[', ']']) {
        let name = part.trim_end_matches([',', ' ', '/', '#', '[', ']']);
        let is_shown = name.is_empty() || is_shown(name);
        shown.push_str(if is_shown { name } else { HIDDEN });
        shown.push_str(part.get(name.len()..).unwrap_or_default());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_well_formed() {
        for form in FORMS {
            assert!(Form::read(form).is_some(), "{form}");
        }
    }
}
