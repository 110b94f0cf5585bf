//! What a fuzzer starts from: captured requests and, so that every field occurs, generated ones, always the same.

use crate::generate::{any_logs, any_metrics, any_traces};
use crate::oracle::Request;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

const GENERATED: usize = 60;

macro_rules! captured {
    ($($name:literal),*) => {
        [$(include_bytes!(concat!("../../collector/receive/tests/fixtures/", $name)).to_vec()),*]
    };
}

fn generated<R: Request>(requests: impl Strategy<Value = R>) -> Vec<R> {
    let mut runner = TestRunner::deterministic();
    (0..GENERATED).map(|_| requests.new_tree(&mut runner).expect("nothing is filtered").current()).collect()
}

fn protobuf<R: Request>(requests: &[R]) -> impl Iterator<Item = Vec<u8>> {
    requests.iter().map(R::encode_to_vec)
}

pub(crate) fn traces() -> Vec<Vec<u8>> {
    let captured =
        captured!["python-traces-checkout.pb", "python-traces-payment.pb", "python-traces-worker.pb"].into_iter();
    captured.chain(protobuf(&generated(any_traces()))).collect()
}

pub(crate) fn logs() -> Vec<Vec<u8>> {
    captured!["python-logs.pb"].into_iter().chain(protobuf(&generated(any_logs()))).collect()
}

pub(crate) fn metrics() -> Vec<Vec<u8>> {
    captured!["python-metrics.pb"].into_iter().chain(protobuf(&generated(any_metrics()))).collect()
}

pub(crate) fn json() -> Vec<Vec<u8>> {
    let text = |json: serde_json::Value| json.to_string().into_bytes();
    let captured = captured![
        "node-traces.json",
        "node-logs.json",
        "node-metrics.json",
        "spec-trace.json",
        "spec-logs.json",
        "spec-events.json",
        "spec-metrics.json"
    ];
    let mut seeds = captured.to_vec();
    seeds.extend(generated(any_traces()).iter().map(|request| text(request.json())));
    seeds.extend(generated(any_logs()).iter().map(|request| text(request.json())));
    seeds.extend(generated(any_metrics()).iter().map(|request| text(request.json())));
    seeds
}
