//! CodeBuild's builds, as far as the product reads and starts them.
//! <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BatchGetBuilds.html>

use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    services::{
        iam::ACCOUNT,
        pages::{CODEBUILD, LONGEST_PAGE, page},
        stacks::resource_kinds::BUILD_PROJECT,
    },
    world::{ApiResponse, ApiResult, AwsError, Call, JsonResult, Made, World, rejected},
};

/// "The token is included in the `StartBuild` request and is valid for 5 minutes" (API Reference,
/// `StartBuild`).
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// How long after a line was printed the group of lines is dated that has it. As recorded:
/// <https://github.com/Xtages/console> (`LogViewer.stories.tsx`).
const LOG_LAG: Duration = Duration::from_secs(10);

/// All builds of the account, by ID.
pub type Builds = BTreeMap<String, Build>;

#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    /// `<project>:<UUID>`.
    pub id: String,
    pub project: String,
    /// "For each project, the `buildNumber` of its first build is 1" (API Reference, `Build`).
    pub number: usize,
    /// `IN_PROGRESS`, `SUCCEEDED`, `FAILED`, `FAULT`, `STOPPED` or `TIMED_OUT`.
    pub status: &'static str,
    /// As the request that started the build names it.
    pub source_version: String,
    /// "For `CodeCommit` […] the commit ID". `None` before `CodeBuild` has read the source (?).
    pub resolved_source_version: Option<String>,
    pub started: Duration,
    /// `None` while the build runs.
    pub ended: Option<Duration>,
    /// `idempotencyToken` of the `StartBuild` that started it.
    pub token: Option<String>,
    /// The ARN of the folder with the artifacts. `None` if the build uploads none.
    pub artifacts: Option<String>,
    /// The phases that have ended.
    pub phases: Vec<Phase>,
}

/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BuildPhase.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// For example `BUILD`.
    pub kind: &'static str,
    pub status: &'static str,
    /// The code and the message of its context: empty for a phase that succeeded, as in
    /// <https://github.com/data-dot-all/dataall/issues/217>.
    pub context: (&'static str, String),
    pub started: Duration,
    pub ended: Duration,
}

impl Build {
    pub(crate) fn uuid(&self) -> &str {
        self.id.rsplit(':').next().unwrap_or_default()
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:codebuild:eu-central-1:{ACCOUNT}:build/{}", self.id)
    }

    /// The log group and the log stream.
    pub fn log(&self) -> (String, String) {
        let group = format!("/aws/codebuild/{}", self.project);
        (group, self.uuid().to_owned())
    }

    /// A phase fails some seconds ago, because the build prints its log in groups. `POST_BUILD` follows a BUILD that failed:
    /// <https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details.html>.
    pub(crate) fn fail(&mut self, phase: &'static str, message: &str, now: Duration) {
        let ended = |kind, status, context| Phase {
            kind,
            status,
            context,
            started: self.started,
            ended: self.started.max(now.saturating_sub(LOG_LAG)),
        };
        let before = ended("DOWNLOAD_SOURCE", "SUCCEEDED", ("", String::new()));
        let context = ("COMMAND_EXECUTION_ERROR", message.to_owned());
        let failed = ended(phase, "FAILED", context);
        let after = ended("POST_BUILD", "SUCCEEDED", ("", String::new()));
        self.phases = vec![before, failed];
        if phase == "BUILD" {
            self.phases.push(after);
        }
    }

    /// The build ends now.
    pub fn end(&mut self, status: &'static str, now: Duration) {
        self.status = status;
        self.ended = Some(now);
    }
}

pub(crate) fn project_arn(name: &str) -> String {
    format!("arn:aws:codebuild:eu-central-1:{ACCOUNT}:project/{name}")
}

/// The project, as its stack declares it.
fn find_project<'a>(world: &'a World, name: &str) -> Option<&'a Made> {
    world.made.get(&(BUILD_PROJECT.to_owned(), name.to_owned()))
}

