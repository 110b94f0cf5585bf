//! The OpenAPI document, from [`ENDPOINTS`] and the schemas of `orrery-api`. Compiled for tests only: the server sends
//! the committed file, and the test below fails when that is out of date.

use crate::api::endpoint::{ANY_JSON, Endpoint, Verb};
use crate::api::params::Parameter;
use crate::api::{
    alerting, download, export, findings, flame, links, live, logs, map, metrics, own, pins, relations, retention,
    series, services, sql, tail, traces, upload, views,
};
use orrery_api as api;
use serde_json::json;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, License, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, Type,
};

/// Everything documented, in the order of the document.
const ENDPOINTS: &[&Endpoint] = &[
    &services::TOPOLOGY,
    &map::DIFF,
    &map::IMPACT,
    &findings::LIST,
    &services::LIST,
    &services::DETAIL,
    &traces::LIST,
    &series::SERIES,
    &flame::FLAME,
    &series::KEYS,
    &series::VALUES,
    &traces::DETAIL,
    &traces::COLUMNS,
    &traces::SPAN,
    &relations::LINKS,
    &relations::DIFF,
    &services::STANDING,
    &upload::VIEW,
    &pins::LIST,
    &pins::PIN,
    &pins::UNPIN,
    &download::OTLP,
    &download::JAEGER,
    &traces::VALUES,
    &logs::LIST,
    &logs::HISTOGRAM,
    &tail::TAIL,
    &metrics::NAMES,
    &metrics::RANGE,
    &metrics::HOSTS,
    &export::EXPORT,
    &retention::RETENTION,
    &sql::SQL,
    &sql::SCHEMA,
    &own::SELF,
    &views::LIST,
    &views::SAVE,
    &views::CHANGE,
    &views::DELETE,
    &links::LINK,
    &links::TEMPLATES,
    &live::LIVE,
];

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Orrery")
        .version("v1")
        .description(Some(
            "Times are Unix nanoseconds and durations nanoseconds, as decimal strings: JavaScript numbers are exact only to 2^53. \
             `from`/`to` are a half-open range. Every list says in `partial` why something is missing. Errors are RFC 9457 problem \
             documents; every answer has an `x-request-id`.",
        ))
        .license(Some(License::new("Apache-2.0")));
    let mut paths = PathsBuilder::new();
    for endpoint in ENDPOINTS.iter().chain(alerting::ENDPOINTS) {
        paths = paths.path(endpoint.path, PathItem::new(method(endpoint), operation(endpoint).build()));
    }
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(schemas().build())).build()
}

fn method(endpoint: &Endpoint) -> HttpMethod {
    match endpoint.verb {
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Delete => HttpMethod::Delete,
        Verb::Get => HttpMethod::Get,
    }
}

fn schemas() -> ComponentsBuilder {
    let mut all = Vec::new();
    add::<api::Topology>(&mut all);
    add::<api::TopologyDiff>(&mut all);
    add::<api::Impact>(&mut all);
    add::<api::FindingList>(&mut all);
    add::<api::ServiceList>(&mut all);
    add::<api::ServiceDetail>(&mut all);
    add::<api::TraceList>(&mut all);
    add::<api::TraceSeriesList>(&mut all);
    add::<api::TraceFlame>(&mut all);
    add::<api::TraceKeyList>(&mut all);
    add::<api::TraceValueList>(&mut all);
    add::<api::Trace>(&mut all);
    add::<api::SpanDetail>(&mut all);
    add::<api::TraceLinks>(&mut all);
    add::<api::TraceDiff>(&mut all);
    add::<api::Standing>(&mut all);
    add::<api::PinnedList>(&mut all);
    add::<api::ValueList>(&mut all);
    add::<api::LogList>(&mut all);
    add::<api::LogHistogram>(&mut all);
    add::<api::MetricNameList>(&mut all);
    add::<api::MetricSeriesList>(&mut all);
    add::<api::HostList>(&mut all);
    add::<api::SelfHealth>(&mut all);
    add::<api::RetentionPlan>(&mut all);
    add::<api::ViewList>(&mut all);
    add::<api::ViewInput>(&mut all);
    add::<api::Link>(&mut all);
    add::<api::LinkInput>(&mut all);
    add::<api::LinkTemplateList>(&mut all);
    add::<api::SqlRequest>(&mut all);
    add::<api::SqlAnswer>(&mut all);
    add::<api::SqlSchema>(&mut all);
    add::<api::alerting::AlertList>(&mut all);
    add::<api::alerting::AlertDetail>(&mut all);
    add::<api::alerting::AlertEventList>(&mut all);
    add::<api::alerting::AcknowledgeInput>(&mut all);
    add::<api::alerting::RuleList>(&mut all);
    add::<api::alerting::ReplayRequest>(&mut all);
    add::<api::alerting::Replay>(&mut all);
    add::<api::alerting::Message>(&mut all);
    add::<api::alerting::SloList>(&mut all);
    add::<api::alerting::ChannelList>(&mut all);
    add::<api::alerting::DeliveryList>(&mut all);
    add::<api::alerting::ChannelTest>(&mut all);
    add::<api::alerting::RouteList>(&mut all);
    add::<api::alerting::SilenceList>(&mut all);
    add::<api::alerting::HeartbeatReceived>(&mut all);
    add::<api::alerting::AlertingFile>(&mut all);
    add::<api::alerting::AlertingChanges>(&mut all);
    add::<api::LiveRequest>(&mut all);
    add::<api::LiveEvent>(&mut all);
    add::<api::Problem>(&mut all);
    ComponentsBuilder::new().schemas_from_iter(all)
}

