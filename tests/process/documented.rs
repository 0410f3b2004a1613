//! The page of faults names the test that shows each of its lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The references in `docs/runbook/faults.md`: file, and test in it.
fn named() -> BTreeSet<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/runbook/faults.md")).expect("the page");
    let quoted = page.split('`').skip(1).step_by(2);
    let tests = quoted.filter_map(|text| text.split_once("::"));
    tests
        .filter(|(file, _)| Path::new(file).extension().is_some_and(|rs| rs == "rs"))
        .map(|(file, test)| {
            let is_here = !file.contains('/');
            let folder = if is_here { "tests/process" } else { "" };
            (root.join(folder).join(file), test.to_owned())
        })
        .collect()
}

#[test]
fn every_test_that_the_page_of_faults_names_is_there() {
    let named = named();
    assert!(named.len() > 30, "{} tests are named", named.len());
    for (file, test) in named {
        let code = std::fs::read_to_string(&file).unwrap_or_default();
        let is_there = code.contains(&format!("fn {test}("));
        assert!(is_there, "{test} in {}", file.display());
    }
}

/// A fault in these files needs a row on the page with the effect that a user sees.
#[test]
fn every_test_of_a_fault_is_named_on_the_page() {
    let named = named();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process");
    for file in [
        "delivery.rs",
        "frozen.rs",
        "killed.rs",
        "limits.rs",
        "runtime_api.rs",
        "session_and_clock.rs",
        "unreachable.rs",
    ] {
        let file = here.join(file);
        let code = std::fs::read_to_string(&file).expect("the file");
        let tests = code.split("#[test]\nfn ").skip(1);
        for test in tests.filter_map(|rest| rest.split('(').next()) {
            let is_named = named.contains(&(file.clone(), test.to_owned()));
            assert!(is_named, "{test} in {}", file.display());
        }
    }
}
