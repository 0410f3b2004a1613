//! The lists of the REST API, in pages.

use serde_json::Value;

use crate::world::{ApiResponse, Call, World};

/// Pages (`doc/api/rest/_index.md`, "Offset-based pagination").
const PAGE: usize = 20;

const LARGEST_PAGE: usize = 100;

pub(crate) fn page(world: &World, call: &Call, all: &[Value]) -> ApiResponse {
    page_without(world, call, all, 0)
}

/// A page with so many elements that the caller may not see: it is short, although others follow
/// (`paginated_filtered_by_user_visibility` in `app/finders/events_finder.rb`).
pub(crate) fn page_without(
    world: &World,
    call: &Call,
    all: &[Value],
    hidden: usize,
) -> ApiResponse {
    let number = |name: &str| call.text(name).and_then(|text| text.parse::<usize>().ok());
    let at_most = world.options.page_length.unwrap_or(LARGEST_PAGE);
    let requested = number("per_page").unwrap_or(PAGE);
    let length = requested.clamp(1, at_most.min(LARGEST_PAGE));
    let at = number("page").unwrap_or(1).max(1);
    let visible = length.saturating_sub(hidden).max(1);
    let pages = all.len().div_ceil(visible).max(1);
    let shown = all.iter().skip((at - 1) * visible).take(visible);
    let shown: Vec<Value> = shown.cloned().collect();
    let is_full = shown.len() >= requested;
    let mut answer = ApiResponse::json(&shown.into());
    if is_full && world.options.gitlab.drops_paging_headers {
        return answer;
    }
    let page = |number: Option<usize>| number.map_or(String::new(), |it| it.to_string());
    let next = page((at < pages).then_some(at + 1));
    answer.headers.push(("x-page", at.to_string()));
    answer.headers.push(("x-per-page", length.to_string()));
    answer.headers.push(("x-next-page", next.clone()));
    let previous = page((1 < at && at <= pages).then_some(at - 1));
    answer.headers.push(("x-prev-page", previous));
    answer.headers.push(("x-total", all.len().to_string()));
    answer.headers.push(("x-total-pages", pages.to_string()));
    if !next.is_empty() {
        let address = call.url.split('?').next().unwrap_or_default();
        let link = format!("<{address}?page={next}&per_page={length}>; rel=\"next\"");
        answer.headers.push(("link", link));
    }
    answer
}