/// A schema and all it points at.
fn add<T: utoipa::ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}

fn operation(endpoint: &Endpoint) -> OperationBuilder {
    let status = if endpoint.answer == "LiveEvent" { "101" } else { endpoint.status.as_str() };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(operation_id(endpoint)))
        .summary(Some(endpoint.summary))
        .description((!endpoint.about.is_empty()).then_some(endpoint.about))
        .response(
            status,
            ResponseBuilder::new()
                .description(endpoint.summary)
                .content(endpoint.media, content(endpoint.answer))
                .build(),
        );
    if !endpoint.body.is_empty() {
        let body = RequestBodyBuilder::new()
            .content("application/json", content(endpoint.body))
            .required(Some(Required::True));
        operation = operation
            .request_body(Some(body.build()))
            .response("413", problem("Too much was sent"))
            .response("415", problem("What was sent is not JSON"))
            .response("422", problem("What was sent asks for too much"));
    }
    if endpoint.verb != Verb::Get {
        operation = operation
            .response("403", problem("A page of another origin asks"))
            .response("409", problem("Not as things are now; `detail` says why"));
    }
    for id in endpoint.in_path {
        operation = operation.parameter(parameter(id, ParameterIn::Path)).response("404", problem("Nothing there"));
    }
    for known in endpoint.parameters {
        operation = operation.parameter(parameter(known, ParameterIn::Query));
    }
    operation
        .response("400", problem("A parameter is not valid; `field` says which"))
        .response("503", problem("Too busy; try again after `Retry-After`"))
        .response("504", problem("The query ran past its deadline; ask for less"))
}

fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches(api::paths::V1).trim_start_matches('/');
    let id = path.replace(['/', '{', '}'], "_").replace("__", "_").trim_end_matches('_').to_owned();
    if endpoint.verb == Verb::Get { id } else { format!("{}_{id}", format!("{:?}", endpoint.verb).to_lowercase()) }
}

fn parameter(known: &Parameter, place: ParameterIn) -> ParameterBuilder {
    let required = known.required || matches!(place, ParameterIn::Path);
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let schema: RefOr<Schema> = if known.repeated { text.to_array_builder().into() } else { text.into() };
    ParameterBuilder::new()
        .name(known.name)
        .parameter_in(place)
        .required(if required { Required::True } else { Required::False })
        .description(Some(known.about))
        .schema(Some(schema))
        .example(
            (!known.example.is_empty())
                .then(|| if known.repeated { json!([known.example]) } else { json!(known.example) }),
        )
}

fn content(schema: &str) -> utoipa::openapi::Content {
    // Bytes have none, and what others have defined.
    ContentBuilder::new()
        .schema((!schema.is_empty() && schema != ANY_JSON).then(|| Ref::from_schema_name(schema)))
        .build()
}

fn problem(description: &str) -> utoipa::openapi::Response {
    ResponseBuilder::new().description(description).content("application/problem+json", content("Problem")).build()
}

#[test]
fn the_committed_document_is_up_to_date() {
    let document = document().to_pretty_json().expect("the document is JSON") + "\n";
    expect_test::expect_file!["../../openapi.json"].assert_eq(&document);
}

#[test]
fn every_schema_that_is_pointed_at_exists() {
    let document: serde_json::Value = serde_json::to_value(document()).expect("the document is JSON");
    let text = document.to_string();
    for (at, _) in text.match_indices("#/components/schemas/") {
        let name: String =
            text[at + "#/components/schemas/".len()..].chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!document["components"]["schemas"][&name].is_null(), "{name} is missing");
    }
    assert_eq!(document["openapi"], "3.1.0");
}
