//! Reads lists, which GitLab returns in pages.
//!
//! A proxy may remove the headers about pages, and GitLab sends none for some lists. GitLab also
//! returns a short page, although others follow, if the user may not see all of it. So a page is
//! the last one only if it is not full and no header names another one:
//! <https://docs.gitlab.com/api/rest/#offset-based-pagination>.

use serde_json::Value;

use super::call::Call;
use super::error::{ErrorKind, GitLabError, Result};
use super::response::Paging;

/// The sizes of pages, the largest first, which is the most that GitLab returns. Each is a multiple
/// of the next one, so that a page which is too large can be read in smaller ones.
const PAGE_SIZES: [usize; 4] = [100, 20, 4, 1];

/// The most elements that are read: GitLab's own limit, "Number of comments per issue, merge
/// request, or commit" in <https://docs.gitlab.com/administration/instance_limits/>.
const MAX_ELEMENTS: usize = 5_000;

#[derive(Clone, Copy, Debug)]
pub struct Reading {
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

    pub const fn first(page: usize, limit: usize) -> Self {
        Reading {
            page,
            limit,
            skips_large: false,
        }
    }
}

/// The elements of a list that were read.
pub struct ListPart<T> {
    pub elements: Vec<T>,
    /// Whether the last page was read.
    pub is_complete: bool,
}

/// A page of a list.
#[derive(Clone, Copy)]
struct Cursor {
    /// The number of elements of the page, of which `position` is a multiple.
    size: usize,
    /// The number of elements before the page.
    position: usize,
}

impl Call<'_> {
    /// The result of `parse` for each element. It is an error if an element cannot be parsed or
    /// was not read: a part of a list proves nothing.
    pub async fn list<T>(
        &self,
        reading: Reading,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>> {
        let read = self.read(reading, parse).await?;
        if read.is_complete {
            Ok(read.elements)
        } else {
            Err(GitLabError::unclear(ErrorKind::TooLarge).of(&self.doing))
        }
    }

    /// The result of `parse` for the elements that are read. Pages that are too large are read in
    /// smaller ones. Only the result stays in memory, so the limits of a response apply to
    /// each page.
    pub async fn read<T>(
        &self,
        reading: Reading,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<ListPart<T>> {
        let mut part = ListPart {
            elements: vec![],
            is_complete: false,
        };
        let mut cursor = Cursor {
            size: reading.page,
            position: 0,
        };
        let (mut seen, mut is_shifted) = (0, false);
        while !part.is_complete && seen < reading.limit && cursor.position <= MAX_ELEMENTS {
            match self.page(cursor, &parse).await {
                Ok((elements, paging)) => {
                    seen += elements.len();
                    is_shifted |= elements.len() < cursor.size;
                    part.is_complete = !paging.may_continue(cursor.size, elements.len(), seen);
                    part.elements.extend(elements);
                    cursor = cursor.advance(reading.page);
                }
                // Smaller pages would not begin where this one does.
                Err(error) if error.kind != ErrorKind::TooLarge || is_shifted => return Err(error),
                Err(error) => match cursor.smaller() {
                    Some(smaller) => cursor = smaller,
                    None if !reading.skips_large => return Err(error),
                    None => {
                        let doing = &self.doing;
                        tracing::warn!(doing, "an element of the list is too large: skipped");
                        cursor = cursor.advance(reading.page);
                    }
                },
            }
        }
        Ok(part)
    }

    async fn page<T>(
        &self,
        cursor: Cursor,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<(Vec<T>, Paging)> {
        let Cursor { size, position } = cursor;
        let call = self.clone().query("per_page", &size.to_string());
        let call = call.query("page", &(position / size + 1).to_string());
        let response = call.success().await?;
        let elements = self.decode(&response, |page| {
            let page = page.as_array().filter(|page| page.len() <= size)?;
            page.iter().map(&parse).collect()
        })?;
        Ok((elements, response.paging))
    }
}

impl Cursor {
    /// A smaller page that begins at the same element. `None` if there is none.
    fn smaller(self) -> Option<Self> {
        let size = PAGE_SIZES.into_iter().find(|size| *size < self.size)?;
        Some(Cursor { size, ..self })
    }

    /// The largest page of at most `max` elements that begins after this one.
    fn advance(self, max: usize) -> Self {
        let position = self.position + self.size;
        let fits = |size: &usize| *size <= max && position.is_multiple_of(*size);
        let size = PAGE_SIZES.into_iter().find(fits).unwrap_or(1);
        Cursor { size, position }
    }
}
