//! Reads lists, which GitLab returns in pages.
//!
//! A proxy may remove the headers about pages, and GitLab sends none for some lists. GitLab also
//! returns a short page, although others follow, if the user may not see all of it. So a page is
//! the last one only if it is not full and no header names another one:
//! <https://docs.gitlab.com/api/rest/#offset-based-pagination>.

use serde_json::Value;

use super::client::error;
use super::error::{ErrorKind, GitLabError};
use super::transport::{ApiRequest, ApiResponse, GitLab, path};

/// The sizes of pages, the largest first, which is the most that GitLab returns. Each is a multiple
/// of the next one, so that a page which is too large can be read in smaller ones.
const PAGE_SIZES: [usize; 4] = [100, 20, 4, 1];

/// The most elements that are read: GitLab's own limit of comments in one place.
/// <https://docs.gitlab.com/administration/instance_limits/#number-of-comments-per-issue-merge-request-or-commit>
const MAX_ELEMENTS: usize = 5_000;

/// How a list is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The elements of a page: one of [`PAGE_SIZES`].
    pub page: usize,
    /// The reading ends when so many elements were read.
    pub limit: usize,
    /// Whether an element is skipped that is larger than a response may be. Otherwise it is an
    /// error.
    pub skips_large: bool,
}

impl Reading {
    /// All elements, at most [`MAX_ELEMENTS`].
    pub const ALL: Reading = Reading::first(100, usize::MAX);

    /// A list to which anyone can add long elements, such as comments. GitLab accepts comments of
    /// three times the limit of a response, and one must not hide all others.
    pub const COMMENTS: Reading = Reading {
        page: 20,
        limit: usize::MAX,
        skips_large: true,
    };

    /// The first `limit` elements.
    pub const fn first(page: usize, limit: usize) -> Self {
        Reading {
            page,
            limit,
            skips_large: false,
        }
    }
}

/// The elements that were read.
pub(super) struct Listed<T> {
    pub elements: Vec<T>,
    /// Whether the last page was read.
    pub is_complete: bool,
}

/// What the headers of a page say.
#[derive(Clone, Debug, Default)]
pub(super) struct Paging {
    /// Whether they name a next page.
    pub has_next: bool,
    /// The largest size of a page that the server accepts, if it is less than the requested one.
    pub size: Option<usize>,
    /// The number of elements of all pages. GitLab does not send it above 10,000.
    pub total: Option<usize>,
}

impl Paging {
    /// Whether another page may follow one that was requested with `size` elements and has `found`,
    /// after which `seen` elements were read.
    fn may_continue(&self, size: usize, found: usize, seen: usize) -> bool {
        let is_full = found >= self.size.map_or(size, |largest| largest.clamp(1, size));
        let is_short_of_total = found > 0 && self.total.is_some_and(|total| total > seen);
        is_full || self.has_next || is_short_of_total
    }
}

impl GitLab {
    /// What `parse` returns of each element of a list. An element that cannot be parsed is an
    /// error.
    pub(super) async fn list<T>(
        &self,
        project: &str,
        of: &str,
        doing: &str,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, GitLabError> {
        let listed = self
            .read_list(project, of, doing, Reading::ALL, parse)
            .await?;
        listed.all(doing)
    }

    /// What `parse` returns of the elements of a list that are read. Pages that are too large are
    /// read in smaller ones. Only the result stays in memory, so the limits of a response apply to
    /// each page.
    pub(super) async fn read_list<T>(
        &self,
        project: &str,
        of: &str,
        doing: &str,
        reading: Reading,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Listed<T>, GitLabError> {
        let mut listed = Listed {
            elements: vec![],
            is_complete: false,
        };
        let (mut size, mut position, mut seen, mut is_shifted) = (reading.page, 0, 0, false);
        let separator = if of.contains('?') { '&' } else { '?' };
        while seen < reading.limit && position <= MAX_ELEMENTS {
            let number = position / size + 1;
            let of = format!("{of}{separator}per_page={size}&page={number}");
            let request = ApiRequest::get(path(project, &of));
            match self.succeed(project, &request, doing).await {
                Ok(response) => {
                    let paging = response.paging.clone();
                    let page = parse_page(response, size, &parse);
                    let page = page.map_err(|kind| error(doing, kind))?;
                    let found = page.len();
                    seen += found;
                    listed.elements.extend(page);
                    listed.is_complete = !paging.may_continue(size, found, seen);
                    if listed.is_complete {
                        break;
                    }
                    is_shifted |= found < size;
                }
                // Smaller pages would not begin where this one does.
                Err(error) if error.kind != ErrorKind::TooLarge || is_shifted => return Err(error),
                Err(error) => match PAGE_SIZES.into_iter().find(|smaller| *smaller < size) {
                    Some(smaller) => {
                        size = smaller;
                        continue;
                    }
                    None if !reading.skips_large => return Err(error),
                    None => tracing::warn!(doing, "an element of the list is too large: skipped"),
                },
            }
            position += size;
            let fits = |size: &usize| *size <= reading.page && position.is_multiple_of(*size);
            size = PAGE_SIZES.into_iter().find(fits).unwrap_or(1);
        }
        Ok(listed)
    }
}

impl<T> Listed<T> {
    /// Every element. An error if some were not read: a part of a list proves nothing.
    pub fn all(self, doing: &str) -> Result<Vec<T>, GitLabError> {
        let elements = self.at_most(usize::MAX);
        elements.ok_or_else(|| error(doing, ErrorKind::TooLarge))
    }

    /// Every element, at most `limit`. `None` if there are more.
    pub fn at_most(self, limit: usize) -> Option<Vec<T>> {
        let is_all = self.is_complete && self.elements.len() <= limit;
        is_all.then_some(self.elements)
    }
}

fn parse_page<T>(
    response: ApiResponse,
    size: usize,
    parse: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, ErrorKind> {
    let unexpected = ErrorKind::UnexpectedResponse {
        status: response.status,
    };
    let page = response.into_json()?;
    let page = page.as_array().filter(|page| page.len() <= size);
    page.and_then(|page| page.iter().map(parse).collect())
        .ok_or(unexpected)
}
