//! CloudWatch's metrics, as far as the product reads them.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    services::pages::{METRICS, page},
    world::{ApiResponse, ApiResult, Call, JsonResult, World},
};

/// The values of each metric with their times, by the `Metric` of the API as JSON.
pub type Values = BTreeMap<String, Vec<(Duration, f64)>>;

pub(crate) fn answer(values: &Values, world: &mut World, call: &Call) -> ApiResult {
    match call.operation.as_str() {
        "GetMetricData" => Ok(ApiResponse::json(&get(values, world, call)?)),
        unknown => Err(world.unknown_operation("monitoring", unknown)),
    }
}

/// "The maximum" of each period is the value here: a test writes one.
fn get(values: &Values, world: &World, call: &Call) -> JsonResult {
    let time = |name: &str| call.params[name].as_f64().unwrap_or_default();
    let (start, end) = (time("StartTime"), time("EndTime"));
    let queries = call.params["MetricDataQueries"].as_array().into_iter().flatten();
    let results = queries.map(|query| {
        let key = query["MetricStat"]["Metric"].to_string();
        let written = values.get(&key).into_iter().flatten();
        let inside = written.filter(|(at, _)| (start..end).contains(&World::seconds(*at)));
        let (times, shown): (Vec<f64>, Vec<f64>) =
            inside.map(|(at, value)| (World::seconds(*at), value)).unzip();
        json!({
            "Id": query["Id"],
            "Label": key,
            "StatusCode": world.options.metric_status.unwrap_or("Complete"),
            "Timestamps": times,
            "Values": shown,
        })
    });
    let results: Vec<Value> = results.collect();
    page(world, call, METRICS, "MetricDataResults", &results)
}
