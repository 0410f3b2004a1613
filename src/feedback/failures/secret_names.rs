//! Where a line of a log assigns a value to the name of a secret.
//!
//! A name in a sentence is not an assignment: `token expired`, `Unexpected token : in JSON`,
//! `KeyError: 'password'`, `password: must be longer`.

/// The words that make a name that of a secret, wherever they stand in it.
const WORDS: &str = "password passwd passphrase passcode secret token credential fromliteral accesskey \
     accountkey apikey applicationkey authkey clientkey deploykey encryptionkey licensekey masterkey \
     privatekey sessionkey sharedkey signingkey sshkey storagekey subscriptionkey";

/// The same at the end of a part of a name: `DBPASS`, `MYSQL_PWD`.
const ENDINGS: &str = "pass pwd pw";

/// The same as the last part of a name.
const LAST: &str = "auth authorization cookie cookies oauth pat";

/// Texts in names that are not those of a secret.
const OTHERS: &str = "secretsmanager secretmanager secretstorage tokeniz requesttoken nexttoken bypass compass \
     encompass surpass trespass overpass underpass";

/// The last part of a name that is about a secret.
const ABOUT: &str =
    "arn error errors exception expired failed file found name path required stdin type url";

/// The first part of an error's name, such as `ExpiredToken` and `NoCredentialProviders`.
const STATES: &str = "bad expired incomplete invalid missing no unexpected unknown unrecognized";

/// The first word after a name in a sentence.
const SENTENCE: &str = "and are as before can can't Cannot cannot command could env environment execution \
     expected expired failed flag for found from Get has if in instead invalid Is is missing must No not \
     number on operation option or parameter Path Permission Post required requires should \
     string This to unable unbound unexpected variable via was when with";

/// Values that are types or no values, if punctuation or the line's end follows.
const LITERALS: &str = "any bool boolean bytes false False int nil none None null number str string true True \
     undefined unknown";

/// The endings of files whose places a compiler or a stack trace shows: `src/token.rs:10:5`.
const FILES: &str = "c cc cjs cpp cs css go h html java js jsx kt mjs php py rb rs scala swift tf ts tsx vue \
     yaml yml";

/// The most characters of a namespace such as `wsse:`, and the text before it.
const MAX_NAMESPACE: usize = 40;

/// The most characters of a version such as `1.26.0`.
const MAX_VERSION: usize = 20;

/// The names of secrets in a line.
#[derive(Debug, Default)]
pub struct SecretNames {
    /// The first value of one.
    pub value: Option<Value>,
    /// Whether one is named without its value.
    pub has_bare_name: bool,
}

/// The value of a secret, which is hidden to the end of its line.
#[derive(Debug)]
pub struct Value {
    pub start: usize,
    /// Whether it begins in the next line.
    pub is_empty: bool,
}

/// A name in a line: letters, digits and `_.-`.
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    line: &'a str,
    start: usize,
    end: usize,
    is_option: bool,
    /// The word before it, if only blanks are between them. Empty if there is none.
    before: &'a str,
}

/// The text after a name.
enum Following {
    Value(Value),
    /// It is a part of a path such as `token::Stream`, which ends here.
    Path(usize),
    Sentence,
}

impl SecretNames {
    /// Reads a line. If `is_value`, `Value` is the name of a secret's value, because an
    /// earlier line has named the secret.
    pub fn of(line: &str, mut is_value: bool) -> Self {
        let (mut names, mut at, mut previous) = (SecretNames::default(), 0, 0..0);
        while let Some(mut name) = Name::next(line, at) {
            at = name.end;
            let between = line.get(previous.end..name.start).unwrap_or_default();
            if between.trim().is_empty() {
                name.before = line.get(previous).unwrap_or_default();
            }
            previous = name.start..name.end;
            let is_of_secret = is_value && name.is_value();
            if !is_of_secret && !name.is_secret() {
                continue;
            }
            match name.following() {
                Following::Value(value) => {
                    names.value = Some(value);
                    return names;
                }
                Following::Path(end) => at = end,
                Following::Sentence => {
                    names.has_bare_name = true;
                    is_value = true;
                }
            }
        }
        names
    }
}

impl<'a> Name<'a> {
    /// The first name from a place on.
    fn next(line: &'a str, from: usize) -> Option<Self> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let mut from = from;
        loop {
            let run = from + line.get(from..)?.find(is_part)?;
            let text = line.get(run..)?;
            let text = text.get(..text.find(|c| !is_part(c)).unwrap_or(text.len()))?;
            let (end, is_option) = (
                run + text.trim_end_matches(['-', '.']).len(),
                text.starts_with('-'),
            );
            let start = run + text.len() - text.trim_start_matches(['-', '.']).len();
            if start < end {
                return Some(Name {
                    line,
                    start,
                    end,
                    is_option,
                    before: "",
                });
            }
            from = run + text.len();
        }
    }

