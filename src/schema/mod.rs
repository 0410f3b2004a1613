//! The properties of both resources as JSON Schemas, for linters and editors: `schemas/`.
//!
//! They are not written but generated: each decoder runs under a watch on a [`probe`] in which
//! everything is there, what it asked for becomes a schema ([`generated`]), and [`rules`] adds
//! what decoding decides between members. [`agreement`] holds the result against the decoders.
//! Only tests need all this, so only they compile it.

mod agreement;
mod checked_in;
mod generated;
mod probe;
mod rules;

use serde_json::{Value, json};

use crate::cfn::ValidationErrors;
use crate::{gitops_pipeline, mirror_credential};

/// One of the two resources.
struct Resource {
    /// `Custom::…`
    type_name: &'static str,
    /// The file in `schemas/`.
    file: &'static str,
    description: &'static str,
    /// Decodes, and says what is wrong.
    faults: fn(&Value) -> ValidationErrors,
    add_rules: fn(&mut Value),
    attributes: fn() -> Vec<&'static str>,
}

const RESOURCES: [Resource; 2] = [
    Resource {
        type_name: "Custom::MirrorCredential",
        file: "custom-mirrorcredential.json",
        description: "One live CodeCommit credential of one IAM user, its password in one secret, \
            and the GitLab projects that push with it",
        faults: |properties| {
            mirror_credential::decode(properties)
                .err()
                .unwrap_or_default()
        },
        add_rules: rules::mirror_credential::add,
        attributes: mirror_credential::attribute_names::all,
    },
    Resource {
        type_name: "Custom::GitOpsPipeline",
        file: "custom-gitopspipeline.json",
        description: "The repository, build, pipeline and event rule of one project in one \
            environment",
        faults: |properties| {
            gitops_pipeline::decode(properties)
                .err()
                .unwrap_or_default()
        },
        add_rules: rules::gitops_pipeline::add,
        attributes: gitops_pipeline::attribute_names::all,
    },
];

/// The whole schema of a resource.
fn schema(resource: &Resource) -> Value {
    let asked = probe::everything_asked(resource.faults);
    let mut schema = generated::schema(&asked);
    rules::every_resource(&mut schema);
    (resource.add_rules)(&mut schema);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["typeName"] = json!(resource.type_name);
    schema["description"] = json!(resource.description);
    let mut attributes = (resource.attributes)();
    attributes.sort_unstable();
    // No keyword of JSON Schema, which says nothing of what a resource answers.
    schema["attributes"] = json!(attributes);
    schema
}
