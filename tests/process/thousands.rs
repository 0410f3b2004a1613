//! The CPU time and the memory of one health check of two thousand projects.
//! `docs/project/scale-and-speed.md` has the results, and the command. The function's own pace makes
//! it wait for most of its eleven minutes.

use std::time::Duration;

use serde_json::json;

use crate::aws_front::Front;
use crate::function::{Function, Setup};
use crate::http::AUTHORITY;
use crate::projects::environment;
use fake_aws::explore::paused;
use fake_aws::{AwsState, gitlab};

const PROJECTS: usize = 2000;
/// Lambda's longest invocation.
const INVOCATION_TIME: Duration = Duration::from_mins(15);
/// In which Linux counts CPU time: `sysconf(_SC_CLK_TCK)` of every architecture that Lambda has.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads.
fn cpu_seconds(function: &Function) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", function.id()));
    let stat = stat.expect("the process runs");
    // `utime` and `stime`, numbers 14 and 15 (proc_pid_stat(5)). The second is the name, in
    // brackets.
    let fields = stat.rsplit(')').next().expect("fields after the name");
    let times = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks = times.map(|time| time.parse::<u32>().expect("a number"));
    f64::from(ticks.sum::<u32>()) / TICKS_PER_SECOND
}

/// GitLab gets the address at which this test serves it.
pub fn move_gitlab(aws: &mut AwsState, url: &str) {
    let moved = |text: &str| text.replace(&format!("https://{}", gitlab::HOST), url);
    for secret in aws.secrets.values_mut() {
        let texts = secret.versions.values_mut().map(|one| &mut one.value.text);
        for text in texts.chain(secret.tags.values_mut()) {
            *text = moved(text);
        }
    }
}

#[test]
#[ignore = "twelve minutes: docs/project/scale-and-speed.md"]
fn two_thousand_projects_are_checked_by_the_real_process() {
    let fake = paused(async { environment(PROJECTS).await.fork() });
    fake.keep_no_journal();
    let aws = Front::over_tls(fake.clone());
    let url = aws.url();
    fake.arrange(|aws| move_gitlab(aws, &url));
    // As many roots as in Lambda: the system's, and the CA of this test.
    let setup = Setup::new().aws_at(&url).with("SSL_CERT_FILE", AUTHORITY);
    let function = setup.with("SSL_CERT_DIR", "/etc/ssl/certs").start();
    let event = json!({"HealthCheck": {"EnvID": "dev", "Minutes": 15}});
    let invocation = function.invoke(&event, INVOCATION_TIME);
    while !invocation.has_ended() {
        std::thread::sleep(Duration::from_secs(1));
    }
    let (ended, took) = invocation.ended();
    let summary = &ended.result()["HealthCheck"];
    println!(
        "health check of {PROJECTS} projects: {:.0} s, {:.1} s of CPU time, {} kB at most, {} calls over {} connections",
        took.as_secs_f64(),
        cpu_seconds(&function),
        function.peak_memory(),
        fake.calls().calls,
        aws.server.connections()
    );
    let counts = json!({"mirrors": PROJECTS, "credentials": PROJECTS, "pipelines": PROJECTS});
    assert_eq!(summary["Checked"], counts, "{summary}");
    assert_eq!(summary["Unhealthy"], json!([]));
    fake.assert_unbroken();
}
