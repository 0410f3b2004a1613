//! Checks one mirror. It changes nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clients::aws::Aws;
use crate::clients::gitlab::{
    Branch, GitLab, GitLabError, Mirror, Mirrored, ProtectedBranches, Settings, other_project,
};
use crate::common::password::Password;
use crate::mirror_credential::calls::gitlab::{GitLabClients, foreign_mirror};
use crate::mirror_credential::health::checked_gitlabs::CheckedGitLabs;
pub use crate::mirror_credential::health::tips::ForeignTip;
use crate::mirror_credential::health::tips::{Comparison, MAX_COMPARED, TipsError};
use crate::mirror_credential::intent_log::mirrors::{MirrorPlace, MirrorRecord};
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::messages;
use crate::mirror_credential::spec::WantedMirror;
use cfn_custom_resource::Reason;

#[derive(Clone, Debug)]
pub struct MirrorHealth {
    /// ID or full path of the project in GitLab.
    pub project: String,
    /// The CodeCommit repository that the mirror pushes to.
    pub repository_name: String,
    /// When it last pushed. `None` if GitLab does not show it.
    pub succeeded_at: Option<SystemTime>,
    /// How long CodeCommit has lacked a commit, or its latest push has not succeeded: the longer
    /// time. `None` if GitLab shows neither, or if the mirror is disabled.
    pub lag: Option<Duration>,
    /// The commits in CodeCommit that it did not push. `None` if that is unknown.
    pub foreign: Option<Vec<ForeignTip>>,
    /// Why it cannot push. `None` if it has no fault.
    pub fault: Option<Reason>,
    /// The settings that differ from those of its stack. `None` if they are equal, or if the
    /// stack's are unknown.
    pub other_settings: Option<Reason>,
    /// `None` if it is unknown which branches it pushes.
    pub pushed: Option<Pushed>,
    /// Its record, and its GitLab. `None` if that was not reached.
    pub source: Option<(MirrorRecord, Arc<GitLab>)>,
}

/// The branches that a mirror pushes, as far as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The rules that select them. `None` if it pushes every branch.
    pub rules: Option<ProtectedBranches>,
    /// Those that were compared.
    pub compared: Vec<String>,
}

impl Pushed {
    fn new(rules: Option<ProtectedBranches>, branches: Vec<Branch>) -> Self {
        let compared = branches.into_iter().take(MAX_COMPARED).map(|branch| branch.name);
        Pushed {
            rules,
            compared: compared.collect(),
        }
    }
}

impl MirrorHealth {
    /// A mirror of the stack that no record names.
    pub fn missing(wanted: &WantedMirror) -> Self {
        let problem = "its secret does not name it: GitLab rejected it in a rollback";
        let remedy = "Update its stack with a new RotationSerial, which creates it";
        MirrorHealth {
            other_settings: Some(Reason::uncoded(problem, remedy)),
            ..unchecked(&wanted.project, &wanted.repository_name)
        }
    }

    /// With another fault before its own.
    fn with(mut self, other: Option<Reason>) -> Self {
        self.fault = Reason::join(other.into_iter().chain(self.fault));
        self
    }
}

/// Reads a mirror from GitLab, whose login has this `password`. Its fault is the reason if GitLab
/// does not show it. The properties of its stack are `wanted`, if they are known.
pub async fn check_mirror(
    aws: &Aws,
    gitlabs: &mut GitLabClients<'_>,
    record: &MirrorRecord,
    wanted: Option<&WantedMirror>,
    password: &Password,
    checked: &CheckedGitLabs,
    now: SystemTime,
) -> MirrorHealth {
    let url = &record.gitlab_url;
    let unread = |error: &GitLabError| MirrorHealth {
        fault: Some(error.reason()),
        ..of_record(record)
    };
    if let Some(error) = checked.unreachable.error_of(url) {
        return unread(&error);
    }
    checked.pace.wait().await;
    let checking = async {
        let gitlab = gitlabs.at(url).await?;
        let comparison = Comparison {
            aws,
            gitlab: &gitlab,
            place: record.place(),
            pace: &checked.pace,
            now,
        };
        let mut health = read(&comparison, record, wanted, password).await?;
        health.source = Some((record.clone(), gitlab));
        Ok(health)
    };
    checking.await.unwrap_or_else(|error| {
        let project = Some(record.project.as_str());
        checked.unreachable.note(url, project, &error);
        unread(&error)
    })
}

