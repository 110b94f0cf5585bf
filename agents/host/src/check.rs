//! HTTP checks: is an address answering, with what, how fast.
//!
//! Names and status classes follow the collector's `httpcheck` receiver; attributes follow the conventions.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::{Request, header};
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::config::Check;
use crate::http::{Answer, HttpClient, HttpError};
use crate::instrument as i;
use crate::otlp::{Recorder, int, text};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY_BYTES: usize = 16 << 20;
const CLASSES: [(u16, &str); 5] = [(1, "1xx"), (2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")];

/// What one request found.
pub(crate) struct Finding<'a> {
    check: &'a Check,
    answer: Result<Answer, HttpError>,
    took: Duration,
}

/// Requests all addresses at once. A redirect is an answer of class 3xx, not followed.
pub(crate) async fn run<'a>(client: &HttpClient, checks: &'a [Check]) -> Vec<Finding<'a>> {
    join_all(checks.iter().map(|check| one(client, check))).await
}

async fn one<'a>(client: &HttpClient, check: &'a Check) -> Finding<'a> {
    let request = Request::get(&check.url)
        .header(header::USER_AGENT, concat!("orrery-agent/", env!("CARGO_PKG_VERSION")))
        .body(Full::<Bytes>::default())
        .expect("Config::validate checked the URL");
    let started = Instant::now();
    let answer = client.send(request, TIMEOUT, MAX_BODY_BYTES).await;
    Finding { check, answer, took: started.elapsed() }
}

/// Records findings: one `httpcheck.status` per class, always all five, so that a series says 0 when it stops
/// holding instead of ending.
pub(crate) fn record(findings: &[Finding<'_>], to: &mut Recorder) {
    for finding in findings {
        let status = finding.answer.as_ref().ok().map(|answer| answer.status.as_u16());
        for (class, name) in CLASSES {
            let hit = status.is_some_and(|status| status / 100 == class);
            let class = text("http.status_class", name);
            to.record(&i::CHECK_STATUS, i64::from(hit), [attributes(finding.check), vec![class]].concat());
        }
        let code = status.map(|status| int("http.response.status_code", i64::from(status)));
        let attributes: Vec<_> = attributes(finding.check).into_iter().chain(code).collect();
        to.record(&i::CHECK_DURATION, finding.took.as_secs_f64() * 1e3, attributes);
        if let Err(error) = &finding.answer {
            let reason = text("error.type", error.kind());
            to.record(&i::CHECK_ERROR, 1_i64, [self::attributes(finding.check), vec![reason]].concat());
        }
    }
}

fn attributes(check: &Check) -> Vec<KeyValue> {
    vec![
        text("httpcheck.name", check.name.as_str()),
        text("url.full", check.url.as_str()),
        text("http.request.method", "GET"),
    ]
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

    use super::*;
    use crate::otlp::data_points;
    use crate::testing::{Server, answer};

    async fn findings(url: String) -> (Vec<i64>, bool) {
        let checks = [Check { name: "it".to_owned(), url }];
        let findings = run(&HttpClient::new(), &checks).await;
        let mut recorder = Recorder::new(2, 1);
        record(&findings, &mut recorder);
        let metrics = recorder.finish();
        let status = metrics.iter().find(|metric| metric.name == "httpcheck.status").unwrap();
        let values = data_points(status).iter().map(|point| match point.value {
            Some(Value::AsInt(value)) => value,
            other => panic!("{other:?}"),
        });
        assert!(metrics.iter().any(|metric| metric.name == "httpcheck.duration"));
        (values.collect(), metrics.iter().any(|metric| metric.name == "httpcheck.error"))
    }

    #[tokio::test]
    async fn one_class_is_one() {
        for (status, expected) in [(204, [0, 1, 0, 0, 0]), (301, [0, 0, 1, 0, 0]), (503, [0, 0, 0, 0, 1])] {
            let server = Server::start(move |_, _| answer(status, "")).await;
            assert_eq!(findings(format!("{}/x?y", server.url)).await, (expected.to_vec(), false), "{status}");
        }
    }

    #[tokio::test]
    async fn no_answer_is_an_error() {
        assert_eq!(findings("http://127.0.0.1:9/".to_owned()).await, (vec![0; 5], true));
    }
}
