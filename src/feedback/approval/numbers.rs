//! The numbers of the tags of a request. Each name decides at most once: after an event of it in
//! GitLab, the notes show the next one, unless its decision may still follow.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::request::ApprovalRequest;
use crate::clients::gitlab::{ProjectPush, RefChange};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::approval_tags::{ApprovalTag, MAX_NUMBER};

/// The tags of a request, with the pushes that GitLab shows since it began.
pub struct TagNumbers<'a> {
    request: &'a ApprovalRequest,
    names: &'a ResourceNames,
    pushes: &'a [ProjectPush],
    /// The names that have an event.
    used: BTreeSet<&'a str>,
}

impl<'a> TagNumbers<'a> {
    pub fn new(
        request: &'a ApprovalRequest,
        names: &'a ResourceNames,
        pushes: &'a [ProjectPush],
    ) -> Self {
        let of_tags = pushes.iter().filter(|push| push.is_of_tags);
        let used = of_tags.filter_map(|push| push.name.as_deref()).collect();
        TagNumbers {
            request,
            names,
            pushes,
            used,
        }
    }

    /// The tags of this number. A rejection comes first.
    pub fn tags(&self, number: u32) -> [ApprovalTag; 2] {
        self.request.tags(self.names, number)
    }

    /// The first number after `number` for which GitLab shows no event. The last one if it shows
    /// one for each.
    pub fn next(&self, number: u32) -> u32 {
        let is_used = |number: &u32| {
            self.tags(*number)
                .into_iter()
                .any(|tag| self.used.contains(tag.name().as_str()))
        };
        let mut unused = (number + 1..=MAX_NUMBER).filter(|it| !is_used(it));
        unused.next().unwrap_or(MAX_NUMBER)
    }

    /// The names of the rejections before `number` that GitLab may still have.
    pub fn earlier_rejections(&self, number: u32) -> Vec<String> {
        let earlier = (1..number).map(|number| self.tags(number)[0].name());
        let exists =
            |name: &String| self.events(name).any(|push| push.change != RefChange::Removed);
        earlier.filter(exists).collect()
    }

    /// When GitLab recorded the first event of the tag `name`. `None` if it shows none.
    pub fn first_event(&self, name: &str) -> Option<SystemTime> {
        self.events(name).map(|push| push.at).min()
    }

    fn events(&self, name: &str) -> impl Iterator<Item = &ProjectPush> {
        let is_it =
            move |push: &&ProjectPush| push.is_of_tags && push.name.as_deref() == Some(name);
        self.pushes.iter().filter(is_it)
    }
}