fn of_record(record: &MirrorRecord) -> MirrorHealth {
    unchecked(&record.project, &record.repository_name)
}

/// A mirror of which nothing is known.
fn unchecked(project: &str, repository_name: &str) -> MirrorHealth {
    MirrorHealth {
        project: project.to_owned(),
        repository_name: repository_name.to_owned(),
        succeeded_at: None,
        lag: None,
        foreign: None,
        fault: None,
        other_settings: None,
        pushed: None,
        source: None,
    }
}

/// The health of a mirror that was deleted in GitLab.
fn gone(record: &MirrorRecord) -> MirrorHealth {
    let MirrorRecord { id, gitlab_url, .. } = record;
    let remedy = "Create it again: update its stack with a new RotationSerial";
    let problem = format!("it is gone ({id} at {gitlab_url})");
    MirrorHealth {
        fault: Some(Reason::uncoded(problem, remedy)),
        ..of_record(record)
    }
}

async fn read(
    comparison: &Comparison<'_>,
    record: &MirrorRecord,
    wanted: Option<&WantedMirror>,
    password: &Password,
) -> Result<MirrorHealth, GitLabError> {
    let gitlab = comparison.gitlab;
    let (shown, claimed) = tokio::join!(
        gitlab.mirror(record.project(), record.id),
        claimed_path(gitlab, record, wanted)
    );
    let region = comparison.aws.s3.region();
    let health = match shown? {
        Some(mirror) if mirror.leads_elsewhere(&record.repository_name, region) => MirrorHealth {
            fault: Some(foreign_mirror(record, &mirror)),
            ..of_record(record)
        },
        Some(mirror) => {
            let shown = check_shown(comparison, &mirror, Some(password)).await?;
            MirrorHealth {
                other_settings: wanted.and_then(|it| other_settings(&mirror, record, &it.settings)),
                ..shown
            }
        }
        None => gone(record),
    };
    Ok(health.with(claimed))
}

/// The health of a mirror that GitLab shows with the address of its repository. A reader of GitLab
/// alone does not know the `password` of its login, nor the settings of its stack.
pub async fn check_shown(
    comparison: &Comparison<'_>,
    mirror: &Mirror,
    password: Option<&Password>,
) -> Result<MirrorHealth, GitLabError> {
    let (gitlab, place) = (comparison.gitlab, comparison.place);
    let (project, id, gitlab_url) = (place.project, place.id, place.gitlab_url);
    let now = gitlab.now(comparison.now);
    let mut lag = mirror.lag(now);
    let mut fault = fault_of(mirror, place, password, now);
    if fault.is_some() && gitlab.project(project).await.is_ok_and(|it| it.is_empty) {
        // An empty project has nothing to push, which some versions of GitLab show as a fault.
        (fault, lag) = (None, None);
    }
    let (settings, mut selected) = (&mirror.settings, None);
    // With a regex, which a person has set, it pushes some of the branches alone.
    if !settings.has_branch_regex {
        match gitlab.mirrored_branches(project, settings).await {
            Ok(Mirrored::Branches(rules, Ok(listed))) => selected = Some((rules, listed)),
            Ok(Mirrored::Everything) if fault.is_none() => {
                let at = format!("push mirror {id} at {gitlab_url}");
                fault = Some(messages::every_branch_is_pushed(&at, &project.to_string()));
            }
            Ok(Mirrored::Everything) => {}
            Err(error) if fault.is_none() => return Err(error),
            Ok(Mirrored::Branches(_, Err(error))) | Err(error) => {
                log_uncompared(place, &error.reason());
            }
        }
    }
    let (mut foreign, mut pushed) = (None, None);
    if let Some((rules, branches)) = selected {
        let (tips, errors) = comparison.of(&branches).await;
        for error in &errors {
            let reason = error.reason();
            if matches!(error, TipsError::NoRepository(_)) {
                fault = Some(reason);
            } else {
                log_uncompared(place, &reason);
            }
        }
        // Branches that were not compared may lag or be foreign, too.
        let is_complete = errors.is_empty();
        pushed = is_complete.then(|| Pushed::new(rules, branches));
        foreign = Some(tips.foreign).filter(|found| is_complete || !found.is_empty());
        if mirror.enabled {
            lag = lag.max(tips.lag.filter(|lag| is_complete || !lag.is_zero()));
        }
    }
    Ok(MirrorHealth {
        succeeded_at: mirror.succeeded_at,
        lag,
        foreign,
        fault,
        pushed,
        ..unchecked(&project.to_string(), place.repository_name)
    })
}