/// Starts a build. The artifacts are where the project stores them, with `NamespaceType: BUILD_ID`
/// and the name `/`: "MyArtifacts/build-ID" (API Reference, `ProjectArtifacts`). Returns the ID.
pub(crate) fn start(
    builds: &mut Builds,
    world: &mut World,
    project: &str,
    uuid: &str,
    source_version: &str,
) -> String {
    let id = format!("{project}:{uuid}");
    let others = builds.values().filter(|build| build.project == project);
    let number = others.map(|build| build.number).max().unwrap_or(0) + 1;
    let commit = source_version.split_once("^{").and_then(|(_, rest)| rest.strip_suffix('}'));
    let artifacts = find_project(world, project).and_then(|made| {
        let declared = &made.properties["Artifacts"];
        let (bucket, path) = (declared["Location"].as_str()?, declared["Path"].as_str()?);
        Some(format!("arn:aws:s3:::{bucket}/{path}/{uuid}"))
    });
    let build = Build {
        id: id.clone(),
        project: project.to_owned(),
        number,
        status: "IN_PROGRESS",
        source_version: source_version.to_owned(),
        resolved_source_version: commit.map(str::to_owned),
        started: world.now,
        ended: None,
        token: None,
        artifacts,
        phases: vec![],
    };
    builds.insert(id.clone(), build);
    id
}

pub(crate) fn answer(builds: &mut Builds, world: &mut World, call: &Call) -> ApiResult {
    let body = match call.operation.as_str() {
        "BatchGetBuilds" => batch_get(builds, call)?,
        "ListBuildsForProject" => list(builds, world, call)?,
        "StartBuild" => start_by_call(builds, world, call)?,
        unknown => return Err(world.unknown_operation("codebuild", unknown)),
    };
    Ok(ApiResponse::json(&body))
}

/// "If you repeat the `StartBuild` request with the same token, but change a parameter, `CodeBuild`
/// returns a parameter mismatch error."
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html>
fn start_by_call(builds: &mut Builds, world: &mut World, call: &Call) -> JsonResult {
    let (project, source_version) = (call.needed("projectName"), call.needed("sourceVersion"));
    if find_project(world, project).is_none() {
        let message = format!("Project cannot be found: {}", project_arn(project));
        return Err(rejected("ResourceNotFoundException", message));
    }
    let token = call.text("idempotencyToken").map(str::to_owned);
    let is_same = |build: &&Build| {
        token.is_some() && build.token == token && world.now < build.started + TOKEN_LIFETIME
    };
    if let Some(same) = builds.values().find(is_same) {
        if same.project != project || same.source_version != source_version {
            return Err(invalid("Parameter mismatch for the idempotency token"));
        }
        return Ok(json!({"build": shown(same)}));
    }
    check_limit(builds, world, project)?;
    let uuid = world.next_id();
    let id = start(builds, world, project, &uuid, source_version);
    let build = builds.get_mut(&id).expect("just started");
    build.token = token;
    Ok(json!({"build": shown(build)}))
}

/// "If the build project has a concurrent build limit set, builds return an error if the number of
/// running builds reaches the concurrent build limit for the project." The message is not
/// documented (?). <https://docs.aws.amazon.com/codebuild/latest/userguide/builds-working.html>
fn check_limit(builds: &Builds, world: &World, project: &str) -> Result<(), AwsError> {
    let made = find_project(world, project).expect("a project");
    let running = builds.values().filter(|build| build.project == project);
    let running = running.filter(|build| build.ended.is_none()).count();
    match made.properties["ConcurrentBuildLimit"].as_u64() {
        Some(limit) if running as u64 >= limit => {
            let message = format!("Cannot have more than {limit} builds in queue for the project");
            Err(rejected("AccountLimitExceededException", message))
        }
        _ => Ok(()),
    }
}

/// A missing build is in `buildsNotFound`, and the call succeeds.
fn batch_get(builds: &Builds, call: &Call) -> JsonResult {
    let ids = call.list("ids");
    if !(1..=LONGEST_PAGE).contains(&ids.len()) {
        return Err(invalid("Invalid number of build IDs: 1 to 100"));
    }
    // An ARN names a build as well (?).
    let id_of = |id: &str| id.rsplit_once(":build/").map_or(id, |(_, id)| id).to_owned();
    let found = ids.iter().filter_map(|id| builds.get(&id_of(id)));
    let found: Vec<Value> = found.map(shown).collect();
    let missing = ids.iter().filter(|id| !builds.contains_key(&id_of(id)));
    let missing: Vec<&&str> = missing.collect();
    Ok(json!({"builds": found, "buildsNotFound": missing}))
}

