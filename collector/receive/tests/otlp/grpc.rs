//! Checks G1 to G17.

use crate::support::*;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

#[tokio::test]
async fn g06_full_success_leaves_partial_success_unset() {
    let server = Server::start().await;
    let mut client = TraceServiceClient::connect(server.grpc_url()).await.unwrap();
    let response = client.export(traces(vec![span("a", 1), span("b", 2)])).await.unwrap();
    assert_eq!(response.into_inner().partial_success, None);
    assert_eq!(server.sink.rows(), 2);
}
