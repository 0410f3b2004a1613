//! The content of an event's text, parsed without the product and without the limits of its parser:
//! nesting may be as deep as the text is long, and strings may contain half a surrogate pair.

/// The members of the text's object, each name with its value's text; `None` if the text is not
/// JSON, or not an object. Lambda passes only JSON to a function.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    if !reader.text[reader.at..].starts_with('{') {
        return None;
    }
    let members = reader.object_of_values()?;
    reader.space();
    (reader.at == text.len()).then_some(members)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn object_of_values(&mut self) -> Option<Vec<(&'a str, &'a str)>> {
        let mut members = vec![];
        self.take('{')?;
        self.space();
        if self.take('}').is_some() {
            return Some(members);
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.take(':')?;
            self.space();
            members.push((name, self.value()?));
            self.space();
            if self.take('}').is_some() {
                return Some(members);
            }
            self.take(',')?;
        }
    }

    /// One value of any depth: a stack instead of recursion.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut open = vec![];
        loop {
            self.space();
            // A value, or the beginning of one.
            match self.peek()? {
                '{' => {
                    self.take('{')?;
                    self.space();
                    if self.take('}').is_none() {
                        open.push('}');
                        self.name()?;
                        continue;
                    }
                }
                '[' => {
                    self.take('[')?;
                    self.space();
                    if self.take(']').is_none() {
                        open.push(']');
                        continue;
                    }
                }
                '"' => {
                    self.string()?;
                }
                _ => self.literal()?,
            }
            // The characters that may follow a value.
            loop {
                let Some(&close) = open.last() else {
                    return Some(&self.text[start..self.at]);
                };
                self.space();
                if self.take(close).is_some() {
                    open.pop();
                    continue;
                }
                self.take(',')?;
                if close == '}' {
                    self.space();
                    self.name()?;
                }
                break;
            }
        }
    }

    fn name(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.take(':')
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.take('"')?;
        loop {
            match self.next()? {
                '"' => return Some(&self.text[start..self.at]),
                '\\' => match self.next()? {
                    'u' => {
                        for _ in 0..4 {
                            self.next().filter(char::is_ascii_hexdigit)?;
                        }
                    }
                    escape => {
                        "\"\\/bfnrt".find(escape)?;
                    }
                },
                '\0'..='\u{1f}' => return None,
                _ => {}
            }
        }
    }

    /// A number, `true`, `false` or `null`: neither deep nor with surrogates, so that any parser
    /// will do.
    fn literal(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .unwrap_or(rest.len());
        serde_json::from_str::<&serde_json::value::RawValue>(&rest[..length]).ok()?;
        self.at += length;
        Some(())
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t']).len();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, expected: char) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += expected.len_utf8())
    }
}

#[test]
fn members_are_those_that_the_text_has() {
    let deep = format!("{}1{}", "[".repeat(9000), "]".repeat(9000));
    let text = format!(r#" {{"a":{deep}, "b" : {{"c":[{{}},[],-1e3]}},"\ud800":"\udfff"}} "#);
    let found = members(&text).expect("an object");
    assert_eq!(found[0], ("\"a\"", deep.as_str()));
    assert_eq!(found[1], ("\"b\"", r#"{"c":[{},[],-1e3]}"#));
    assert_eq!(found[2], (r#""\ud800""#, r#""\udfff""#));
    for none in [
        "",
        "[]",
        "{",
        "{\"a\":}",
        "{\"a\":1}x",
        "{\"a\":[1}}",
        "{\"a\":01}",
        "{a:1}",
    ] {
        assert_eq!(members(none), None, "{none}");
    }
    assert_eq!(members("{}"), Some(vec![]));
}
