use cfn_gitops::common::ascii;
use fake_aws::AwsState;
use serde_json::Value;

/// The settings that the stack `name` stores. `None` if it stores none.
pub fn child_settings(aws: &AwsState, name: &str) -> Option<Value> {
    let stored = aws.stacks.named(name)?.outputs.get("Settings")?;
    Some(serde_json::from_str(stored).expect("JSON"))
}

/// Changes them, as an update by hand does.
pub fn set_child_settings(aws: &mut AwsState, name: &str, set: impl FnOnce(&mut Value)) {
    let mut stored = child_settings(aws, name).expect("settings");
    set(&mut stored);
    let now = aws.now;
    let child = aws.stacks.named_mut(name).expect("it has settings");
    child.outputs.insert("Settings".to_owned(), ascii::escape(&stored.to_string()));
    child.arrange("UPDATE_COMPLETE", None, None, now);
}
