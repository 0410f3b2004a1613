//! The mirrors and projects in GitLab, as the function that only reads shows them: it has neither
//! the record of a mirror nor its password.

use std::collections::BTreeSet;
use std::time::Duration;

use cfn_gitops::answers::AskedAbout;
use expect_test::expect;
use serde_json::{Value, json};

use crate::credentials::damage;
use crate::fixture::{
    PROJECT, REPOSITORY, TOKEN, USER, answer, answer_about, create_pipeline, dev, diagnose,
    diagnosed, empty_world, mirrored_from, pipeline, problem_of, project_world, remedy_of, rule,
};
use fake_aws::other_account::{SOURCE_ROLE, repository_arn};
use fake_aws::request::Service;
use fake_aws::{FaultKind, On, redacted};

const TIME: Duration = Duration::from_secs(300);
const MIRROR: &str = "the mirror of project";

fn subjects(answer: &Value) -> Vec<&str> {
    let checks = answer["Checks"].as_array().expect("a list").iter();
    checks.map(|check| check["Subject"].as_str().expect("a subject")).collect()
}

#[tokio::test(start_paused = true)]
async fn sound_project_is_sound_with_gitlabs_rows_last() {
    let (fake, _) = project_world().await;
    let answer = diagnose(&fake, TIME).await;
    let checks = answer["Checks"].as_array().expect("a list").iter();
    assert!(
        checks.clone().all(|check| check.get("Problem").is_none()),
        "{answer:#}"
    );
    let expected = [
        "function cfn-gitops-dev",
        "the credential of user user-dev-mirror",
        "pipeline codepipeline-dev-cfn-infra",
        "pipeline stack gitops-dev-infra",
        "the GitLab token in secret gitlab/token",
        "the mirror of project platform/infra to repository codecommit-dev-cfn-infra",
    ];
    assert_eq!(subjects(&answer), expected);
}

