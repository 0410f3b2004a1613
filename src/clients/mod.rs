//! The clients of the services.
//!
//! - [`aws`] is the SDK's clients, their retries and errors
//! - [`codecommit`] reads repositories, and checks logins as git does
//! - [`gitlab`] is the API of GitLab
//! - [`http`] sends what is not a call of the SDK

pub mod aws;
pub(crate) mod codecommit;
pub mod gitlab;
pub mod http;
