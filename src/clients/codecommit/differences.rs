//! The files that differ between two commits.

use aws_sdk_codecommit::Client;

use crate::clients::aws::{CallError, required};

/// Maximum pages of differences to read. Assumption `differences-of-a-long-page`:
/// <https://docs.aws.amazon.com/codecommit/latest/APIReference/API_GetDifferences.html>
const MAX_PAGES: u32 = 50;

/// Whether a file that `is_wanted` differs between two commits, under its former or its new path:
/// assumption `differences-name-both-paths`.
/// `None` if the commits have too many differences to read them all.
pub async fn any_file_differs(
    codecommit: &Client,
    repository_name: &str,
    before: &str,
    after: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<bool>, CallError> {
    let call = codecommit
        .get_differences()
        .repository_name(repository_name)
        .before_commit_specifier(before)
        .after_commit_specifier(after);
    // A list without an end has too many differences, and is not one that was read.
    let pages = call.into_paginator().stop_on_duplicate_token(false);
    let (mut pages, mut read) = (pages.send(), 0);
    while let Some(page) = pages.next().await {
        let page = required(page, || {
            format!("comparing commits {before} and {after} of repository {repository_name}")
        })?;
        let has_wanted = page.differences().iter().any(|file| {
            let blobs = [file.before_blob(), file.after_blob()];
            blobs.into_iter().flatten().filter_map(|blob| blob.path()).any(&is_wanted)
        });
        if has_wanted {
            return Ok(Some(true));
        }
        read += 1;
        if read == MAX_PAGES && page.next_token.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(false))
}
