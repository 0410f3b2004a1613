//! Each scenario without faults, in the kind world and in unkind ones.

use crate::fixture::paused;
use crate::scenarios::{Scenario, scenarios};
use fake_aws::Service;
use test_support::worlds::{Delivery, Mixture, Place, Worlds};

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    let worlds = Worlds {
        scenarios: scenarios(),
        story: |scenario| &scenario.story,
        services: &[
            Service::CloudFormation,
            Service::CodePipeline,
            Service::SecretsManager,
        ],
    };
    worlds.play_each("stories of pipelines", play_in);
}

/// Plays the story without faults in an unkind world.
pub fn play_in(scenario: &Scenario, mixture: &Mixture) {
    let mut scenario = scenario.clone();
    assert!(!mixture.may_change(&scenario.story), "not of a pipeline");
    let Place { options, delivery } = mixture.place();
    scenario.delivers_twice = delivery == Delivery::Twice;
    scenario.repeats_late = delivery == Delivery::LateCopies;
    paused(scenario.play(options, &[]));
}
