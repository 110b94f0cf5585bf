//! Paths of the API.

/// Prefix of every path here but the probes.
pub const V1: &str = "/api/v1";
/// `GET`: [`crate::ServiceList`].
pub const SERVICES: &str = "/api/v1/services";
/// `GET {SERVICES}/{id}`: [`crate::ServiceDetail`]; the id percent-encoded, of a service or inferred node.
pub const SERVICE: &str = "/api/v1/services/{id}";
/// `GET`: [`crate::Topology`].
pub const TOPOLOGY: &str = "/api/v1/topology";
/// `GET`: [`crate::TopologyDiff`].
pub const TOPOLOGY_DIFF: &str = "/api/v1/topology/diff";
/// `GET`: [`crate::Impact`].
pub const TOPOLOGY_IMPACT: &str = "/api/v1/topology/impact";
/// `GET`: [`crate::FindingList`].
pub const FINDINGS: &str = "/api/v1/findings";
/// `GET`: [`crate::TraceList`].
pub const TRACES: &str = "/api/v1/traces";
/// `GET`: [`crate::TraceSeriesList`].
pub const TRACE_SERIES: &str = "/api/v1/traces/series";
/// `GET`: [`crate::TraceFlame`].
pub const TRACE_FLAME: &str = "/api/v1/traces/flame";
/// `GET`: [`crate::TraceKeyList`].
pub const TRACE_KEYS: &str = "/api/v1/traces/keys";
/// `GET`: [`crate::TraceValueList`].
pub const TRACE_VALUES: &str = "/api/v1/traces/values";
/// `GET {TRACES}/{trace_id}`: [`crate::Trace`].
pub const TRACE: &str = "/api/v1/traces/{trace_id}";
/// `GET {TRACES}/{trace_id}/columns`: [`crate::TraceColumns`] in its binary form.
pub const TRACE_COLUMNS: &str = "/api/v1/traces/{trace_id}/columns";
/// `GET {TRACES}/{trace_id}/otlp`: the trace in OTLP's JSON form.
pub const TRACE_OTLP: &str = "/api/v1/traces/{trace_id}/otlp";
/// `GET {TRACES}/{trace_id}/jaeger`: the trace in the JSON form of Jaeger's API.
pub const TRACE_JAEGER: &str = "/api/v1/traces/{trace_id}/jaeger";
/// `GET {TRACES}/{trace_id}/spans/{span_id}`: [`crate::SpanDetail`].
pub const SPAN: &str = "/api/v1/traces/{trace_id}/spans/{span_id}";
/// `GET {TRACES}/{trace_id}/links`: [`crate::TraceLinks`].
pub const TRACE_LINKS: &str = "/api/v1/traces/{trace_id}/links";
/// `GET {TRACES}/{trace_id}/diff`: [`crate::TraceDiff`].
pub const TRACE_DIFF: &str = "/api/v1/traces/{trace_id}/diff";
/// `PUT`, `DELETE`: [`crate::PinnedTrace`].
pub const TRACE_PIN: &str = "/api/v1/traces/{trace_id}/pin";
/// `GET`: [`crate::PinnedList`].
pub const PINS: &str = "/api/v1/pins";
/// `POST`, a file with a trace: [`crate::Trace`]. Nothing is stored.
pub const TRACE_VIEW: &str = "/api/v1/traces/view";
/// `GET`: [`crate::Standing`].
pub const STANDING: &str = "/api/v1/standing";
/// `GET`: [`crate::LogList`].
pub const LOGS: &str = "/api/v1/logs";
/// `GET`: [`crate::LogHistogram`].
pub const LOG_HISTOGRAM: &str = "/api/v1/logs/histogram";
/// `GET`, server-sent events: one [`crate::LogRecord`] per event.
pub const LOG_TAIL: &str = "/api/v1/logs/tail";
/// `GET`: [`crate::MetricNameList`].
pub const METRIC_NAMES: &str = "/api/v1/metrics/names";
/// `GET`: [`crate::MetricSeriesList`].
pub const METRIC_RANGE: &str = "/api/v1/metrics/range";
/// `GET`: [`crate::ValueList`].
pub const VALUES: &str = "/api/v1/values";
/// `GET`: [`crate::HostList`].
pub const HOSTS: &str = "/api/v1/hosts";
/// `GET`: [`crate::SelfHealth`].
pub const SELF: &str = "/api/v1/self";
/// `GET`: one Parquet file with all rows of a signal.
pub const EXPORT: &str = "/api/v1/export";
/// `POST` of a [`crate::SqlRequest`]: [`crate::SqlAnswer`], or a file.
pub const SQL: &str = "/api/v1/sql";
/// `GET`: [`crate::SqlSchema`].
pub const SQL_SCHEMA: &str = "/api/v1/sql/schema";
/// `GET`: [`crate::RetentionPlan`].
pub const RETENTION: &str = "/api/v1/retention";
/// `GET`: [`crate::ViewList`]. `POST` of a [`crate::ViewInput`]: the new [`crate::View`].
pub const VIEWS: &str = "/api/v1/views";
/// `PUT {VIEWS}/{id}` of a [`crate::ViewInput`], and `DELETE`: the [`crate::View`] as it is now, and as it was.
pub const VIEW: &str = "/api/v1/views/{id}";
/// `POST` of a [`crate::LinkInput`]: a [`crate::Link`].
pub const LINKS: &str = "/api/v1/links";
/// `GET`: [`crate::LinkTemplateList`].
pub const LINK_TEMPLATES: &str = "/api/v1/link-templates";
/// `GET`: [`crate::alerting::AlertList`].
pub const ALERTS: &str = "/api/v1/alerting/alerts";
/// `GET {ALERTS}/{id}`: [`crate::alerting::AlertDetail`].
pub const ALERT: &str = "/api/v1/alerting/alerts/{id}";
/// `PUT` of a [`crate::alerting::AcknowledgeInput`], `DELETE`: the [`crate::alerting::Alert`].
pub const ALERT_ACKNOWLEDGE: &str = "/api/v1/alerting/acknowledge/{id}";
/// `GET`: [`crate::alerting::AlertEventList`].
pub const ALERT_EVENTS: &str = "/api/v1/alerting/events";
/// `GET`: [`crate::alerting::RuleList`]. `POST` of a [`crate::alerting::Rule`]: the new [`crate::alerting::RuleStatus`].
pub const ALERT_RULES: &str = "/api/v1/alerting/rules";
/// `PUT {ALERT_RULES}/{name}` of a [`crate::alerting::Rule`], `DELETE`: the [`crate::alerting::RuleStatus`].
pub const ALERT_RULE: &str = "/api/v1/alerting/rules/{id}";
/// `POST` of a [`crate::alerting::ReplayRequest`]: [`crate::alerting::Replay`].
pub const ALERT_REPLAY: &str = "/api/v1/alerting/replay";
/// `POST` of a [`crate::alerting::Rule`]: the [`crate::alerting::Message`] it would send now.
pub const ALERT_PREVIEW: &str = "/api/v1/alerting/preview";
/// `GET`: [`crate::alerting::SloList`]. `POST` of a [`crate::alerting::Slo`]: the new [`crate::alerting::SloStatus`].
pub const SLOS: &str = "/api/v1/alerting/slos";
/// `PUT {SLOS}/{name}` of a [`crate::alerting::Slo`], `DELETE`: the [`crate::alerting::SloStatus`].
pub const SLO: &str = "/api/v1/alerting/slos/{id}";
/// `GET`: [`crate::alerting::ChannelList`]. `POST` of a [`crate::alerting::Channel`]: the new [`crate::alerting::ChannelStatus`].
pub const ALERT_CHANNELS: &str = "/api/v1/alerting/channels";
/// `PUT {ALERT_CHANNELS}/{name}` of a [`crate::alerting::Channel`], `DELETE`: the [`crate::alerting::ChannelStatus`].
pub const ALERT_CHANNEL: &str = "/api/v1/alerting/channels/{id}";
/// `POST`, nothing: [`crate::alerting::ChannelTest`]. Sends a message now.
pub const ALERT_CHANNEL_TEST: &str = "/api/v1/alerting/test-channel/{id}";
/// `GET`: [`crate::alerting::DeliveryList`].
pub const ALERT_DELIVERIES: &str = "/api/v1/alerting/deliveries";
/// `GET`, and `PUT`: [`crate::alerting::RouteList`].
pub const ALERT_ROUTES: &str = "/api/v1/alerting/routes";
/// `GET`: [`crate::alerting::SilenceList`]. `POST` of a [`crate::alerting::Silence`]: the new [`crate::alerting::SilenceStatus`].
pub const SILENCES: &str = "/api/v1/alerting/silences";
/// `PUT {SILENCES}/{id}` of a [`crate::alerting::Silence`], `DELETE` (ends it now): the [`crate::alerting::SilenceStatus`].
pub const SILENCE: &str = "/api/v1/alerting/silences/{id}";
/// `POST` of a [`crate::alerting::Silence`]: the [`crate::alerting::SilenceStatus`] it would have. Nothing is kept.
pub const SILENCE_PREVIEW: &str = "/api/v1/alerting/silence-preview";
/// `POST {HEARTBEAT}/{name}`, nothing: [`crate::alerting::HeartbeatReceived`].
pub const HEARTBEAT: &str = "/api/v1/alerting/heartbeats/{id}";
/// `GET`: [`crate::alerting::AlertingFile`], everything people wrote about alerts. `PUT` of one:
/// [`crate::alerting::AlertingChanges`].
pub const ALERTING: &str = "/api/v1/alerting";
/// `GET`: rules in the form of Prometheus' API.
pub const PROMETHEUS_RULES: &str = "/api/v1/rules";
/// `GET`: alerts in the form of Prometheus' API.
pub const PROMETHEUS_ALERTS: &str = "/api/v1/alerts";
/// WebSocket: [`crate::LiveRequest`] in, [`crate::LiveEvent`] out.
pub const LIVE: &str = "/api/v1/live";
/// `GET`: the OpenAPI document.
pub const OPENAPI: &str = "/api/v1/openapi.json";
/// `GET`: 200 while the process lives.
pub const HEALTHZ: &str = "/healthz";
/// `GET`: 200 when telemetry is accepted and queries are answered, else 503 with a [`crate::Problem`].
pub const READYZ: &str = "/readyz";
