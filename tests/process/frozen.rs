//! Between two invocations Lambda freezes the process, for seconds or hours: connections die
//! meanwhile, and clocks jump.

use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use cfn_gitops::clients::http::Http;
use serde_json::{Value, json};

use crate::aws_front::Mood;
use crate::function::{Function, wait_until};
use crate::http::{self, Reply};

fn mirror(serial: u32) -> Value {
    json!({"UserName": "mirror", "RotationSerial": serial.to_string()})
}

#[test]
fn closed_idle_connections_cause_no_error() {
    let function = Function::start();
    function.succeeds(&function.request("Create", &mirror(0)));
    for serial in 1..6 {
        function.lambda.wait_until_asked();
        function.freeze();
        function.aws.server.close_connections();
        function.bucket.server.close_connections();
        let mut event = function.request("Update", &mirror(serial));
        event["OldResourceProperties"] = mirror(serial - 1);
        let invocation = function.invoke(&event, Duration::from_mins(1));
        function.thaw();
        function.succeeded(&invocation);
    }
    // No retry had a visible effect.
    assert_eq!(function.bucket.attempts().len(), 6);
    let fake = &function.aws.fake;
    fake.look(|aws| assert_eq!(aws.credentials("mirror").len(), 1));
    fake.assert_unbroken();
    let written = function.ended();
    assert!(!written.contains("WARN"), "{written}");
}

#[test]
fn half_open_connections_cost_one_attempt() {
    let function = Function::start();
    let quick = function.request("Create", &json!({"Typo": 1}));
    function.fails(&quick);
    function.bucket.attempts();
    function.lambda.wait_until_asked();
    function.freeze();
    function.bucket.server.lose_connections();
    let invocation = function.invoke(&quick, function.seconds(4));
    function.thaw();
    function.failed(&invocation);
    assert_eq!(function.bucket.attempts().len(), 1, "the other was lost");
    assert_eq!(function.bucket.server.connections(), 2);
}

/// If the process's clock runs while it is frozen, such a connection is not even tried.
#[test]
fn long_idle_connection_is_not_reused() {
    let server = http::serve(|_| Reply::status(200));
    let url = format!("http://{}/", server.address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let http = Http::over_reqwest().expect("a client");
        let get = async || {
            let mut request = HttpRequest::new(SdkBody::empty());
            request.set_uri(url.as_str()).expect("an address");
            http.send(request, 0).await.expect("an answer");
        };
        get().await;
        get().await;
        assert_eq!(server.connections(), 1, "a fresh connection is used again");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(20)).await;
        tokio::time::resume();
        get().await;
        assert_eq!(server.connections(), 2);
    });
}

/// Lambda would have killed the process by then. A machine that was suspended, for example a
/// developer's, continues it.
#[test]
fn process_frozen_past_its_deadline_responds_on_resume() {
    let function = Function::start();
    function.aws.mood(Mood::Hanging);
    let event = function.request("Create", &mirror(0));
    let time = function.seconds(4);
    let began = Instant::now();
    let invocation = function.invoke(&event, time);
    wait_until("work to begin", || !function.aws.calls().is_empty());
    function.freeze();
    std::thread::sleep((time + Duration::from_millis(200)).saturating_sub(began.elapsed()));
    assert!(!invocation.has_ended() && function.bucket.attempts().is_empty());
    function.thaw();
    function.failed(&invocation);
}

/// Some Runtime APIs for development send a constant.
#[test]
fn past_deadline_is_ignored() {
    let function = Function::start();
    let past = [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_542_409_706_888),
        SystemTime::now() - Duration::from_mins(10),
    ];
    for deadline in past {
        let event = function.request("Create", &mirror(0));
        let invocation = function.lambda.invoke_until(event.to_string(), deadline);
        function.succeeded(&invocation);
    }
}