/// That the path of the mirror's project leads to another project now. `None` if it does not, if
/// GitLab does not show where it leads, or if the template has the number.
async fn claimed_path(
    gitlab: &GitLab,
    record: &MirrorRecord,
    wanted: Option<&WantedMirror>,
) -> Option<Reason> {
    let number = record.number;
    let path = wanted.map_or(&record.project, |wanted| &wanted.project);
    if path.parse::<u64>().is_ok() {
        return None;
    }
    let shown = gitlab.project(path.into()).await.ok()?;
    (shown.id != number).then(|| other_project("GitLabProject", path, number, shown.id))
}

fn log_uncompared(place: MirrorPlace<'_>, reason: &Reason) {
    let (project, repository) = (place.project.to_string(), place.repository_name);
    warn!(
        reason,
        project, repository, "the mirror's branches were not compared"
    );
}

/// That the settings of `mirror` are not the `wanted` ones. `None` if they are.
fn other_settings(mirror: &Mirror, record: &MirrorRecord, wanted: &Settings) -> Option<Reason> {
    let MirrorRecord { id, gitlab_url, .. } = record;
    let changed = mirror.settings.changed_properties(wanted).join(" and ");
    let problem =
        format!("GitLab has other settings than its stack ({id} at {gitlab_url}): {changed}");
    let remedy = "Update its stack with a new RotationSerial, which sets them again";
    (!changed.is_empty()).then(|| Reason::uncoded(problem, remedy))
}

fn fault_of(
    mirror: &Mirror,
    place: MirrorPlace<'_>,
    password: Option<&Password>,
    now: SystemTime,
) -> Option<Reason> {
    let MirrorPlace { id, gitlab_url, .. } = place;
    let fault = |problem, remedy: &'static str| Some(Reason::uncoded(problem, remedy));
    if !mirror.enabled {
        return fault(
            format!("it is disabled ({id} at {gitlab_url}), or GitLab is in silent mode"),
            "Enable it in GitLab, or update its stack with a new RotationSerial",
        );
    }
    if mirror.has_failed() {
        let why = mirror.last_error.as_ref().map(|why| match password {
            Some(password) => why.shown([password]),
            None => why.shown_without_words_like_logins(),
        });
        let why = why.unwrap_or_else(|| "GitLab does not say why".to_owned());
        let problem = format!("its latest push failed ({id} at {gitlab_url}): {why}");
        let remedy = "Correct this cause, then press the mirror's update button in the project's Settings, \
            Repository, Mirroring repositories. If its login is rejected, update its stack with a new \
            RotationSerial";
        return fault(problem, remedy);
    }
    if mirror.is_stuck(now) {
        let since = mirror.started_at.map(write_time).unwrap_or_default();
        let problem = format!(
            "GitLab shows a push in progress since {since} ({id} at {gitlab_url}): its process was killed"
        );
        let remedy = "Push a commit to the project, which corrects that, or change RotationSerial, \
            which replaces the mirror";
        return fault(problem, remedy);
    }
    None
}
