//! The calls and the round trips of requests without faults.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cloudformation::stack;
use crate::fixture::in_account_with;
use crate::{USER, fake, with};
use fake_aws::{FakeAws, Options, Service, explore::paused};

fn calls(fake: &FakeAws, caller: &str) -> Vec<String> {
    let own = fake.journal_of(caller).into_iter();
    own.map(|call| call.operation).collect()
}

#[test]
fn calls_of_create_no_op_update_and_delete_are_counted() {
    let options = Options {
        plain_passwords: true,
        ..Options::default()
    };
    in_account_with(options, async |fake, stack| {
        let bare = json!({"UserName": USER});
        stack.create(&bare).await.assert_success();
        stack.update(&bare, None).await.assert_success();
        let proved = with(bare.clone(), "RepositoryNames", json!([crate::REPOSITORY]));
        stack.update(&proved, None).await.assert_success();
        stack.delete().await.assert_success();
        let create = calls(fake, "1-Create.1");
        let no_op = calls(fake, "2-Update.1");
        let proving = calls(fake, "3-Update.1");
        let delete = calls(fake, "4-Delete.1");
        fake_aws::figure!("calls: Create {create:?}");
        fake_aws::figure!("calls: no-op Update {no_op:?}");
        fake_aws::figure!("calls: no-op Update that proves {proving:?}");
        fake_aws::figure!("calls: Delete {delete:?}");
        assert!(create.len() <= 9 + 1, "{create:?}");
        assert!(no_op.len() <= 4 + 1, "{no_op:?}");
        // The changed properties are saved again: two more.
        assert!(proving.len() <= 4 + 1 + 2 + 2, "{proving:?}");
        assert!(delete.len() <= 6 + 1, "{delete:?}");
    });
}

/// The round trips of each request, without the answer's.
async fn round_trips(properties: &Value) -> [usize; 3] {
    let fake = fake(Options {
        latency: Duration::from_millis(20),
        plain_passwords: true,
        ..Options::default()
    });
    let mut stack = stack(&fake);
    stack.create(properties).await.assert_success();
    stack.update(properties, None).await.assert_success();
    stack.delete().await.assert_success();
    ["1-Create.1", "2-Update.1", "3-Delete.1"].map(|caller| {
        fake.round_trips(|call| call.caller == caller && call.service != Service::ResponseBucket)
    })
}

#[test]
fn round_trips_of_each_request_are_bounded() {
    paused(async {
        let bare = json!({"UserName": USER});
        let [create, no_op, delete] = round_trips(&bare).await;
        fake_aws::figure!("round trips: Create {create}, no-op Update {no_op}, Delete {delete}");
        assert!(create <= 5 && no_op <= 1 && delete <= 4);
        let proved = with(bare, "RepositoryNames", json!([crate::REPOSITORY]));
        let [create, no_op, delete] = round_trips(&proved).await;
        fake_aws::figure!(
            "round trips with a repository: Create {create}, no-op Update {no_op}, Delete {delete}"
        );
        // The verification of the login runs beside the last calls of the Create.
        assert!(create <= 5 && no_op <= 2 && delete <= 4);
    });
}
