//! Careless products: each lacks the care that one unkind setting tests. In the kind world, no
//! check notices them.

use std::sync::Arc;
use std::time::Duration;

use fake_aws::mutants::{
    ConnectorError, Firsts, HttpConnector, HttpRequest, Response, has_text, invented, notice,
    operation_of, repeat_first, replace_in_response, send_twice,
};
use fake_aws::{Caller, FakeAws};

use crate::worlds::Mixture;

/// How the product acts without its care. The first text is the operation.
#[derive(Clone, Copy, Debug)]
pub enum Lack {
    /// Each invocation takes its first response for all later ones.
    AsksOnce(&'static str),
    /// It reads only the first page of GitLab's list.
    ReadsOnePage(&'static str),
    /// It reads the second text of a response as the third one.
    Reads(&'static str, &'static str, &'static str),
    /// It takes a response with this text for an empty list.
    Drops(&'static str, &'static str),
    /// It sends each request twice.
    Repeats(&'static str),
    /// It does not wait longer than that for any response.
    GivesUpAfter(Duration),
}

/// A careless product, the setting that shows it, and the story in which a check notices it there.
pub struct Careless {
    pub setting: &'static str,
    pub lack: Lack,
    pub story: &'static str,
    pub says: &'static str,
}

impl Careless {
    /// Plays the story in the kind world and in that of the setting.
    ///
    /// # Panics
    /// If the product is noticed in the kind world, or not in the other one.
    pub fn assert_shown(&self, play: impl Fn(&str, &Mixture)) {
        let Careless {
            setting,
            lack,
            story,
            says,
        } = self;
        let kind = lack.notice(|| play(story, &Mixture::default()));
        assert_eq!(kind, None, "{lack:?} is noticed in the kind world");
        let Some(text) = lack.notice(|| play(story, &Mixture::called(setting))) else {
            panic!("{lack:?} went unnoticed with {setting}");
        };
        let is_reason = text.contains(says);
        assert!(is_reason, "{lack:?} was noticed for another reason: {text}");
    }
}

impl Lack {
    /// The report of a check that notices the product while it plays. `None` if none does.
    fn notice(self, play: impl FnOnce()) -> Option<String> {
        let firsts = Arc::new(Firsts::default());
        let pass =
            move |_: FakeAws, honest, request| self.pass(Arc::clone(&firsts), honest, request);
        notice(pass, play)
    }

    async fn pass(self, firsts: Arc<Firsts>, honest: Caller, request: HttpRequest) -> Response {
        let operation = operation_of(&request);
        let is = |name: &str| name == operation;
        match self {
            Lack::AsksOnce(name) if is(name) => repeat_first(honest, request, &firsts).await,
            Lack::ReadsOnePage(name) if is(name) && is_later_page(&request) => {
                Ok(invented(200, "[]"))
            }
            Lack::Reads(name, text, other) if is(name) => {
                let response = honest.call(request).await?;
                Ok(replace_in_response(&response, text, other))
            }
            Lack::Drops(name, text) if is(name) => {
                let response = honest.call(request).await?;
                let drops = has_text(&response, text);
                Ok(if drops { invented(200, "[]") } else { response })
            }
            Lack::Repeats(name) if is(name) => {
                let again = request.try_clone().expect("a request in memory");
                let response = honest.call(request).await?;
                send_twice(&honest, &again).await?;
                Ok(response)
            }
            Lack::GivesUpAfter(time) => {
                let late = |_| Err(ConnectorError::timeout("it is late".into()));
                let called = tokio::time::timeout(time, honest.call(request)).await;
                called.unwrap_or_else(late)
            }
            _ => honest.call(request).await,
        }
    }
}

fn is_later_page(request: &HttpRequest) -> bool {
    let (_, query) = request.uri().split_once('?').unwrap_or_default();
    let mut page = query.split('&').filter_map(|one| one.strip_prefix("page="));
    page.any(|page| page != "1")
}
