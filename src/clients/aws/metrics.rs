//! Reads metrics of CloudWatch.
//!
//! Its SDK is not worth this one request, as that of [`logs`](super::logs).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_types::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call_error::CallError;
use super::signed::{JsonRequest, ServiceName, Signed};
use crate::clients::http::Http;
use crate::common::reason_codes::Code;

const SERVICE: ServiceName = ("CloudWatch", "monitoring");

const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.0"),
    (
        "x-amz-target",
        "GraniteServiceVersion20100801.GetMetricData",
    ),
];

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
/// (`MetricDataQueries`)
const MAX_QUERIES: usize = 500;

/// A page has at most 100,800 values, each with a time.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The time of a value.
const PERIOD: Duration = Duration::from_hours(1);

/// A client of CloudWatch.
#[derive(Clone, Debug)]
pub struct Metrics(Signed);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricPage {
    #[serde(default)]
    metric_data_results: Vec<MetricResult>,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MetricResult {
    id: String,
    timestamps: Vec<f64>,
    values: Vec<f64>,
    status_code: String,
}

impl Metrics {
    /// Requests with the region, endpoint and credentials of `config`, through `http`.
    pub fn new(config: SdkConfig, http: Http) -> Self {
        Metrics(Signed::new(config, http))
    }

    /// The beginnings of the last hours in which each of `metrics` was above zero. `None` if it
    /// was not. Each is a `Metric` of CloudWatch's API.
    pub async fn last_above_zero(
        &self,
        metrics: &[Value],
        during: Range<SystemTime>,
    ) -> Result<Vec<Option<SystemTime>>, CallError> {
        let mut last = vec![];
        for metrics in metrics.chunks(MAX_QUERIES) {
            let results = self.read(metrics, &during).await?;
            last.extend((0..metrics.len()).map(|number| results.get(&id(number)).copied()));
        }
        Ok(last)
    }

    /// The same by the IDs of the queries.
    async fn read(
        &self,
        metrics: &[Value],
        during: &Range<SystemTime>,
    ) -> Result<BTreeMap<String, SystemTime>, CallError> {
        let doing = "reading metrics of CloudWatch";
        let query = |(number, metric)| {
            let stat = json!({"Period": PERIOD.as_secs(), "Stat": "Maximum", "Metric": metric});
            json!({"Id": id(number), "MetricStat": stat})
        };
        let mut body = json!({
            "MetricDataQueries": metrics.iter().enumerate().map(query).collect::<Value>(),
            "StartTime": seconds(during.start),
            "EndTime": seconds(during.end),
        });
        let (mut last, mut statuses) = (BTreeMap::new(), BTreeMap::new());
        loop {
            let request = JsonRequest {
                service: SERVICE,
                action: "cloudwatch:GetMetricData",
                headers: &HEADERS,
                body: body.clone(),
                max_bytes: MAX_BYTES,
            };
            let page: MetricPage = self.0.send_json(&request, doing).await?;
            for result in page.metric_data_results {
                let points = result.timestamps.iter().zip(&result.values);
                let above = points.filter(|(_, value)| **value > 0.0);
                let times = above.filter_map(|(at, _)| Duration::try_from_secs_f64(*at).ok());
                let known = last.get(&result.id).copied();
                let newest = times.map(|at| UNIX_EPOCH + at).chain(known).max();
                last.extend(newest.map(|at| (result.id.clone(), at)));
                // That of the last page counts.
                statuses.insert(result.id, result.status_code);
            }
            match page.next_token {
                Some(token) => body["NextToken"] = json!(token),
                None => break,
            }
        }
        if statuses.values().any(|status| status != "Complete") {
            let cause = "CloudWatch's values are incomplete";
            return Err(CallError::local(
                Code::AwsUnavailable,
                doing.to_owned(),
                cause,
            ));
        }
        Ok(last)
    }
}

fn id(number: usize) -> String {
    format!("m{number}")
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