    fn text(&self) -> &'a str {
        self.line.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether it is the name of a value, such as `ParameterValue` after `ParameterKey`.
    fn is_value(&self) -> bool {
        parts(self.text()).last().is_some_and(|it| it == "value")
    }

    /// Whether it is the name of a secret.
    fn is_secret(&self) -> bool {
        let text = self.text();
        let parts = parts(text);
        let is = |part: Option<&String>, of: &str| part.is_some_and(|it| has(of, it));
        let is_error = is(parts.first(), STATES)
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.contains(|c: char| c.is_ascii_lowercase());
        let is_of_parser = self.before.eq_ignore_ascii_case("unexpected");
        if is_error || is_of_parser || is(parts.last(), ABOUT) {
            return false;
        }
        let mut joined = parts.concat();
        if ["key", "keys"].contains(&joined.as_str()) {
            joined.insert_str(0, &self.before.to_ascii_lowercase());
        }
        let has_word = |text: &str| WORDS.split(' ').any(|word| text.contains(word));
        let without_others = || {
            let others = OTHERS.split(' ');
            others.fold(joined.clone(), |text, other| text.replace(other, ""))
        };
        let ends = |part: &String| {
            let part = part.trim_end_matches(|c: char| c.is_ascii_digit());
            !has(OTHERS, part) && ENDINGS.split(' ').any(|ending| part.ends_with(ending))
        };
        has_word(&joined) && has_word(&without_others())
            || is(parts.last(), LAST)
            || parts.iter().any(ends)
    }

    fn following(&self) -> Following {
        let after = self.line.get(self.end..).unwrap_or_default();
        let before = self.line.get(..self.start).unwrap_or_default();
        if let Some(value) = self.element(before, after) {
            return value;
        }
        let closed = after.trim_start_matches(['"', '\'', '`', '\\', ']']);
        let is_bare = closed.len() == after.len();
        let spaced = closed.trim_start();
        let is_adjacent = is_bare && spaced.len() == after.len();
        let Some(sign) = sign(spaced) else {
            return self.argument(closed, is_bare);
        };
        let (of_sign, value) = spaced.split_at_checked(sign).unwrap_or((spaced, ""));
        if of_sign == ":" {
            if is_adjacent && let Some(path) = path(value) {
                return Following::Path(self.line.len() - value.len() + path);
            }
            let is_in_arn = self.text() == "secret" && before.ends_with(':') && is_adjacent;
            let file = self.text().rsplit_once('.').map(|(_, ending)| ending);
            let is_file = is_bare && file.is_some_and(|ending| has(FILES, ending));
            // `--- PASS: TestLogin (0.00s)`.
            let is_result = self.text() == "PASS" && before.trim_end().ends_with("---");
            let is_type = is_bare && self.text().starts_with(|c: char| c.is_ascii_uppercase());
            // A trait bound of Rust.
            let is_bound = is_type && before.ends_with('`') && value.starts_with(' ');
            // A test in Java: `TokenTest.expires:42 expected: <401> but was: <200>`.
            let is_test = is_type && file.is_some() && is_number(value);
            let is_message = !is_bare && is_capitalized(value);
            let is_sentence = is_message || is_sentence(value);
            if is_in_arn || is_file || is_result || is_bound || is_test || is_sentence {
                return Following::Sentence;
            }
        }
        let is_directory = ["PWD", "OLDPWD"].contains(&self.text()) && value.starts_with('/');
        let is_version = of_sign == "=" && value.strip_prefix('=').is_some_and(is_version);
        if is_directory || is_version || is_literal(value.trim_start()) {
            return Following::Sentence;
        }
        self.value(value)
    }

    /// The value that begins with `rest`.
    fn value(&self, rest: &str) -> Following {
        let rest = rest.trim_start();
        Following::Value(Value {
            start: self.line.len() - rest.len(),
            is_empty: rest.chars().all(|c| " \"'`\\|>+-&!{[(".contains(c)),
        })
    }

    /// The value in an element of XML: `<password>x</password>`. Not in a type such as
    /// `Vec<Token>`, or in `<token>` at the end of a line.
    fn element(&self, before: &str, after: &str) -> Option<Following> {
        let near = before.floor_char_boundary(before.len().saturating_sub(MAX_NAMESPACE));
        let near = before.get(near..)?;
        let (_, element) = near.rsplit_once(|c: char| !c.is_ascii_alphanumeric() && c != ':')?;
        let parent = before.strip_suffix(element)?.strip_suffix('<')?;
        if !element.is_empty() && (!element.ends_with(':') || element.ends_with("::")) {
            return None;
        }
        let is_type = parent.ends_with(|c: char| c.is_ascii_alphanumeric() || "_:".contains(c));
        let content = after.strip_prefix('>').or_else(|| after.strip_prefix(' '))?;
        (!is_type && !content.trim().is_empty()).then(|| self.value(content))
    }

