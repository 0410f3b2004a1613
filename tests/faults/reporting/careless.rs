//! Products that lack a care: no check notices them without a setting, and one does with it.

use crate::fixture::in_account;
use crate::scenarios::scenarios;
use test_support::careless::assert_each_shown;

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("report_", |story, mixture| {
        let mut known = scenarios().iter();
        let scenario = known.find(|known| known.story.name == story).expect("that story");
        in_account(async |fake| scenario.play_in(fake, mixture).await);
    });
}
