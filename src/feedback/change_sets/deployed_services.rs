//! The policies of templates/deployed-services.yaml, by the actions that they allow.

/// It is read as text. The tests of its policies compare what it has.
const TEMPLATE: &str = include_str!("../../../templates/deployed-services.yaml");

/// The remedy for `action` on the denied `resource`, which is empty if none was denied yet, as
/// Markdown. `None` if no policy allows it. Roles are passed by every policy, so another action
/// decides.
pub fn remedy(action: &str, resource: &str, env_id: &str) -> Option<String> {
    let policies = TEMPLATE.split("ManagedPolicyName: !Sub ").skip(1);
    policies.filter(|_| !action.starts_with("iam:")).find_map(|policy| {
        let statement = policy.split("- Sid: ").find(|it| words(it).any(|word| word == action))?;
        let name = policy.lines().next()?.replace("${EnvID}", env_id);
        let policy = format!(
            "`{name}` of `templates/deployed-services.yaml` to `DeployPolicyArns` of the environment's stack"
        );
        Some(match own_name(statement, resource, env_id) {
            Some(own) => format!("Name the resource `{own}…`, and add {policy}, unless it is there"),
            None => format!("Add {policy}"),
        })
    })
}

/// The beginning of the names, if neither CloudFormation's own names nor that of the `resource` has
/// it.
fn own_name(statement: &str, resource: &str, env_id: &str) -> Option<String> {
    let resources = statement.split("Condition:").next()?;
    let names = words(resources).filter(|word| word.contains("${EnvID}"));
    let names = names.filter_map(|word| word.trim_end_matches('*').rsplit([':', '/']).next());
    let mut names: Vec<String> = names.map(|name| name.replace("${EnvID}", env_id)).collect();
    let is_generated = |name: &String| name.starts_with("cfnstack-");
    let is_named = resource.contains(':');
    let fits = if is_named {
        let mut parts = resource.split([':', '/']);
        parts.any(|part| names.iter().any(|name| part.starts_with(name)))
    } else {
        names.iter().any(is_generated)
    };
    names.retain(|name| !is_generated(name));
    names.pop().filter(|_| !fits)
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
            let text = remedy(action, "", "dev").expect(action);
            assert!(
                text.contains(&format!("`policy-dev-deploys-{policy}`")),
                "{text}"
            );
            let named = text
                .strip_prefix("Name the resource ")
                .and_then(|own| own.split_once(", and add "));
            let named = named.map_or("", |(own, _)| own);
            assert_eq!(named, own, "{action}");
        }
        for action in ["iam:PassRole", "rds:CreateDBInstance", "sqs:Create"] {
            assert_eq!(remedy(action, "", "dev"), None);
        }
    }

    #[test]
    fn remedy_names_the_names_of_a_denied_resource() {
        for (action, resource, own) in [
            (
                "sqs:CreateQueue",
                "sqs:eu-central-1:1:orders",
                "`queue-dev-…`",
            ),
            (
                "sqs:CreateQueue",
                "sqs:eu-central-1:1:my-queue-dev-orders",
                "`queue-dev-…`",
            ),
            ("sqs:CreateQueue", "sqs:eu-central-1:1:queue-dev-orders", ""),
            (
                "sqs:CreateQueue",
                "sqs:eu-central-1:1:cfnstack-dev-shop-Q-1",
                "",
            ),
            (
                "logs:CreateLogGroup",
                "logs:eu-central-1:1:log-group:/orders:*",
                "`log-dev-…`",
            ),
            (
                "ssm:PutParameter",
                "ssm:eu-central-1:1:parameter/parameter-dev-a",
                "",
            ),
            (
                "lambda:CreateEventSourceMapping",
                "lambda:eu-central-1:1:event-source-mapping:1",
                "",
            ),
            ("ecs:RegisterTaskDefinition", "*", ""),
        ] {
            let text = remedy(action, resource, "dev").expect(action);
            let named = text
                .strip_prefix("Name the resource ")
                .and_then(|own| own.split_once(", and add "));
            let named = named.map_or("", |(own, _)| own);
            assert_eq!(named, own, "{action} {resource}");
        }
    }
}
