//! The checks notice what they are for. Each mutant is the real product behind a wire that makes it
//! misbehave in one way.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use crate::checks;
use crate::lives::lives;
use crate::scene::USER;
use crate::support::explore::paused;
use crate::support::gitlab::{ELSEWHERE, HOST};
use crate::support::{Caller, Options, World};

/// How the product misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// It forgets to remove mirrors.
    KeepsMirrors,
    /// It removes whatever mirror it finds.
    RemovesHandmade,
    /// It sets the former credential to inactive before the new one is used.
    DeactivatesFirst,
    /// It makes mirrors that are enabled at once, before their login is known to work.
    EnablesAtOnce,
    /// It never enables what it makes.
    NeverEnables,
    /// It encodes the login in a mirror's address.
    EncodesTheLogin,
    /// It sends the token to another host.
    SendsTheTokenAway,
    /// It takes AWSCURRENT for moved that is not.
    MovesNothing,
}

thread_local! {
    static MUTANT: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// What the product of this test sends through: as it is, or as a mutant.
pub fn wire(world: &World, caller: &Caller) -> SharedHttpConnector {
    match MUTANT.get() {
        None => caller.connector(),
        Some(mutant) => SharedHttpConnector::new(Wire {
            mutant,
            world: world.clone(),
            honest: Arc::new(caller.clone()),
        }),
    }
}

#[derive(Clone)]
struct Wire {
    mutant: Mutant,
    world: World,
    honest: Arc<Caller>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Wire({:?})", self.mutant)
    }
}

fn empty(status: u16) -> HttpResponse {
    HttpResponse::new(status.try_into().expect("a status"), SdkBody::from("{}"))
}

/// Another body, with the length that it has.
fn put(request: &mut HttpRequest, body: String) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body);
}

impl HttpConnector for Wire {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        let bytes = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(bytes).into_owned();
        let is_gitlab = request.uri().contains("/remote_mirrors");
        let method = request.method().to_owned();
        let makes = is_gitlab && method == "POST" && body.contains("url");
        let moves = body.contains("RemoveFromVersionId") && body.contains("AWSCURRENT");
        let issues = body.contains("Action=CreateServiceSpecificCredential&");
        HttpConnectorFuture::new(async move {
            match wire.mutant {
                Mutant::KeepsMirrors if is_gitlab && method == "DELETE" => return Ok(empty(204)),
                Mutant::RemovesHandmade if is_gitlab && method == "GET" => {
                    wire.world.change(|aws| {
                        for project in aws.gitlab.projects.values_mut() {
                            project.mirrors.retain(|_, mirror| mirror.is_ours());
                        }
                    });
                }
                Mutant::DeactivatesFirst if issues => wire.world.change(|aws| {
                    let now = aws.now;
                    for held in checks::ours(aws) {
                        let set = |iam: &mut crate::support::iam::Iam| {
                            iam.set_active(USER, &held.id, "Inactive")
                        };
                        aws.iam.change(now, set).expect("it is there");
                    }
                }),
                Mutant::EnablesAtOnce if makes => {
                    put(
                        &mut request,
                        body.replace("\"enabled\":false", "\"enabled\":true"),
                    );
                }
                Mutant::NeverEnables if is_gitlab && method == "PUT" => {
                    put(
                        &mut request,
                        body.replace("\"enabled\":true", "\"enabled\":false"),
                    );
                }
                Mutant::EncodesTheLogin if makes => {
                    put(&mut request, body.replace("=@", "%3D@"));
                }
                Mutant::SendsTheTokenAway if is_gitlab => {
                    let mut again = request.try_clone().expect("a request in memory");
                    let elsewhere = request.uri().replace(HOST, ELSEWHERE);
                    again.set_uri(elsewhere).expect("an address");
                    wire.honest.call(again).await?;
                }
                Mutant::MovesNothing if moves => return Ok(empty(200)),
                _ => {}
            }
            wire.honest.call(request).await
        })
    }
}

/// Plays a life with a mutant, and answers what the checks said.
fn noticed(mutant: Mutant, life: &str, options: &Options) -> Option<String> {
    let life = lives()
        .into_iter()
        .find(|known| known.name == life)
        .expect("that life");
    MUTANT.set(Some(mutant));
    let played = catch_unwind(AssertUnwindSafe(|| {
        paused(life.play(options.clone(), &[]));
    }));
    MUTANT.set(None);
    let panic = played.err()?;
    Some(crate::support::panics::text(&*panic))
}

#[test]
fn a_product_that_misbehaves_is_noticed() {
    let late = Options {
        login_late: std::time::Duration::from_secs(5),
        ..Options::default()
    };
    let on_time = Options::default();
    for (mutant, life, options, says) in [
        (
            Mutant::KeepsMirrors,
            "create and delete",
            &on_time,
            "left behind in platform/team/infra",
        ),
        (
            Mutant::KeepsMirrors,
            "schedule attached, then two rotations",
            &on_time,
            "a mirror that is disabled",
        ),
        (
            Mutant::RemovesHandmade,
            "create and delete",
            &on_time,
            "what is not ours changed",
        ),
        (
            Mutant::DeactivatesFirst,
            "new password by the template",
            &on_time,
            "the login in the secret does not work",
        ),
        (
            Mutant::EnablesAtOnce,
            "new password by the template",
            &late,
            "Authentication failed",
        ),
        (
            Mutant::NeverEnables,
            "create and delete",
            &on_time,
            "keeps it disabled",
        ),
        (
            Mutant::EncodesTheLogin,
            "create and delete",
            &on_time,
            "Authentication failed",
        ),
        (
            Mutant::SendsTheTokenAway,
            "create and delete",
            &on_time,
            "GitLab's token was sent to gitlab.elsewhere.example",
        ),
        (
            Mutant::MovesNothing,
            "schedule attached, then two rotations",
            &on_time,
            "the login in the secret does not work",
        ),
    ] {
        let Some(text) = noticed(mutant, life, options) else {
            panic!("{mutant:?} went unnoticed in \"{life}\"");
        };
        let first: String = text.lines().next().unwrap_or_default().to_owned();
        let first: String = first.chars().take(160).collect();
        figure!("mutant {mutant:?}: noticed: {first}");
        assert!(
            text.contains(says),
            "{mutant:?} was noticed for another reason: {text}"
        );
    }
}
