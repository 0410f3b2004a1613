//! Helpers that the tests of the parts of reporting share.

use crate::clients::gitlab::Access;
use crate::gitops_pipeline::settings::ReportSettings;

/// The settings of a pipeline that reports everything, without an address.
pub(crate) fn settings() -> ReportSettings {
    ReportSettings {
        access: Access {
            url: "https://gitlab.example.com".to_owned(),
            token_secret_id: "gitlab/infra".to_owned(),
            token_secret_key: "token".to_owned(),
            ca_certificate: None,
        },
        project: "platform/infra".to_owned(),
        project_number: 42,
        commit_status: true,
        deployments: true,
        notes: None,
        build_log: false,
        environment_name: "dev".to_owned(),
        environment_url_output: None,
    }
}
