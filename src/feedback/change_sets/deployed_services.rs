//! The policies of templates/deployed-services.yaml, by the actions that they allow.

/// It is read as text. The tests of its policies compare what it has.
const TEMPLATE: &str = include_str!("../../../templates/deployed-services.yaml");

/// The remedy for `action`, as Markdown. `None` if no policy allows it. Roles are passed by every
/// policy, so another action decides.
pub fn remedy(action: &str, env_id: &str) -> Option<String> {
    let policies = TEMPLATE.split("ManagedPolicyName: !Sub ").skip(1);
    policies.filter(|_| !action.starts_with("iam:")).find_map(|policy| {
        let statement = policy.split("- Sid: ").find(|it| words(it).any(|word| word == action))?;
        let name = policy.lines().next()?.replace("${EnvID}", env_id);
        let own = own_name(statement).map_or(String::new(), |own| {
            let own = own.trim_end_matches('*').replace("${EnvID}", env_id);
            format!(", and name the resource `{own}…`")
        });
        Some(format!(
            "Add `{name}` of `templates/deployed-services.yaml` to `DeployPolicyArns` of the environment's stack{own}"
        ))
    })
}

/// The pattern of the names, if CloudFormation's own names do not match it.
fn own_name(statement: &str) -> Option<&str> {
    let mut names = words(statement).filter(|word| word.contains("${EnvID}"));
    let first = names.next()?;
    let has_both = first.contains("cfnstack-") || names.any(|name| name.contains("cfnstack-"));
    first.rsplit([':', '/']).next().filter(|_| !has_both)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "[],".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedy_names_the_policy_and_a_name_that_is_needed() {
        for (action, policy, own) in [
            ("dynamodb:CreateTable", "data", ""),
            ("sqs:CreateQueue", "messages", ""),
            ("sns:Unsubscribe", "messages", ""),
            ("apigateway:POST", "functions", ""),
            (
                "states:CreateStateMachine",
                "functions",
                "`state-machine-dev-…`",
            ),
            ("lambda:PublishLayerVersion", "functions", "`layer-dev-…`"),
            ("logs:CreateLogGroup", "observation", ""),
            (
                "cloudwatch:PutDashboard",
                "observation",
                "`dashboard-dev-…`",
            ),
            ("ssm:PutParameter", "configuration", "`parameter-dev-…`"),
            ("kms:CreateKey", "configuration", ""),
            ("kms:CreateAlias", "configuration", "`key-dev-…`"),
            ("ecs:RegisterTaskDefinition", "containers", ""),
        ] {
            let text = remedy(action, "dev").expect(action);
            assert!(
                text.contains(&format!("`policy-dev-deploys-{policy}`")),
                "{text}"
            );
            let named = text.split_once(", and name the resource ").map_or("", |(_, own)| own);
            assert_eq!(named, own, "{action}");
        }
        for action in ["iam:PassRole", "rds:CreateDBInstance", "sqs:Create"] {
            assert_eq!(remedy(action, "dev"), None);
        }
    }
}