#[tokio::test(start_paused = true)]
async fn fault_of_a_mirror_is_shown_without_its_record() {
    let mut shown = vec![];
    for how in [
        "disabled",
        "failed",
        "credential deleted",
        "protected by a group",
        "token deleted",
    ] {
        let (fake, _) = project_world().await;
        damage(&fake, how);
        let checks = diagnosed(&fake).await;
        let problems = checks.iter().filter_map(|(of, problem)| Some((of, problem.as_ref()?)));
        for (of, problem) in problems {
            shown.push(format!("{how}: {of}: {}", redacted(problem)));
        }
    }
    expect![[r#"
        disabled: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: it is disabled (100 at https://gitlab.example.com), or GitLab is in silent mode. Enable it in GitLab, or update its stack with a new RotationSerial
        failed: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: its latest push failed (100 at https://gitlab.example.com): denied at https://*****@host/r. Correct this cause, then press the mirror's update button in the project's Settings, Repository, Mirroring repositories. If its login is rejected, update its stack with a new RotationSerial
        credential deleted: the credential of user user-dev-mirror: it does not exist. Update its stack with a new RotationSerial, which issues another one
        protected by a group: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: push mirror 100 at https://gitlab.example.com: GitLab would push every branch of project platform/infra, because the project itself protects none (a group's protection does not count). Protect the branches to mirror in the project (Settings, Repository, Protected branches), or set OnlyProtectedBranches to false
        token deleted: the GitLab token in secret gitlab/token: reading GitLab's token from secret gitlab/token: no such secret in this account and region. Create the secret, or set GitLab.TokenSecretId to the secret of a GitLab token"#]].assert_eq(&shown.join("\n"));
}

/// Of one project in GitLab, each pipeline may have a token of its own.
#[tokio::test(start_paused = true)]
async fn token_of_each_pipeline_is_looked_at() {
    let (fake, _) = project_world().await;
    fake.gitlab_token("gitlab/shop");
    let shop = json!({
        "EnvID": "dev", "ProjectID": "shop", "BranchMap": {"dev": "main"},
        "GitLab": {
            "Url": "https://gitlab.example.com", "TokenSecretId": "gitlab/shop", "Project": PROJECT,
        },
    });
    create_pipeline(&fake, &shop).await;
    fake.change(|aws| drop(aws.secrets.remove("gitlab/shop")));
    let missing = problem_of(&fake, "the GitLab token in secret gitlab/shop").await;
    assert!(missing.contains("no such secret"), "{missing}");
    let rows = answer(&fake, &AskedAbout::Projects(None), TIME).await;
    assert!(
        rows["NotRead"].to_string().contains("gitlab/shop"),
        "{rows:#}"
    );
}

/// GitLab masks logins in its messages, but no row depends on that.
#[tokio::test(start_paused = true)]
async fn message_of_a_failed_push_is_shown_without_a_login() {
    let (fake, _) = project_world().await;
    let credential = fake.look(|aws| aws.credentials(USER)[0].clone());
    let (name, password) = (&credential.service_user_name, &credential.password);
    let encoded = password.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for form in [password.clone(), encoded.clone(), encoded.to_lowercase()] {
        for text in [
            format!("fatal: https://{name}:{form}@git.example/x: 403"),
            format!("fatal: Authentication failed for {name} with '{form}', at ref main"),
            form.clone(),
        ] {
            fake.change(|aws| {
                let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
                mirrors.for_each(|mirror| {
                    (mirror.status, mirror.last_error) = ("failed", Some(text.clone()));
                });
            });
            // The answer has no secret: the fixture looks for each.
            let problem = problem_of(&fake, MIRROR).await;
            assert!(problem.starts_with("its latest push failed"), "{problem}");
            assert!(!problem.contains("-at-1"), "{problem}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_that_lags_is_a_finding() {
    let (fake, _) = project_world().await;
    fake.change(|aws| {
        let now = aws.now;
        let mirrors = aws.gitlab.project_mut(PROJECT).mirrors.values_mut();
        mirrors.for_each(|mirror| (mirror.status, mirror.started) = ("scheduled", Some(now)));
    });
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(problem_of(&fake, MIRROR).await, "");
    tokio::time::sleep(Duration::from_mins(20)).await;
    expect!["CodeCommit has lacked a commit, or its latest push has not succeeded, for 29 minutes (100 at https://gitlab.example.com): the last push that succeeded ended at <time>. Press the mirror's update button in the project's Settings, Repository, Mirroring repositories, and read there why it fails"].assert_eq(&problem_of(&fake, MIRROR).await);
}

/// The parts that are not looked at.
fn not_looked_at(answer: &Value) -> String {
    let checks = answer["Checks"].as_array().expect("a list").iter();
    let rows = checks.filter_map(|check| {
        let (subject, because) = (check["Subject"].as_str()?, check["NotLookedAt"].as_str()?);
        Some(format!("{subject}: {because}"))
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// The properties of a pipeline with a project in GitLab.
fn of_gitlab(project_id: &str, path: &str) -> Value {
    json!({
        "EnvID": "dev", "ProjectID": project_id, "BranchMap": {"dev": "main"},
        "GitLab": {"Url": "https://gitlab.example.com", "TokenSecretId": TOKEN, "Project": path},
    })
}

#[tokio::test(start_paused = true)]
async fn mirror_to_an_existing_repository_is_shown() {
    let (fake, _) = project_world().await;
    fake.gitlab_project("a/given", &["main"]);
    fake.repository("given");
    let mut pipeline = of_gitlab("second", "a/given");
    pipeline["Source"] = json!({"RepositoryName": "given"});
    create_pipeline(&fake, &pipeline).await;
    mirrored_from(&fake, "user-dev-given", "a/given", "given").await;
    assert_eq!(problem_of(&fake, "the mirror of project a/given").await, "");
}

/// The role of the function that only reads assumes no other one.
#[tokio::test(start_paused = true)]
async fn branch_of_another_account_is_not_looked_at() {
    let (fake, _) = project_world().await;
    fake.gitlab_project("a/other", &["main"]);
    fake.repository_in_other_account("other");
    fake.push_in_other_account("other", "main", "c1");
    let mut pipeline = of_gitlab("second", "a/other");
    pipeline["Source"] = json!({"RepositoryArn": repository_arn("other"), "RoleArn": SOURCE_ROLE});
    pipeline["ArtifactKeyArn"] = json!("arn:aws:kms:eu-central-1:123456789012:key/1234abcd");
    pipeline["ArtifactBucketName"] = json!("a-bucket-of-its-own");
    create_pipeline(&fake, &pipeline).await;
    let assumed = fake.count("AssumeRole");
    let answer = diagnose(&fake, TIME).await;
    assert_eq!(fake.count("AssumeRole"), assumed);
    expect!["branch main of pipeline codepipeline-dev-cfn-second: only the health check reads a repository of another account"].assert_eq(&not_looked_at(&answer));
    fake.change(|aws| aws.pipelines.remove("codepipeline-dev-cfn-second"));
    let problem = problem_of(&fake, "pipeline stack gitops-dev-second").await;
    assert!(problem.contains("pipeline"), "{problem}");
}

/// The others of the same GitLab are read.
#[tokio::test(start_paused = true)]
async fn each_failing_read_of_a_gitlab_is_named() {
    let (fake, _) = project_world().await;
    fake.gitlab_project("a/second", &["main"]);
    create_pipeline(&fake, &of_gitlab("second", "a/second")).await;
    mirrored_from(
        &fake,
        "user-dev-second",
        "a/second",
        "codecommit-dev-cfn-second",
    )
    .await;
    let kind = FaultKind::InternalError500;
    fake.break_from_now(On::Operation("GitLab.GetToken"), kind);
    fake.break_from_now(On::Project(PROJECT), kind);
    let answer = diagnose(&fake, TIME).await;
    let about_gitlab: Vec<_> =
        subjects(&answer).into_iter().filter(|it| it.starts_with(MIRROR)).collect();
    assert_eq!(
        about_gitlab,
        ["the mirror of project a/second to repository codecommit-dev-cfn-second"]
    );
    let unread = answer["NotChecked"].as_array().expect("a list").iter();
    let problems: Vec<_> = unread.filter_map(|it| it["Problem"].as_str()).collect();
    expect![[r#"
        reading the scopes and the expiry of the token at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error
        listing the push mirrors of project platform/infra at https://gitlab.example.com: HTTP 500: We encountered an internal error. Please try again; GitLab, or a proxy in front of it, has an internal error"#]].assert_eq(&problems.join("\n"));
}

/// The rows of AWS are in the answer all the same.
#[tokio::test(start_paused = true)]
async fn silent_gitlab_is_named_once_and_in_time() {
    for kind in [
        FaultKind::RequestHangs,
        FaultKind::RequestLost,
        FaultKind::InternalError500,
    ] {
        let (fake, _) = project_world().await;
        for name in ["a", "b", "c"] {
            pipeline(
                &fake,
                &format!("codepipeline-dev-cfn-{name}"),
                &["Succeeded"],
            );
            let path = format!("silent/{name}");
            fake.gitlab_project(&path, &["main"]);
            create_pipeline(&fake, &of_gitlab(&format!("s{name}"), &path)).await;
        }
        fake.break_from_now(On::Service(Service::GitLab), kind);
        let begun = tokio::time::Instant::now();
        let answer = diagnose(&fake, TIME).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(75), "{kind:?} {took:?}");
        let unread = answer["NotChecked"].as_array().expect("a list");
        assert_eq!(unread.len(), 1, "{kind:?} {unread:#?}");
        assert!(unread[0]["Problem"].to_string().contains("https://gitlab.example.com"));
        let about_gitlab = subjects(&answer).iter().filter(|it| it.starts_with(MIRROR)).count();
        assert_eq!(about_gitlab, 0, "{answer:#}");
        assert!(subjects(&answer).contains(&"pipeline codepipeline-dev-cfn-infra"));
    }
}

/// Each failing call leaves a reason, and the rest of the answer.
#[tokio::test(start_paused = true)]
async fn each_failing_call_leaves_an_answer() {
    let (fake, _) = project_world().await;
    let before = fake.journal().len();
    let whole = diagnose(&fake, TIME).await;
    let calls = fake.journal();
    let operations: BTreeSet<_> =
        calls[before..].iter().map(|call| call.operation.clone()).collect();
    assert!(operations.len() > 15, "{operations:?}");
    for operation in operations {
        for kind in [
            FaultKind::Denied,
            FaultKind::InternalError500,
            FaultKind::RequestHangs,
        ] {
            let operation: &'static str = operation.clone().leak();
            fake.break_from_now(On::Operation(operation), kind);
            let begun = tokio::time::Instant::now();
            let answer = diagnose(&fake, TIME).await;
            assert!(begun.elapsed() <= TIME, "{operation} {kind:?}");
            fake.mend();
            let is_whole = answer["Checks"] == whole["Checks"];
            let text = answer.to_string();
            let has_reason = text.contains("\"Problem\"") || text.contains("\"NotLookedAt\"");
            assert!(is_whole || has_reason, "{operation} {kind:?}: {answer:#}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn environments_own_stack_and_rules_are_checked() {
    let fake = empty_world();
    rule(&fake, "event-rule-dev-cfn-gitops-health", "DISABLED");
    rule(&fake, "event-rule-dev-cfn-gitops-report", "ENABLED");
    let mut shown = vec![];
    for status in [
        "UPDATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
        "CREATE_FAILED",
    ] {
        let name = format!("own-{}", status.to_lowercase());
        fake.stack(&name, status, &[]);
        let mut dev = dev("user-dev-*");
        dev.stack_id = fake.look(|aws| Some(aws.stacks.named(&name)?.id.clone()));
        let answer = answer_about(&fake, dev, &AskedAbout::Doctor, TIME).await;
        let checks = answer["Checks"].as_array().expect("a list").iter();
        shown.extend(checks.map(|check| {
            let subject = &check["Subject"];
            match check["Problem"].as_str() {
                Some(problem) => format!("{subject}: {problem}. {}", remedy_of(check)),
                None => format!("{subject}: sound"),
            }
        }));
    }
    shown.sort();
    shown.dedup();
    expect![[r#"
        "event rule event-rule-dev-cfn-gitops-health": it is disabled, so no health check runs: nothing starts a lost push, and alarms have no data. Enable it: aws events enable-rule --name event-rule-dev-cfn-gitops-health
        "event rule event-rule-dev-cfn-gitops-report": sound
        "event rule event-rule-dev-cfn-gitops-review": it does not exist, so only the health check writes reviews on merge requests. Restore it, because a deployment does not: docs/runbook/deleted-resources.md, Restore a resource
        "function cfn-gitops-dev": sound
        "stack own-create_failed": its status is CREATE_FAILED: its creation failed. See why: cfn-gitops failures --env dev
        "stack own-update_complete": sound
        "stack own-update_in_progress": sound
        "stack own-update_rollback_complete": its status is UPDATE_ROLLBACK_COMPLETE: its latest update failed and was rolled back. See why: cfn-gitops failures --env dev"#]].assert_eq(&shown.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn function_that_handles_events_is_checked() {
    let fake = empty_world();
    let subject = "function cfn-gitops-dev";
    assert_eq!(problem_of(&fake, subject).await, "");
    fake.arrange(|aws| aws.function.reserved = Some(1));
    assert_eq!(problem_of(&fake, subject).await, "");
    fake.arrange(|aws| aws.function.reserved = Some(0));
    expect!["its reserved concurrency is 0, so no request of CloudFormation, push or rotation is handled. To switch it on again: aws lambda delete-function-concurrency --function-name cfn-gitops-dev"].assert_eq(&problem_of(&fake, subject).await);
    fake.arrange(|aws| aws.function.is_deleted = true);
    expect!["it does not exist, so no request of CloudFormation, push or rotation is handled. Restore it, because a deployment does not: docs/runbook/deleted-resources.md, Restore a resource"].assert_eq(&problem_of(&fake, subject).await);
}

#[tokio::test(start_paused = true)]
async fn another_mirror_that_does_not_push_is_a_finding() {
    let (fake, _) = project_world().await;
    let to = |repository| {
        format!("https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/{repository}/")
    };
    let left = fake.manual_mirror(PROJECT, &to(REPOSITORY), None, false);
    // The mirrors of other people.
    fake.manual_mirror(PROJECT, &to("other"), None, false);
    let with_port = to(REPOSITORY).replace(".com/", ".com:443/");
    let pushed = fake.manual_mirror(PROJECT, &with_port, None, false);
    fake.change(|aws| {
        let now = aws.now;
        let mirrors = &mut aws.gitlab.project_mut(PROJECT).mirrors;
        mirrors.get_mut(&pushed).expect("just created").updated = Some(now);
    });
    let subject =
        format!("another push mirror of project {PROJECT} to repository {REPOSITORY}, {left}");
    expect!["it is disabled, has never pushed, and mirror 100 leads there, too (https://gitlab.example.com): a deployment that was killed may have left it, or a deleted secret. Unless a person created it, another secret has it, or a deployment or a rotation runs, remove it in the project's Settings, Repository, Mirroring repositories"].assert_eq(&problem_of(&fake, &subject).await);
    assert_eq!(problem_of(&fake, MIRROR).await, "");
}
