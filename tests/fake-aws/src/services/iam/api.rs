//! IAM's query protocol: parameters in, XML out, lists in pages.

use crate::{
    services::iam::{ACCOUNT, Credential, Iam, User, role_policies},
    world::{
        ApiResponse, ApiResult, AwsError, Call, History, Tags, World, element, elements, rejected,
    },
};

/// The page's length if the caller requests no shorter one.
const PAGE: usize = 100;

pub fn answer(iam: &mut History<Iam>, world: &mut World, call: &Call, caller: &str) -> ApiResult {
    let policies = &iam.latest().role_policies;
    if let Some(result) = role_policies::answer(policies, call) {
        return Ok(response(
            &call.operation,
            &element(&format!("{}Result", call.operation), &result?),
        ));
    }
    let now = world.now;
    if call.operation == "ListUsers" {
        let seen = iam.seen(now, world.lateness(call, world.options.tags_late));
        // "This operation does not return […] Tags" (API reference, `ListUsers`).
        let users = seen.users.iter().map(|(name, user)| element("member", &described(name, user)));
        let page = page(world, call, "Users", users.collect())?;
        return Ok(response("ListUsers", &element("ListUsersResult", &page)));
    }
    let user = valid_user_name(call)?.to_owned();
    let id = call.needed("ServiceSpecificCredentialId").to_owned();
    let result = match call.operation.as_str() {
        "CreateServiceSpecificCredential" => {
            let service = call.needed("ServiceName").to_owned();
            let random = &mut world.random;
            let issued = iam.change(now, |iam| iam.issue(&user, &service, caller, now, random))?;
            world.remember_secret(&issued.password);
            with_password(&user, &issued)
        }
        "ResetServiceSpecificCredential" => {
            let random = &mut world.random;
            let reset = iam.change(now, |iam| iam.reset(&user, &id, random))?;
            world.remember_secret(&reset.password);
            with_password(&user, &reset)
        }
        "UpdateServiceSpecificCredential" => {
            let status = call.needed("Status").to_owned();
            iam.change(now, |iam| iam.set_active(&user, &id, &status))?;
            String::new()
        }
        "DeleteServiceSpecificCredential" => {
            iam.change(now, |iam| iam.withdraw(&user, &id))?;
            String::new()
        }
        "ListServiceSpecificCredentials" => {
            let seen = iam.seen(now, world.lateness(call, world.options.lists_late));
            let found = seen.credentials(&user, call.text("ServiceName"))?;
            let members =
                found.iter().map(|one| format!("<member>{}</member>", metadata(&user, one)));
            page(world, call, "ServiceSpecificCredentials", members.collect())?
        }
        "ListUserTags" => {
            let seen = iam.seen(now, world.lateness(call, world.options.tags_late));
            page(world, call, "Tags", members(&seen.user(&user)?.tags))?
        }
        "TagUser" => {
            let keys = call.members("Tags", ".Key");
            let values = call.members("Tags", ".Value");
            let added: Vec<_> = keys.into_iter().zip(values).collect();
            iam.change(now, |iam| iam.tag(&user, &added))?;
            String::new()
        }
        "UntagUser" => {
            let keys = call.members("TagKeys", "");
            iam.change(now, |iam| iam.untag(&user, &keys))?;
            String::new()
        }
        unknown => return Err(world.unknown_operation("iam", unknown)),
    };
    let operation = &call.operation;
    let result = if call.reads() || !result.is_empty() {
        element(&format!("{operation}Result"), &result)
    } else {
        result
    };
    Ok(response(operation, &result))
}

fn described(name: &str, user: &User) -> String {
    let path = if user.path.is_empty() {
        "/"
    } else {
        &user.path
    };
    elements([
        ("Path", Some(path)),
        ("UserName", Some(name)),
        ("UserId", Some(&user.id)),
        (
            "Arn",
            Some(&format!("arn:aws:iam::{ACCOUNT}:user{path}{name}")),
        ),
        ("CreateDate", Some(&World::date(user.created))),
    ])
}

fn response(operation: &str, result: &str) -> ApiResponse {
    ApiResponse::xml(format!(
        "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">{result}\
         <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId>\
         </ResponseMetadata></{operation}Response>"
    ))
}

/// IAM's user names: `[\w+=,.@-]+`. A request without one means the caller's
/// own user, which a Lambda function does not have.
fn valid_user_name(call: &Call) -> Result<&str, AwsError> {
    let name = call.needed("UserName");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !name.is_empty() && name.len() <= 128 && name.chars().all(allowed) {
        return Ok(name);
    }
    let message = "1 validation error detected: Value at 'userName' failed to satisfy constraint: \
                   Member must satisfy regular expression pattern: [\\w+=,.@-]+";
    Err(rejected("ValidationError", message))
}

fn metadata(user: &str, credential: &Credential) -> String {
    let status = if credential.active {
        "Active"
    } else {
        "Inactive"
    };
    elements([
        ("UserName", Some(user)),
        ("Status", Some(status)),
        ("ServiceUserName", Some(&credential.service_user_name)),
        ("CreateDate", Some(&World::date(credential.created))),
        ("ServiceSpecificCredentialId", Some(&credential.id)),
        ("ServiceName", Some(&credential.service)),
    ])
}

/// "This is the only time that the password can be viewed" (and at Reset).
fn with_password(user: &str, credential: &Credential) -> String {
    let password = element("ServicePassword", &credential.password);
    let content = metadata(user, credential) + &password;
    element("ServiceSpecificCredential", &content)
}

fn members(tags: &Tags) -> Vec<String> {
    let member = |(key, value): (&String, &String)| {
        let pair = elements([("Key", Some(key)), ("Value", Some(value))]);
        element("member", &pair)
    };
    tags.iter().map(member).collect()
}

/// "IAM might return fewer than the `MaxItems` number of results, even when there
/// are more results available": `IsTruncated` and `Marker` show it.
fn page(world: &World, call: &Call, list: &str, members: Vec<String>) -> Result<String, AwsError> {
    let asked = call.text("MaxItems").and_then(|items| items.parse().ok());
    let length = asked.unwrap_or(PAGE).min(world.options.page_length.unwrap_or(PAGE));
    let start = match call.text("Marker") {
        None => 0,
        Some(marker) => marker
            .strip_prefix("from-")
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| rejected("ValidationError", "Invalid Marker."))?,
    };
    let rest: Vec<String> = members.into_iter().skip(start).collect();
    let truncated = rest.len() > length;
    let mut xml = element(list, &rest[..length.min(rest.len())].concat());
    xml += &element("IsTruncated", if truncated { "true" } else { "false" });
    if truncated {
        xml += &element("Marker", &format!("from-{}", start + length));
    }
    Ok(xml)
}
