//! GitLab's API of remote mirrors, as far as a push mirror needs it.
//!
//! Source: <https://docs.gitlab.com/api/remote_mirrors/>.

mod error;
mod mirror;
mod words;

pub use error::{Error, Kind, TokenFault};
pub use mirror::{Mirror, Settings, Status};

use crate::aws::Aws;
use crate::http::Http;
use crate::secret::Password;

/// How a GitLab is reached: the property `GitLab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The secret that holds the token: a name or an ARN.
    pub token_secret_id: String,
    /// The member of that secret's JSON that is the token.
    pub token_secret_key: String,
    /// Certificates, as PEM, that are trusted beside the system's.
    pub ca_certificate: Option<String>,
}

/// What is known of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Whether its repository has no commit.
    pub is_empty: bool,
    /// The token's right in it, when GitLab says: 40 is a Maintainer.
    pub access_level: Option<u64>,
}

/// One GitLab and the token for it.
#[derive(Debug)]
pub struct GitLab {
    url: String,
    token: Password,
    http: Http,
}

impl GitLab {
    /// Reads the token, after looking whether its owner meant it for this GitLab.
    pub async fn open(aws: &Aws, http: &Http, access: &Access) -> Result<GitLab, Error> {
        let _ = (aws, http, access);
        todo!()
    }

    /// Looks up a project.
    pub async fn project(&self, project: &str) -> Result<Project, Error> {
        let _ = (project, &self.url, &self.token, &self.http);
        todo!()
    }

    /// The names of the protected branches, which may hold `*`.
    pub async fn protected_branches(&self, project: &str) -> Result<Vec<String>, Error> {
        let _ = project;
        todo!()
    }

    /// All of a project's push mirrors.
    pub async fn mirrors(&self, project: &str) -> Result<Vec<Mirror>, Error> {
        let _ = project;
        todo!()
    }

    /// One mirror; `None` when it is gone.
    pub async fn mirror(&self, project: &str, id: u64) -> Result<Option<Mirror>, Error> {
        let _ = (project, id);
        todo!()
    }

    /// Makes a mirror, disabled.
    pub async fn create(
        &self,
        project: &str,
        clone_url: &str,
        login: &str,
        password: &Password,
        settings: &Settings,
    ) -> Result<Mirror, Error> {
        let _ = (project, clone_url, login, password, settings);
        todo!()
    }

    /// Sets a mirror's settings; `None` when it is gone.
    pub async fn update(
        &self,
        project: &str,
        id: u64,
        settings: &Settings,
        enabled: bool,
    ) -> Result<Option<Mirror>, Error> {
        let _ = (project, id, settings, enabled);
        todo!()
    }

    /// Asks for a push soon; `false` when the mirror is gone.
    pub async fn sync(&self, project: &str, id: u64) -> Result<bool, Error> {
        let _ = (project, id);
        todo!()
    }

    /// Removes a mirror, if it is there.
    pub async fn delete(&self, project: &str, id: u64) -> Result<(), Error> {
        let _ = (project, id);
        todo!()
    }
}
