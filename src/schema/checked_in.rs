//! `schemas/` holds what is generated. Change the files with
//! `CFN_GITOPS_WRITE_SCHEMAS=1 cargo test --lib schema`, and read the difference.

use std::path::{Path, PathBuf};

use super::{RESOURCES, schema};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(name)
}

#[test]
fn schemas_are_as_checked_in() {
    let writes = std::env::var_os("CFN_GITOPS_WRITE_SCHEMAS").is_some();
    for resource in &RESOURCES {
        let file = file(resource.file);
        let text = serde_json::to_string_pretty(&schema(resource)).expect("JSON") + "\n";
        if writes {
            std::fs::write(&file, &text).expect("a file that can be written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            text == expected,
            "{} is not as it would be generated",
            file.display()
        );
    }
}

#[test]
fn members_of_which_decoding_says_nothing_are_described_by_a_rule() {
    for resource in &RESOURCES {
        let schema = schema(resource);
        let properties = schema["properties"].as_object().expect("an object");
        for (name, property) in properties {
            assert_ne!(*property, serde_json::json!({}), "{name}");
        }
    }
}