    /// The value after a blank: that of an option, of `set`, or a quoted one as in SQL's
    /// `PASSWORD 'x'`.
    fn argument(&self, after: &str, is_bare: bool) -> Following {
        let value = after.trim_start_matches([' ', ',']);
        let is_password = self.text().to_ascii_lowercase().contains("passw");
        let is_quoted = is_bare && is_password && value.starts_with(['\'', '"']);
        let commands = ["set", "env", "setenv"];
        let is_set = commands.iter().any(|it| self.before.eq_ignore_ascii_case(it));
        let has_value = self.is_option || is_set || is_quoted;
        if has_value && !value.is_empty() && value.len() < after.len() && !is_sentence(after) {
            self.value(value)
        } else {
            Following::Sentence
        }
    }
}

/// Whether a list has a word.
fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|it| it == word)
}

/// The parts of a name, in lower case: `dbPassword` and `DB_PASSWORD` have two.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let bytes = name.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let previous = at.checked_sub(1).and_then(|at| bytes.get(at));
        let begins = byte.is_ascii_uppercase()
            && (previous.is_some_and(|it| !it.is_ascii_uppercase())
                || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase));
        if begins || !byte.is_ascii_alphanumeric() {
            parts.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The length of the sign of an assignment with which `rest` begins: `=`, `:`, `=>`, `->`, and
/// operators such as `:=` and `!=`.
fn sign(rest: &str) -> Option<usize> {
    if rest.starts_with("%3D") || rest.starts_with("%3A") {
        return Some(3);
    }
    let mut bytes = rest.bytes().enumerate().take(3);
    let at = |at: usize| rest.as_bytes().get(at);
    loop {
        let (index, byte) = bytes.next()?;
        let next = at(index + 1);
        match byte {
            b'=' => return Some(index + 1 + usize::from(next == Some(&b'>'))),
            b':' => return Some(index + 1 + usize::from(next == Some(&b'='))),
            b'-' if next == Some(&b'>') => return Some(index + 2),
            b'!' | b'?' | b'+' | b'|' | b'&' | b'~' => {}
            _ => return None,
        }
    }
}

/// The length of the rest of a path such as `token::Stream<'a>` after its first colon.
fn path(rest: &str) -> Option<usize> {
    let name = rest.strip_prefix(':')?;
    let word = name.split(char::is_whitespace).next().unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:<>'`,.".contains(c);
    let is_path = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(is_part);
    is_path.then_some(1 + word.len())
}

/// Whether a sentence follows a name.
fn is_sentence(rest: &str) -> bool {
    let words = rest.trim_start_matches(' ');
    let is_first = |word: &str| {
        let further = words.strip_prefix(word);
        further.is_some_and(|it| it.is_empty() || it.starts_with([' ', '.', ',']))
    };
    words.len() < rest.len() && SENTENCE.split(' ').any(is_first)
}

/// Whether a text begins with a capitalized word and another one: `'tokenFilter': Unsatisfied
/// dependency`. A value of a quoted name is quoted, too.
fn is_capitalized(rest: &str) -> bool {
    let Some((first, further)) = rest.strip_prefix(' ').and_then(|rest| rest.split_once(' '))
    else {
        return false;
    };
    let is_lower = |text: &str| text.chars().all(|c| c.is_ascii_lowercase());
    let parts = first.split_at_checked(1);
    parts.is_some_and(|(capital, rest)| {
        let is_capital = capital.chars().all(|c| c.is_ascii_uppercase());
        is_capital && rest.len() > 2 && is_lower(rest)
    }) && further.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether a value is a literal, or one as in `(using password: YES)`.
fn is_literal(value: &str) -> bool {
    let ends = |rest: &str| {
        rest.is_empty()
            || rest.starts_with(" | ")
            || rest.starts_with([';', ',', ')', ']', '}', '|', '>', '\''])
    };
    let mut literals = LITERALS.split(' ');
    ["YES)", "NO)"].contains(&value)
        || literals.any(|literal| value.strip_prefix(literal).is_some_and(ends))
}

/// Whether a value is a number, at the line's end or before a blank.
fn is_number(value: &str) -> bool {
    let word = value.split(' ').next().unwrap_or_default();
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a value is a version, as in the requirement `google-auth==2.0`.
fn is_version(value: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let version = value.get(..value.find(|c| !is_part(c)).unwrap_or(value.len()));
    let version = version.filter(|it| it.len() <= MAX_VERSION).unwrap_or_default();
    let further = value.get(version.len()..).unwrap_or_default();
    let ends = further.is_empty() || further.starts_with([' ', ',', ';', ')', '\'']);
    version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.') && ends
}
