//! The lists of the JSON services, in pages: a token is the number of the members before its page.

use serde_json::{Value, json};

use crate::world::{Call, JsonResult, World, rejected};

/// The length of a page if no test sets a shorter one: the longest that the API References
/// document.
pub const LONGEST_PAGE: usize = 100;

/// The name of a token, and the error of an invalid one.
type Token = (&'static str, &'static str);

pub const CODEBUILD: Token = ("nextToken", "InvalidInputException");
pub const CODECOMMIT: Token = ("nextToken", "InvalidContinuationTokenException");
pub const CODEPIPELINE: Token = ("nextToken", "InvalidNextTokenException");
pub const DIFFERENCES: Token = ("NextToken", CODECOMMIT.1);

/// The page that the call requests.
pub fn page(world: &World, call: &Call, token: Token, list: &str, all: &[Value]) -> JsonResult {
    let length = world.options.page_length.unwrap_or(LONGEST_PAGE);
    let (token, invalid) = token;
    let start = call.text(token).map_or(Ok(0), str::parse::<usize>);
    let start = start.map_err(|_| rejected(invalid, token))?;
    let page: Vec<&Value> = all.iter().skip(start).take(length).collect();
    let mut body = json!({list: page});
    if start + length < all.len() {
        body[token] = (start + length).to_string().into();
    }
    Ok(body)
}
