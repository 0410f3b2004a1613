//! All that the health check checks, each with its problem. The reads of GitLab come last, in a
//! time of their own.

use std::time::Duration;

use tokio::time::Instant;

use super::shape::Doctor;
use crate::clients::aws::{FUNCTION_NAME_PREFIX, optional};
use crate::common::commands::aws;
use crate::gitops_pipeline::holds::{self, RuleState};
use crate::gitops_pipeline::names::{
    HEALTH_EVENT_RULE, NameScheme, REPORT_EVENT_RULE, REVIEW_EVENT_RULE,
};
use crate::health_check::checker::{Checker, listed};
use crate::health_check::concurrent::TimeLimits;
use crate::health_check::findings::{Findings, unknown_value};
use crate::health_check::gitlab_reads::{GITLAB_PROJECTS_PER_SECOND, GitLabReads};
use crate::health_check::listed_mirrors::Extent;
use crate::health_check::stacks::FoundStacks;
use crate::mirror_credential::health::CheckedGitLabs;
use cfn_custom_resource::Reason;

/// The most time for the reads of GitLab.
const GITLAB_TIME: Duration = Duration::from_secs(60);

/// The remedy for a deleted resource of `template.yaml`.
const RESTORE: &str = "Restore it, because a deployment does not: docs/runbook/deleted-resources.md, Restore a resource";

/// The event rules of `template.yaml`, and what a disabled one stops.
const RULES: [(NameScheme, &str); 3] = [
    (
        HEALTH_EVENT_RULE,
        "no health check runs: nothing starts a lost push, and alarms have no data",
    ),
    (
        REPORT_EVENT_RULE,
        "only the health check reports executions to GitLab, and approves empty change sets",
    ),
    (
        REVIEW_EVENT_RULE,
        "only the health check writes reviews on merge requests",
    ),
];

impl Checker<'_> {
    /// Checks the same as the health check. Returns each check with its problem.
    pub(super) async fn diagnose(&self, time: Duration) -> Doctor {
        let end = Instant::now() + time;
        let for_gitlab = GITLAB_TIME.min(time / 4);
        let limits = &TimeLimits::of(time.saturating_sub(for_gitlab));
        let gitlabs = &CheckedGitLabs::at_pace(GITLAB_PROJECTS_PER_SECOND);
        // They call different services, so none waits for another.
        let (function, rules, credentials, stacks) = tokio::join!(
            Box::pin(self.check_function(limits)),
            Box::pin(self.check_rules(limits)),
            Box::pin(self.check_credentials(limits, gitlabs)),
            Box::pin(self.check_stacks(limits)),
        );
        let (of_credentials, found_secrets) = credentials;
        let (of_stacks, stacks) = stacks;
        let mut findings = Findings::default();
        if let Some((own, problem)) = stacks.listed.as_ref().and_then(|it| self.own_stack(it)) {
            findings.checked(format!("stack {}", own.name), problem);
        }
        findings.add(function);
        findings.add(rules);
        findings.add(of_credentials);
        findings.add(of_stacks);
        let secrets = found_secrets.as_ref();
        Box::pin(self.check_missing(secrets, &stacks, &mut findings, limits)).await;
        let until = end.min(Instant::now() + for_gitlab);
        let reads = GitLabReads::until(until, gitlabs, self.clients);
        Box::pin(self.check_gitlab(reads, &stacks, &mut findings)).await;
        Doctor {
            checks: findings.checks.iter().map(Into::into).collect(),
            not_checked: findings.not_checked(),
        }
    }

    /// The function that handles events: whether it exists, and whether a person has switched it
    /// off.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
    async fn check_function(&self, limits: &TimeLimits) -> Findings {
        let mut findings = Findings::default();
        let name = format!("{FUNCTION_NAME_PREFIX}{}", self.environment.id);
        let call = self.clients.aws.lambda.get_function_concurrency().function_name(&name);
        let look = async {
            let doing = || format!("looking up the concurrency of function {name}");
            optional(call.send().await, &["ResourceNotFoundException"], doing)
        };
        let Some(found) = listed(look, &mut findings, limits).await else {
            return findings;
        };
        let problem = match found.map(|found| found.reserved_concurrent_executions()) {
            None => Some(Reason::uncoded(
                "it does not exist, so no request of CloudFormation, push or rotation is handled",
                RESTORE,
            )),
            Some(Some(0)) => Some(Reason::uncoded(
                "its reserved concurrency is 0, so no request of CloudFormation, push or rotation is handled",
                aws([
                    "lambda",
                    "delete-function-concurrency",
                    "--function-name",
                    &name,
                ])
                .after("To switch it on again: "),
            )),
            Some(_) => None,
        };
        findings.checked(format!("function {name}"), problem);
        findings
    }

    /// The event rules of that stack. Without it, one that does not exist is left out.
    async fn check_rules(&self, limits: &TimeLimits) -> Findings {
        let mut findings = Findings::default();
        for (scheme, so) in RULES {
            let name = scheme.prefix(&self.environment.id);
            let look = holds::state_of(&self.clients.aws, &name);
            let Some(state) = listed(look, &mut findings, limits).await else {
                continue;
            };
            let problem = match state {
                RuleState::Enabled => None,
                RuleState::Disabled => {
                    let remedy =
                        aws(["events", "enable-rule", "--name", &name]).after("Enable it: ");
                    Some(Reason::uncoded(format!("it is disabled, so {so}"), remedy))
                }
                RuleState::Missing if self.environment.stack_id.is_none() => continue,
                RuleState::Missing => {
                    let problem = format!("it does not exist, so {so}");
                    Some(Reason::uncoded(problem, RESTORE))
                }
                RuleState::Unknown(state) => {
                    let part = format!("the state of event rule {name}");
                    findings.failed(unknown_value(&part, &state));
                    continue;
                }
            };
            findings.checked(format!("event rule {name}"), problem);
        }
        findings
    }

    /// The tokens, and the projects of pipelines with their mirrors.
    async fn check_gitlab(
        &self,
        reads: GitLabReads<'_>,
        stacks: &FoundStacks,
        findings: &mut Findings,
    ) {
        let pipelines: Vec<_> = stacks.settings().into_values().collect();
        let (rows, mut tokens) = self.read_projects(&reads, &pipelines, Extent::Everything).await;
        tokens.sort_by(|one, other| one.secret_id.cmp(&other.secret_id));
        for token in &tokens {
            self.report_token(findings, token);
        }
        findings.checks.extend(rows.into_values().flatten());
        for reason in reads.not_read() {
            findings.failed(reason);
        }
    }
}