/// "The results are sorted by build number […]. If this is not specified, the results are sorted in
/// descending order." The function specifies none.
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ListBuildsForProject.html>
fn list(builds: &Builds, world: &World, call: &Call) -> JsonResult {
    let project = call.needed("projectName");
    let of_project = builds.values().filter(|build| build.project == project);
    let mut builds: Vec<&Build> = of_project.collect();
    if builds.is_empty() && find_project(world, project).is_none() {
        let arn = project_arn(project);
        let message = format!("The provided project {arn} does not exist");
        return Err(rejected("ResourceNotFoundException", message));
    }
    builds.sort_by_key(|build| std::cmp::Reverse(build.number));
    let ids: Vec<Value> = builds.iter().map(|build| json!(build.id)).collect();
    page(world, call, CODEBUILD, "ids", &ids)
}

fn invalid(message: &str) -> AwsError {
    rejected("InvalidInputException", message)
}

/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Build.html>
fn shown(build: &Build) -> Value {
    let is_over = build.ended.is_some();
    let (group, stream) = build.log();
    let mut shown = json!({
        "id": build.id,
        "arn": build.arn(),
        "buildNumber": build.number,
        "startTime": World::seconds(build.started),
        "currentPhase": if is_over { "COMPLETED" } else { "BUILD" },
        "buildStatus": build.status,
        "projectName": build.project,
        "buildComplete": is_over,
        "logs": {"groupName": group, "streamName": stream},
    });
    // "If not specified, the latest version is used": a build without it has none to show.
    if !build.source_version.is_empty() {
        shown["sourceVersion"] = json!(build.source_version);
    }
    if let Some(commit) = &build.resolved_source_version {
        shown["resolvedSourceVersion"] = json!(commit);
    }
    shown["phases"] = build.phases.iter().map(shown_phase).collect();
    if let Some(ended) = build.ended {
        shown["endTime"] = World::seconds(ended).into();
    }
    if let Some(location) = &build.artifacts {
        shown["artifacts"] = json!({"location": location});
    }
    shown
}

fn shown_phase(phase: &Phase) -> Value {
    let (code, message) = &phase.context;
    json!({
        "phaseType": phase.kind,
        "phaseStatus": phase.status,
        "startTime": World::seconds(phase.started),
        "endTime": World::seconds(phase.ended),
        "durationInSeconds": phase.ended.saturating_sub(phase.started).as_secs(),
        "contexts": [{"statusCode": code, "message": message}],
    })
}

/// The log of a build whose phase failed after it printed `lines`. The texts of CodeBuild's
/// agent are those of <https://github.com/aws-samples/aws-modern-application-workshop/issues/290>.
pub(crate) fn printed(build: &Build, lines: &[&str]) -> Vec<String> {
    let agent = |text: String| format!("[Container] 2026/11/27 10:00:00.123456 {text}");
    let mut printed = vec![];
    for phase in &build.phases {
        let Phase {
            kind,
            status,
            context: (code, message),
            ..
        } = phase;
        if *kind != "DOWNLOAD_SOURCE" {
            printed.push(agent(format!("Entering phase {kind}")));
        }
        if *status == "FAILED" {
            printed.extend(lines.iter().map(|line| (*line).to_owned()));
        }
        printed.push(agent(format!("Phase complete: {kind} State: {status}")));
        let context = format!("Phase context status code: {code} Message: {message}");
        printed.push(agent(context));
    }
    printed
}

/// EventBridge's event of the build's present status.
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref>
pub(crate) fn event(builds: &mut Builds, world: &mut World, id: &str) -> Value {
    let event_id = world.next_id();
    let build = builds.get(id).expect("a build that changed");
    let is_over = build.ended.is_some();
    let location = build.artifacts.as_deref().unwrap_or_default();
    json!({
        "version": "0",
        "id": event_id,
        "detail-type": "CodeBuild Build State Change",
        "source": "aws.codebuild",
        "account": ACCOUNT,
        "time": World::date(world.now),
        "region": "eu-central-1",
        "resources": [build.arn()],
        "detail": {
            "build-status": build.status,
            "project-name": build.project,
            "build-id": build.arn(),
            "additional-information": {
                "artifact": {"location": location},
                "build-complete": is_over,
                "build-number": build.number,
                "source-version": build.source_version,
            },
            "current-phase": if is_over { "COMPLETED" } else { "SUBMITTED" },
            "current-phase-context": "[]",
            "version": "1",
        },
    })
}
