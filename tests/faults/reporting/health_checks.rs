//! Health checks of all pipelines of an environment.

use std::time::Duration;

use crate::checks::check;
use crate::fixture::{
    COMMITS, PROJECT, Reporting, SHOP, catch_up, check_health, fake, in_account, paused,
};
use crate::scripts::script_of;
use fake_aws::FakeAws;

/// The number of the project in GitLab.
const NUMBER: &str = "40";

/// Another project of the environment.
const BLOG: Reporting = Reporting {
    project_id: "blog",
    environment: "dev-blog",
    ..SHOP
};

/// The state of the commit's status of a pipeline. `None` if it was not reported.
fn shown(fake: &FakeAws, of: Reporting) -> Option<&'static str> {
    fake.look(|aws| {
        let records = &aws.gitlab.named(NUMBER).records;
        let statuses = records.current(COMMITS[0], &of.status());
        statuses.last().map(|status| status.state)
    })
}

/// One of two pipelines names its project by a path that the project no longer has.
#[test]
fn renamed_project_does_not_stop_reports_of_others() {
    let by_number = |of| Reporting {
        project: NUMBER,
        ..of
    };
    // The health check begins with another pipeline each time.
    for (renamed, other) in [(SHOP, by_number(BLOG)), (BLOG, by_number(SHOP))] {
        paused(async {
            let fake = fake(&[renamed, other]).await;
            for step in script_of("deployed").steps {
                for of in [renamed, other] {
                    step.take(&fake, of).await;
                }
            }
            fake.arrange(|aws| {
                let project = aws.gitlab.project_mut(PROJECT);
                project.former_path = Some(std::mem::take(&mut project.path));
                "platform/renamed".clone_into(&mut project.path);
            });
            check_health(&fake).await;
            assert_eq!(shown(&fake, other), Some("success"));
            assert_eq!(shown(&fake, renamed), None);
            fake.assert_unbroken();
        });
    }
}

/// A push to the branch of a project with a `.gitlab-ci.yml`, while an approval waits for days.
#[test]
fn statuses_that_gitlab_ci_canceled_are_posted_again() {
    in_account(async |fake| {
        let script = script_of("waiting");
        script.play(fake).await;
        tokio::time::sleep(Duration::from_hours(50)).await;
        let commit = COMMITS[script.expected[0].commit];
        fake.change(|aws| {
            let records = &mut aws.gitlab.project_mut(PROJECT).records;
            records.cancel_redundant(commit);
        });
        assert_eq!(catch_up(fake, SHOP, "health check").await, 2);
        check(fake, SHOP, &script.expected);
        assert_eq!(catch_up(fake, SHOP, "second health check").await, 0);
    });
}
