//! Products with one defect each: a check notices it.

use crate::scenarios::Reports;
use test_support::defects::assert_each_noticed;

#[test]
fn defect_is_noticed_in_its_story() {
    assert_each_noticed::<Reports>();
}
