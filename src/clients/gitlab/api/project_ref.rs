//! The project of a call: by its number, which never passes to another project.
//!
//! A path does: GitLab redirects a former path only until another project claims it
//! (<https://docs.gitlab.com/user/project/repository/#repository-path-changes>).

use std::fmt;

use crate::common::reason_codes::Code;
use cfn_custom_resource::Reason;

/// A project, as calls address it and as texts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRef<'a> {
    /// `None` if only its name is known, which may itself be a number.
    number: Option<u64>,
    /// The number or the full path, as a property has it.
    name: &'a str,
}

impl<'a> ProjectRef<'a> {
    /// The project with this number, if it is known. Texts name it `name`.
    pub const fn numbered(number: Option<u64>, name: &'a str) -> Self {
        ProjectRef { number, name }
    }

    /// The project as one segment of a path of the API: the number, if it is known.
    pub fn address(self) -> String {
        match self.number {
            Some(number) => number.to_string(),
            None => self.name.to_owned(),
        }
    }
}

impl<'a> From<&'a str> for ProjectRef<'a> {
    fn from(name: &'a str) -> Self {
        ProjectRef::numbered(None, name)
    }
}

impl<'a> From<&'a String> for ProjectRef<'a> {
    fn from(name: &'a String) -> Self {
        ProjectRef::from(name.as_str())
    }
}

/// The name as a property has it.
impl fmt::Display for ProjectRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Why nothing happens in the project at `path`: it has the number `shown`, and the record has the
/// number `recorded`. The remedy is the other form of `property`.
pub fn other_project(property: &str, path: &str, recorded: u64, shown: u64) -> Reason {
    let problem = format!(
        "{property} {path} leads to project {shown} now, and it was project {recorded}. cfn-gitops \
         changes nothing in project {shown}"
    );
    let remedy = format!(
        "Set {property}: {recorded} to keep the former project, or {property}: {shown} to use the other one"
    );
    Reason::new(Code::OtherProject, problem, remedy)
}
