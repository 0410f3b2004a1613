//! The projects of pipelines in GitLab, and their mirrors as GitLab lists them.
//!
//! The function that only reads has neither a mirror's record nor its password: both are in the
//! value of its secret. So it begins with the projects of pipelines. In GitLab's list, a mirror is
//! known by the repository that it leads to.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::time::timeout_at;

use super::checker::Checker;
use super::concurrent::{Checking, TimeLimits, check_each};
use super::findings::{Check, Findings};
use super::gitlab_reads::GitLabReads;
use super::metrics::MIRROR_LAG_SECONDS;
use super::needed_branches::check_with_needed;
use super::problems::project_problem;
use super::stacks::FoundStacks;
use crate::clients::gitlab::{ErrorKind, GitLab, Mirror, other_project};
use crate::common::ownership::write_time;
use crate::gitops_pipeline::PROJECT_PROPERTY;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;
use crate::mirror_credential::health::{
    CheckedGitLabs, Comparison, MirrorHealth, MirrorPlace, TokenHealth,
};
use cfn_custom_resource::Reason;

/// The rows of each pipeline, by its name. A pipeline with `GitLab` that is not in it was not read.
pub type MirrorRows = BTreeMap<String, Vec<Check>>;

/// The rows of each pipeline, by its name, and the tokens.
type GitLabRows = (MirrorRows, Vec<TokenHealth>);

/// How much of each project is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Where its path leads.
    Path,
    /// Also the mirror to the pipeline's repository.
    Mirrors,
    /// Also whether it allows what the pipeline's settings require.
    Everything,
}

/// The pipelines of one project in GitLab, whose list of mirrors is read once.
struct SharedProject<'a> {
    report: &'a ReportSettings,
    pipelines: Vec<&'a PipelineSettings>,
}

/// A project's client, and its list of mirrors.
struct ListedMirrors<'a> {
    gitlab: &'a GitLab,
    report: &'a ReportSettings,
    mirrors: &'a [Mirror],
    extent: Extent,
}

/// Why the doctor does not look at a mirror that GitLab does not list. Its record is in a secret's
/// value.
const NONE_LISTED: &str =
    "GitLab lists none, and only the health check reads whether a stack declares one";

