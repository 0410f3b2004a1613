//! Denials of the deploy role, with the remedy of each.

use super::deployed_services;
use crate::gitops_pipeline::names;
use crate::gitops_pipeline::names::ResourceNames;

/// The remedy for an action that pipelines may not perform. If several actions have different
/// remedies, the first one suffices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenialRemedy {
    Policy,
    /// The boundary of deployed roles: the deploy role's limits deny each role without it, and no
    /// policy lifts them.
    Boundary,
    /// Another name: the limits deny each role that is not named after the environment or a stack.
    RoleName,
    /// None: the limits deny the action.
    ByHand,
}

impl DenialRemedy {
    #[cfg(test)]
    pub const ALL: [Self; 4] = [Self::Policy, Self::Boundary, Self::RoleName, Self::ByHand];

    /// The remedy for an action that no policy allows, by the limits of the deploy role in
    /// template.yaml.
    pub fn of_missing(action: &str) -> Self {
        let Some(name) = action.strip_prefix("iam:") else {
            return DenialRemedy::Policy;
        };
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["PassRole", "ServiceLinkedRole", "InstanceProfile"]) {
            return DenialRemedy::Policy;
        }
        if has(&["User", "Group"]) || !has(&["Role", "Policy"]) {
            return DenialRemedy::ByHand;
        }
        if has(&["Role"]) {
            return DenialRemedy::Boundary;
        }
        DenialRemedy::Policy
    }

    /// The remedy for an action that the limits deny.
    fn of_denied(action: &str, resource: &str, names: &ResourceNames) -> Self {
        if Self::of_missing(action) != DenialRemedy::Boundary {
            return DenialRemedy::ByHand;
        }
        Self::of_role(resource, names)
    }

    /// The remedy for a role, by its name.
    fn of_role(resource: &str, names: &ResourceNames) -> Self {
        let role = resource.split_once(":role/").map_or("", |(_, name)| name);
        let prefixes = [
            names::ROLES.prefix(&names.env_id),
            names::DEPLOYED_STACK.prefix(&names.env_id),
        ];
        if role.is_empty() || prefixes.iter().any(|prefix| role.starts_with(prefix)) {
            return DenialRemedy::Boundary;
        }
        DenialRemedy::RoleName
    }

    /// The sentence for one action, as Markdown. `resource` is empty before it was denied.
    pub fn text_for(self, action: &str, resource: &str, env_id: &str) -> String {
        let of_services = deployed_services::remedy(action, resource, env_id);
        let of_services = of_services.filter(|_| self == DenialRemedy::Policy);
        of_services.unwrap_or_else(|| self.text(env_id))
    }

    /// The sentence in GitLab and in the runbook, as Markdown.
    pub fn text(self, env_id: &str) -> String {
        match self {
            DenialRemedy::Policy => {
                "Add a policy that allows it to `DeployPolicyArns` of the environment's stack"
                    .to_owned()
            }
            DenialRemedy::Boundary => format!(
                "Set `DeployedRoles=Bounded` in the environment's stack, and in the role `PermissionsBoundary: !Sub \
                 arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy/{}`",
                names::DEPLOYED_ROLES_BOUNDARY.prefix(env_id)
            ),
            DenialRemedy::RoleName => {
                format!(
                    "Name the role `{}…`, or omit its name",
                    names::ROLES.prefix(env_id)
                )
            }
            DenialRemedy::ByHand => {
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
    resource: &'a str,
    remedy: DenialRemedy,
    /// The words of the reason before it.
    before: Vec<&'a str>,
}

impl<'a> Denial<'a> {
    /// The first denial in `reason`, if the policies of the deploy role cause it. `None` for a
    /// denial by a boundary or by an organization's policy, whose own text names the cause.
    pub fn parse(reason: &'a str, names: &ResourceNames) -> Option<Self> {
        const DENIED: &str = " is not authorized to perform: ";
        let mut denials = reason.split(DENIED);
        let before: Vec<&str> = denials.next()?.split_whitespace().collect();
        let (principal, before) = before.split_last()?;
        let denial = denials.next()?;
        let action = denial.split_whitespace().next()?;
        let is_of_role = principal.contains(&format!("/{}/", names.deploy_role()));
        if !is_of_role || !is_action(action) {
            return None;
        }
        let resource = denial.split_once(" on resource: ");
        let resource = resource.and_then(|(_, rest)| rest.split_whitespace().next());
        let resource = resource.unwrap_or_default();
        let remedy = match denial.split_once("with an explicit deny") {
            Some((_, by)) if by.starts_with(" in a ") => return None,
            Some(_) => DenialRemedy::of_denied(action, resource, names),
            None if denial.contains("no identity-based policy allows") => {
                match DenialRemedy::of_missing(action) {
                    DenialRemedy::Boundary => DenialRemedy::of_role(resource, names),
                    other => other,
                }
            }
            None => return None,
        };
        Some(Denial {
            action,
            resource,
            remedy,
            before: before.to_vec(),
        })
    }

    /// Whether the reason begins with it. Otherwise it may be a part of a name.
    pub fn is_first(&self) -> bool {
        matches!(self.before[..], ["User:"] | ["API:", _, "User:"])
    }

    /// The action, if its remedy is a policy that templates/deployed-services.yaml does not have.
    pub fn needs_own_policy(&self) -> Option<&'a str> {
        let is_of_services = || deployed_services::remedy(self.action, self.resource, "").is_some();
        (self.remedy == DenialRemedy::Policy && !is_of_services()).then_some(self.action)
    }

    /// Whether the reason begins with it, after the frame of a resource that failed.
    pub fn is_of_resource(&self) -> bool {
        let ([frame @ .., "API:", _, "User:"] | [frame @ .., "User:" | "\"User:"]) =
            &self.before[..]
        else {
            return false;
        };
        let of_handler = ["Resource", "handler", "returned", "message:"];
        let frame = frame.strip_suffix(&of_handler).unwrap_or(frame);
        frame.last().is_none_or(|last| last.ends_with("_FAILED:"))
    }

    /// The text in GitLab. `None` if it may contain a value, which `shown` removes. A resource may
    /// have a value in its name that is unknown.
    pub fn shown(
        &self,
        names: &ResourceNames,
        hides_resource: bool,
        shown: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        // The whole reason becomes code.
        let remedy =
            self.remedy.text_for(self.action, self.resource, &names.env_id).replace('`', "");
        let action = shown(self.action)?;
        // The longest remedy needs the space, and the role is in the template.
        let is_short = self.remedy != DenialRemedy::Boundary;
        let resource =
            shown(self.resource).filter(|it| is_short && !hides_resource && !it.is_empty());
        let resource = resource.map_or(String::new(), |resource| format!(" ({resource})"));
        Some(format!(
            "pipelines may not call {action}. {remedy}{resource}"
        ))
    }
}

/// Whether `text` is the name of an action, such as `dynamodb:CreateTable`.
fn is_action(text: &str) -> bool {
    let is_alphanumeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.split_once(':').is_some_and(|(service, name)| {
        let begins = name.starts_with(|c: char| c.is_ascii_uppercase());
        begins && is_alphanumeric(name) && is_alphanumeric(&service.replace('-', ""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNBOOK: &str = include_str!("../../../docs/runbook/README.md");

    #[test]
    fn runbook_has_every_remedy() {
        for remedy in DenialRemedy::ALL {
            let text = remedy.text("<EnvID>");
            assert!(RUNBOOK.contains(&text), "{text}");
        }
    }
}
