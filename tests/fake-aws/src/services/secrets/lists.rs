//! Secrets Manager's `ListSecrets`. Sentences in quotation marks are from the API reference.

use serde_json::{Map, Value, json};

use crate::{
    services::secrets::secret::{Secret, Secrets, invalid_parameter},
    world::{Call, History, JsonResult, World, rejected},
};

const LONGEST_PAGE: usize = 100;

/// "Lists the secrets […] not including secrets that are marked for deletion" unless they are
/// requested.
pub fn list(secrets: &Secrets, seen: &History<Secrets>, world: &World, call: &Call) -> JsonResult {
    let filters = call.params.get("Filters").and_then(Value::as_array);
    let filters: Vec<&Value> = filters.into_iter().flatten().collect();
    for filter in &filters {
        // AWS has further ones, which the product does not use.
        if filter["Key"] != "name" && filter["Key"] != "tag-key" {
            return Err(invalid_parameter("the fake does not know this filter"));
        }
    }
    let late = world.options.secret_lists_late;
    let secrets = if late.is_zero() {
        secrets
    } else {
        seen.seen(world.now, late)
    };
    let with_deleted = call.flag("IncludePlannedDeletion");
    let listed = |secret: &&Secret| with_deleted || secret.deletion.is_none();
    let mut all: Vec<&Secret> = secrets.values().filter(listed).collect();
    // "If not specified, secrets are listed by CreatedDate."
    all.sort_by_key(|secret| secret.created);
    let asked = call.params.get("MaxResults").and_then(Value::as_u64);
    let asked = asked.map_or(LONGEST_PAGE, |asked| usize::try_from(asked).unwrap_or(0));
    if !(1..=LONGEST_PAGE).contains(&asked) {
        return Err(invalid_parameter("MaxResults is 1 to 100."));
    }
    let length = asked.min(world.options.page_length.unwrap_or(LONGEST_PAGE));
    let start = match call.text("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|at| at.parse().ok())
            .ok_or_else(|| rejected("InvalidNextTokenException", "The NextToken is not valid."))?,
    };
    // "This can occur even when the response includes no values at all, such as when you ask for a
    // filtered view of a long list": the filters apply to each page.
    let page = all.iter().skip(start).take(length);
    let page: Vec<Value> = page
        .filter(|secret| filters.iter().all(|filter| matches(secret, filter)))
        .map(|secret| described(secret, "SecretVersionsToStages"))
        .collect();
    let mut body = json!({"SecretList": page});
    if start + length < all.len() {
        body["NextToken"] = format!("from-{}", start + length).into();
    }
    Ok(body)
}

/// Any of the values, by its beginning: "Prefix match, case-sensitive".
fn matches(secret: &Secret, filter: &Value) -> bool {
    let values = filter["Values"].as_array().into_iter().flatten();
    values.filter_map(Value::as_str).any(|wanted| {
        assert!(!wanted.starts_with('!'), "the fake does not know negation");
        let begins = |text: &String| text.starts_with(wanted);
        if filter["Key"] == "name" {
            begins(&secret.name)
        } else {
            secret.tags.keys().any(begins)
        }
    })
}

/// The description of a secret, with its versions under a name.
pub fn described(secret: &Secret, versions: &str) -> Value {
    let mut body = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": World::seconds(secret.created),
        "LastChangedDate": World::seconds(secret.changed),
    });
    // `DescribeSecret` omits them if there are none: recorded in LocalStack's snapshots. Of
    // `ListSecrets` this is assumed.
    if !secret.tags.is_empty() {
        let tags = secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
        body["Tags"] = tags.collect();
    }
    // "Versions that have no staging labels […] aren't included in this list."
    let all = secret.versions.iter();
    let labelled = all.filter(|(_, version)| !version.stages.is_empty());
    let stages = labelled.map(|(id, version)| (id.clone(), json!(version.stages)));
    let stages: Map<String, Value> = stages.collect();
    if !stages.is_empty() {
        body[versions] = stages.into();
    }
    // "If the secret has never been configured for rotation […] returns null."
    if let Some(rotation) = &secret.rotation {
        body["RotationEnabled"] = json!(rotation.enabled);
        body["RotationLambdaARN"] = json!(rotation.function);
        let rules = json!({"AutomaticallyAfterDays": rotation.days});
        body["RotationRules"] = rules;
        if let Some(last) = rotation.last {
            body["LastRotatedDate"] = json!(World::seconds(last));
        }
    }
    if let Some(description) = &secret.description {
        body["Description"] = json!(description);
    }
    // "If the secret is encrypted with the AWS managed key aws/secretsmanager,
    // this field is omitted."
    if let Some(key) = &secret.kms_key_id {
        body["KmsKeyId"] = json!(key);
    }
    if let Some(deletion) = secret.deletion {
        body["DeletedDate"] = json!(World::seconds(deletion.asked));
    }
    body
}
