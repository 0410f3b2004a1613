//! Denials of the deploy role, with what to do about each.

use crate::gitops_pipeline::names::ResourceNames;

/// What lets pipelines perform an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// A policy.
    Policy,
    /// The boundary of deployed roles: the deploy role's limits deny each role without it, and no policy lifts them.
    Boundary,
    /// None: the deploy role's limits deny the action.
    ByHand,
}

impl Remedy {
    /// Every remedy.
    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Policy, Self::Boundary, Self::ByHand];

    /// The remedy for an action that no policy allows, by the limits of the deploy role in template.yaml.
    pub fn of_missing(action: &str) -> Self {
        let Some(name) = action.strip_prefix("iam:") else {
            return Remedy::Policy;
        };
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["PassRole", "ServiceLinkedRole", "InstanceProfile"]) {
            return Remedy::Policy;
        }
        if has(&["User", "Group"]) || !has(&["Role", "Policy"]) {
            return Remedy::ByHand;
        }
        if has(&["Role"]) {
            return Remedy::Boundary;
        }
        Remedy::Policy
    }

    /// The sentence in GitLab and in the runbook.
    pub fn text(self, env_id: &str) -> String {
        match self {
            Remedy::Policy => {
                "Add a policy that allows it to DeployPolicyArns of the environment's stack"
                    .to_owned()
            }
            Remedy::Boundary => format!(
                "Set DeployedRoles=Bounded in the environment's stack, and in the role PermissionsBoundary: !Sub \
                 arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/policy-{env_id}-deployed-roles"
            ),
            Remedy::ByHand => {
                "No policy can allow it: remove it from the template, and deploy it by hand"
                    .to_owned()
            }
        }
    }
}

/// A denial in IAM's words.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[derive(Debug)]
pub struct Denial<'a> {
    action: &'a str,
    resource: Option<&'a str>,
    remedy: Remedy,
}

impl<'a> Denial<'a> {
    /// The denial in `reason` that the policies of the deploy role cause. `None` for a denial by a boundary or by an
    /// organization's policy, whose own text names the cause.
    pub fn parse(reason: &'a str, names: &ResourceNames) -> Option<Self> {
        let session = format!("/{}/", names.deploy_role());
        let (_, denial) = reason.split_once(&session)?;
        let (_, denial) = denial.split_once("is not authorized to perform: ")?;
        let action = denial.split_whitespace().next()?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
        if !action.chars().all(is_name) {
            return None;
        }
        let remedy = Remedy::of_missing(action);
        let explicit = denial.split_once("with an explicit deny");
        let remedy = match explicit {
            None => denial
                .contains("no identity-based policy allows")
                .then_some(remedy)?,
            Some((_, cause))
                if cause.starts_with(" in a") && !cause.starts_with(" in an identity-based") =>
            {
                return None;
            }
            Some(_) if remedy == Remedy::Boundary => remedy,
            Some(_) => Remedy::ByHand,
        };
        let resource = denial.split_once(" on resource: ");
        let resource = resource.and_then(|(_, rest)| rest.split_whitespace().next());
        Some(Denial {
            action,
            resource,
            remedy,
        })
    }

    /// The text in GitLab. `shown` removes values.
    pub fn shown(&self, names: &ResourceNames, shown: impl Fn(&str) -> String) -> String {
        let (action, remedy) = (shown(self.action), self.remedy.text(&names.env_id));
        // The longest remedy needs the space, and the role is in the template.
        let resource = self.resource.filter(|_| self.remedy != Remedy::Boundary);
        let resource = resource.map_or(String::new(), |resource| format!(" ({})", shown(resource)));
        format!("pipelines may not call {action}. {remedy}{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNBOOK: &str = include_str!("../../../docs/runbook/README.md");

    #[test]
    fn runbook_has_every_remedy() {
        for remedy in Remedy::ALL {
            let text = remedy.text("<EnvID>");
            assert!(RUNBOOK.replace('`', "").contains(&text), "{text}");
        }
    }
}
