//! The lists of the JSON services, in pages: a token is the number of the members before its page.

use serde_json::{Value, json};

use crate::world::{AwsError, Call, World};

/// The length of a page if no test sets a shorter one: the longest that the API References
/// document.
pub const LONGEST_PAGE: usize = 100;

/// The names of a list and of its token, and the error of an invalid token.
pub struct List {
    pub name: &'static str,
    pub token: &'static str,
    pub invalid_token: &'static str,
}

impl List {
    /// The page that the call requests.
    pub fn page(&self, world: &World, call: &Call, all: &[Value]) -> Result<Value, AwsError> {
        let length = world.options.page_length.unwrap_or(LONGEST_PAGE);
        self.page_of(length, call, all)
    }

    /// The same, in pages of this length.
    pub fn page_of(&self, length: usize, call: &Call, all: &[Value]) -> Result<Value, AwsError> {
        let start = call.text(self.token).map_or(Ok(0), str::parse::<usize>);
        let start = start.map_err(|_| AwsError::new(400, self.invalid_token, self.token))?;
        let page: Vec<&Value> = all.iter().skip(start).take(length).collect();
        let mut body = json!({self.name: page});
        if start + length < all.len() {
            body[self.token] = (start + length).to_string().into();
        }
        Ok(body)
    }
}