impl Checker<'_> {
    /// Reports pipelines whose `GitLab.Project` is a path that leads to another project than the
    /// one whose number their stacks store: a pipeline keeps that. A path may lead nowhere: the
    /// project was moved, and its number still works.
    pub async fn check_paths(
        &self,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) {
        let reads = GitLabReads::until(limits.half_of_the_rest(), gitlabs, self.clients);
        let has_path = |it: &&PipelineSettings| {
            it.stored.report.as_ref().is_some_and(ReportSettings::has_path)
        };
        let pipelines: Vec<_> = stacks.settings().into_values().filter(has_path).collect();
        let (rows, _) = Box::pin(self.read_projects(&reads, &pipelines, Extent::Path)).await;
        findings.checks.extend(rows.into_values().flatten());
        for reason in reads.not_read() {
            warn!(reason, "paths are not looked up");
        }
    }

    /// The rows of each pipeline, and to the extent of everything the tokens. Each GitLab is read
    /// by itself, so that one that does not respond delays no other.
    pub async fn read_projects(
        &self,
        reads: &GitLabReads<'_>,
        pipelines: &[&PipelineSettings],
        extent: Extent,
    ) -> GitLabRows {
        let mut gitlabs = BTreeMap::<&str, BTreeMap<_, SharedProject<'_>>>::new();
        for pipeline in pipelines {
            if let Some(report) = &pipeline.stored.report {
                let projects = gitlabs.entry(&report.access.url).or_default();
                let pipelines = vec![];
                let new = SharedProject { report, pipelines };
                let project =
                    projects.entry((report.project_number, report.access.token())).or_insert(new);
                project.pipelines.push(pipeline);
            }
        }
        let read = gitlabs.iter().map(|(url, projects)| {
            let mut projects: Vec<_> = projects.values().collect();
            self.schedule.rotate(&mut projects);
            self.read_gitlab(reads, url, projects, extent)
        });
        let mut found = GitLabRows::default();
        for (rows, tokens) in join_all(read).await {
            found.0.extend(rows);
            found.1.extend(tokens);
        }
        found
    }

    async fn read_gitlab<'p>(
        &'p self,
        reads: &'p GitLabReads<'_>,
        url: &str,
        projects: Vec<&'p SharedProject<'p>>,
        extent: Extent,
    ) -> GitLabRows {
        let (mut rows, mut tokens) = GitLabRows::default();
        if extent == Extent::Everything {
            let accesses: BTreeMap<_, _> = projects
                .iter()
                .map(|it| (it.report.access.token(), &it.report.access))
                .collect();
            for access in accesses.into_values() {
                let Ok(token) = timeout_at(reads.until, reads.token(access)).await else {
                    break;
                };
                tokens.extend(token);
                // Every other read would take as long.
                if reads.checked.unreachable.error_of(url).is_some() {
                    break;
                }
            }
        }
        let all = projects.len();
        let items = projects.into_iter().map(|it| (it.report.project.as_str(), it)).collect();
        let limits = TimeLimits {
            last_start: reads.until,
            checks_end: reads.until,
            end: reads.until,
        };
        let read =
            |_, project| -> Checking<'_, _> { Box::pin(self.read_project(reads, project, extent)) };
        let left = check_each(items, &limits, read, |_, found| rows.extend(found)).await;
        if left > 0 {
            reads.add_late(url, left, all, &self.environment.id);
        }
        (rows, tokens)
    }

    /// The rows of each pipeline of a project. A pipeline that was not read is left out.
    async fn read_project(
        &self,
        reads: &GitLabReads<'_>,
        project: &SharedProject<'_>,
        extent: Extent,
    ) -> Vec<(String, Vec<Check>)> {
        let report = project.report;
        let (access, name) = (&report.access, report.project.as_str());
        let Some(gitlab) = reads.open(access).await else {
            return vec![];
        };
        let mut rows = vec![];
        let has_own =
            extent != Extent::Path && project.pipelines.iter().any(|it| !it.is_cross_account());
        let mut mirrors = None;
        if has_own {
            match gitlab.mirrors(report.project()).await {
                Ok(listed) => mirrors = Some(Ok(listed)),
                // The doctor has a row of the token.
                Err(error)
                    if extent == Extent::Mirrors
                        && matches!(error.kind, ErrorKind::TokenRejected { .. }) =>
                {
                    reads.add_token(access, &error);
                    return rows;
                }
                Err(error) => match reads.problem(access, Some(name), &error) {
                    Some(problem) => mirrors = Some(Err(problem)),
                    None => return rows,
                },
            }
        }
        for &settings in &project.pipelines {
            let (mut findings, gitlab) = (Findings::default(), &*gitlab);
            self.read_settings_of(reads, gitlab, settings, extent, &mut findings).await;
            match mirrors.as_ref().filter(|_| !settings.is_cross_account()) {
                Some(Ok(mirrors)) => {
                    let listed = ListedMirrors {
                        gitlab,
                        report,
                        mirrors,
                        extent,
                    };
                    if !self.read_mirror(reads, &listed, settings, &mut findings).await {
                        continue;
                    }
                }
                // Without a mirror, the token needs no right to list them.
                Some(Err(problem)) if extent == Extent::Everything => {
                    findings.not_looked_at(subject(name, settings), problem.problem.clone());
                }
                Some(Err(_)) | None => {}
            }
            rows.push((settings.names.pipeline(), findings.checks));
        }
        rows
    }

    /// Where the path of the pipeline's project leads, and whether the project allows what the
    /// settings require.
    async fn read_settings_of(
        &self,
        reads: &GitLabReads<'_>,
        gitlab: &GitLab,
        settings: &PipelineSettings,
        extent: Extent,
        findings: &mut Findings,
    ) {
        let Some(report) = &settings.stored.report else {
            return;
        };
        let (path, recorded) = (report.project.as_str(), report.project_number);
        let pipeline = format!("pipeline {}", settings.names.pipeline());
        if report.has_path() {
            let shown = match gitlab.project(path.into()).await {
                Ok(project) => Some(project.id),
                Err(error) => {
                    // A path may lead nowhere: the project was moved, and its number still works.
                    drop(reads.problem(&report.access, Some(path), &error));
                    error.moved_to()
                }
            };
            if let Some(shown) = shown.filter(|shown| *shown != recorded) {
                let problem = other_project(PROJECT_PROPERTY, path, recorded, shown);
                findings.missing(pipeline.clone(), problem);
            }
        }
        if extent != Extent::Everything {
            return;
        }
        let problem = project_problem(gitlab, settings, report).await;
        let unread = |error| reads.problem(&report.access, Some(path), &error);
        if let Some(problem) = problem.unwrap_or_else(unread) {
            findings.checked(format!("{pipeline} in GitLab"), Some(problem));
        }
    }

    /// The mirrors that lead to the pipeline's repository. `false` if they were not read.
    async fn read_mirror(
        &self,
        reads: &GitLabReads<'_>,
        listed: &ListedMirrors<'_>,
        settings: &PipelineSettings,
        findings: &mut Findings,
    ) -> bool {
        let (aws, report) = (&self.clients.aws, listed.report);
        let (project, repository) = (report.project.as_str(), &settings.repository.name);
        let is_of = |mirror: &&Mirror| mirror.may_lead_to(repository, aws.s3.region());
        let mirrors: Vec<&Mirror> = listed.mirrors.iter().filter(is_of).collect();
        let works = |mirror: &&&Mirror| {
            let is_pushing = mirror.enabled && !mirror.has_failed();
            (is_pushing, mirror.succeeded_at, mirror.id)
        };
        let Some(mirror) = mirrors.iter().max_by_key(works) else {
            if listed.extent == Extent::Everything {
                findings.not_looked_at(subject(project, settings), NONE_LISTED.to_owned());
            }
            return true;
        };
        let comparison = Comparison {
            aws,
            gitlab: listed.gitlab,
            place: MirrorPlace {
                project: report.project(),
                repository_name: repository,
                gitlab_url: &report.access.url,
                id: mirror.id,
            },
            pace: &reads.checked.pace,
            now: self.clients.clock.now(),
        };
        match check_with_needed(&comparison, mirror, settings).await {
            Ok(mut health) => {
                health.fault =
                    health.fault.take().or_else(|| lag_problem(&health, comparison.place));
                self.report_mirror(findings, &health);
            }
            Err(error) => {
                let Some(problem) = reads.problem(&report.access, Some(project), &error) else {
                    return false;
                };
                findings.checked(subject(project, settings), Some(problem));
            }
        }
        for other in mirrors.iter().filter(|other| other.id != mirror.id) {
            if let Some(problem) = other_problem(other, mirror.id, &report.access.url) {
                let subject = format!(
                    "another push mirror of project {project} to repository {repository}, {}",
                    other.id
                );
                findings.checked(subject, Some(problem));
            }
        }
        true
    }
}

