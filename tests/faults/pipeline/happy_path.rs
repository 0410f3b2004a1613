//! Each story without faults, in the kind world and in unkind ones.

use crate::scenarios::Pipelines;
use test_support::worlds::play_in_each_world;

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    play_in_each_world::<Pipelines>("stories of pipelines");
}
