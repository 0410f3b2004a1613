//! Two deliveries of one request at once, and a Create beside the Delete that cancels it: where
//! there are mirrors, too many orders to try each.

use std::time::Duration;

use crate::checks::{self, Watch};
use crate::fixture::{both, in_orders, in_orders_with, late, properties, request_delete, serial};
use fake_aws::Options;
use test_support::custom_resource::{INVENTED_ID, deliver_both, deliver_once};

#[test]
fn request_delivered_twice_at_once_ends_as_once() {
    for (is_update, options) in [
        (false, Options::default()),
        (false, late()),
        (true, Options::default()),
        (true, late()),
    ] {
        in_orders_with(&options, (50, 4), async |fake, stack, _, schedule| {
            let watch = Watch::begin(fake);
            let (request, wanted) = if is_update {
                stack.create(&properties()).await.assert_success();
                tokio::time::sleep(Duration::from_mins(1)).await;
                watch.expect(checks::pairs(&properties()));
                let next = serial(&both(), 2);
                (stack.request_update(&next), next)
            } else {
                let create = stack.request("Create", None, &properties(), None);
                (create, properties())
            };
            deliver_both(fake, schedule, ("one", &request), ("other", &request)).await;
            stack.heard(&request).await.assert_success();
            fake.assert_holds(|aws| checks::at_rest(aws, &wanted, false));
        });
    }
}

#[test]
fn delete_that_overtakes_a_running_create_leaves_nothing() {
    for options in [Options::default(), late()] {
        in_orders_with(&options, (100, 4), async |fake, stack, _, schedule| {
            let create = stack.request("Create", None, &properties(), None);
            let delete = stack.request("Delete", Some(INVENTED_ID), &properties(), None);
            deliver_both(fake, schedule, ("one", &create), ("other", &delete)).await;
            stack.heard(&delete).await.assert_success();
            fake.assert_holds_in("after both", checks::nothing_remains);
            deliver_once(fake, "create again", &create).await;
            fake.assert_holds_in("after the Create came again", checks::nothing_remains);
        });
    }
}

#[test]
fn delete_beside_an_update_leaves_nothing() {
    in_orders(100, 4, async |fake, stack, _, schedule| {
        stack.create(&properties()).await.assert_success();
        // An Update that is too late: CloudFormation no longer waits for it.
        let update = stack.request_update(&serial(&both(), 2));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let delete = request_delete(stack);
        deliver_both(fake, schedule, ("one", &update), ("other", &delete)).await;
        stack.heard(&delete).await.assert_success();
        fake.assert_holds_in("after both", checks::nothing_remains);
    });
}