fn subject(project: &str, settings: &PipelineSettings) -> String {
    let repository = &settings.repository.name;
    format!("the mirror of project {project} to repository {repository}")
}

/// That the mirror at `place` lags. `None` if it does not, or not long.
fn lag_problem(health: &MirrorHealth, place: MirrorPlace<'_>) -> Option<Reason> {
    let lag = health.lag.filter(|lag| MIRROR_LAG_SECONDS.is_wrong(lag.as_secs_f64()))?;
    let MirrorPlace { id, gitlab_url, .. } = place;
    let last = health.succeeded_at.map_or_else(
        || "no push has succeeded".to_owned(),
        |at| format!("the last push that succeeded ended at {}", write_time(at)),
    );
    let problem = format!(
        "CodeCommit has lacked a commit, or its latest push has not succeeded, for {} minutes \
         ({id} at {gitlab_url}): {last}",
        lag.as_secs() / 60
    );
    let remedy = "Press the mirror's update button in the project's Settings, Repository, Mirroring \
        repositories, and read there why it fails";
    Some(Reason::uncoded(problem, remedy))
}

/// The problem of another mirror to the same repository. `None` if it pushes, or has pushed.
fn other_problem(mirror: &Mirror, beside: u64, gitlab_url: &str) -> Option<Reason> {
    let what = if mirror.has_failed() {
        "its latest push failed"
    } else if mirror.is_unused() {
        "it is disabled, has never pushed"
    } else {
        return None;
    };
    let problem = format!(
        "{what}, and mirror {beside} leads there, too ({gitlab_url}): a deployment that was killed may have left \
         it, or a deleted secret"
    );
    let remedy = "Unless a person created it, another secret has it, or a deployment or a rotation runs, remove it \
        in the project's Settings, Repository, Mirroring repositories";
    Some(Reason::uncoded(problem, remedy))
}
