//! The time to finish against the number of stacks, up to a thousand: the table of
//! `docs/project/scale.md`. It takes some minutes of processor time, so `make scale` runs it, and
//! `make test` does not.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::measured::{MAX_TIME, Measured, Run, assert_cost_is_linear, run};
use crate::stacks::Content;

const SIZES: [usize; 4] = [1, 10, 100, 1000];
const PAGE: &str = "docs/project/scale.md";
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// Where the figures are to be written; otherwise they are compared.
const WRITE: &str = "CFN_GITOPS_WRITE_SCALE";

/// One row for each operation of a run.
fn rows(about: &Run, all: &[Measured]) -> String {
    let seconds = |time: Duration| format!("{:.0}", time.as_secs_f64());
    all.iter().fold(String::new(), |mut rows, one| {
        let _ = writeln!(
            rows,
            "| {} | {} | {:?} | {} s | {} s | {} | {} | {} |",
            about.stacks,
            about.content.name(),
            one.operation,
            seconds(one.took),
            seconds(one.median),
            one.calls.calls,
            one.calls.throttled,
            one.failed.len()
        );
        rows
    })
}

#[test]
#[ignore = "some minutes: make scale"]
fn table_shows_a_thousand_stacks() {
    let mut table = "| Stacks | Each with | All at once | All done after | Half after | Calls | Throttled | Failed |\n\
                     |---:|---|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for content in Content::ALL {
        let mut ten = vec![];
        for stacks in SIZES {
            let about = Run::of(stacks, content);
            let all = run(&about);
            for measured in &all {
                fake_aws::figure!("{}", measured.told(&about));
            }
            match stacks {
                10 => ten.clone_from(&all),
                100 | 1000 => assert_cost_is_linear(&ten, &Run::of(10, content), &all, &about),
                _ => {}
            }
            if stacks == 1000 && content == Content::Credential {
                for one in &all {
                    let limit = one.ideal.mul_f64(MAX_TIME);
                    assert!(one.took <= limit, "{}", one.told(&about));
                }
            }
            table += &rows(&about, &all);
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&file).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (held, after) = rest.split_once(END).expect("where the table ends");
    if std::env::var_os(WRITE).is_some() {
        let page = [before, BEGIN, &table, END, after].concat();
        std::fs::write(file, page).expect("the page");
        return;
    }
    assert_eq!(held, table, "{WRITE}=1 make scale writes it");
}

/// Runs one size with everything that varies: `CFN_GITOPS_SCALE=500,both,0.25,10`.
#[test]
#[ignore = "for a person who asks"]
fn one_size_is_measured() {
    let Ok(asked) = std::env::var("CFN_GITOPS_SCALE") else {
        return;
    };
    let parts: Vec<&str> = asked.split(',').collect();
    let [stacks, content, share, concurrency] = parts[..] else {
        panic!("four parts: {asked}");
    };
    let content = match content {
        "credential" => Content::Credential,
        "pipeline" => Content::Pipeline,
        "both" => Content::Both,
        other => panic!("credential, pipeline or both, and not {other}"),
    };
    let about = Run {
        stacks: stacks.parse().expect("a number of stacks"),
        content,
        share: share.parse().expect("a share of the rates"),
        concurrency: concurrency.parse().expect("a concurrency"),
    };
    for measured in run(&about) {
        fake_aws::figure!("{}", measured.told(&about));
        for failed in measured.failed.iter().take(3) {
            fake_aws::figure!("  {failed}");
        }
    }
}
