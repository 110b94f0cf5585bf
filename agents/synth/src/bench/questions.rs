//! What people ask of a store of traces, in fourteen classes, and what the right answer is.

use crate::corpus::known::{Known, KnownSpan};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Answers are rounded to the middles of buckets, eight per power of two.
const QUANTILE_TOLERANCE: f64 = 0.05;
/// Questions that read every span are asked so often.
const FEW: usize = 5;

type Check = Box<dyn Fn(&Value) -> Result<()>>;

/// A question, and whether an answer is right.
pub(super) struct Question {
    /// With query.
    pub(super) path: String,
    /// Of the JSON; an error says what is wrong with it. Nothing where 404 is the answer.
    pub(super) check: Option<Check>,
}

/// Questions alike.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) questions: Vec<Question>,
}

/// Asks for everything that was sent.
pub(super) struct Catalogue {
    pub(super) known: Arc<Known>,
    /// Request of a trace, by the number of the question.
    pub(super) numbers: Vec<u64>,
    /// Requests of one round.
    pub(super) round: u64,
    /// `from=…`.
    pub(super) range: String,
    /// Questions of a class whose answers differ by the parameter.
    pub(super) few: usize,
    /// Whether it is known what was sent, and when.
    pub(super) is_checked: bool,
}

impl Catalogue {
    /// Every class.
    pub(super) fn classes(&self, trace_id: impl Fn(u64) -> u128) -> Vec<Class> {
        let known = &self.known;
        let services = self.known.count(|span| Some(known.value(span, "service.name")));
        let services: Vec<&str> = services.into_keys().collect();
        let service = |at: usize| services[at * 5 % services.len()];
        let newest = |query: String, wanted: &dyn Fn(&KnownSpan) -> bool| self.newest(&query, wanted);
        let each = |question: &dyn Fn(usize) -> Question| (0..self.few).map(question).collect::<Vec<_>>();
        let where_known =
            |question: &dyn Fn(usize) -> Option<Question>| (0..self.few).filter_map(question).collect::<Vec<_>>();
        let has = |key: &'static str, value: String| move |span: &KnownSpan| known.value(span, key) == value;
        let (oldest, recent) = self.numbers.split_at(self.numbers.len() / 2);
        let trace = |number: &u64| self.trace(trace_id(*number), *number);
        let slow = known.quantile(0.99, |_| Some(())).get(&()).map_or(0, |(nanos, _)| *nanos);
        let operation = |at: usize| {
            let spans = known.spans.iter().filter(|span| known.value(span, "service.name") == service(at));
            known.word(spans.clone().nth(at * 31 % spans.count().max(1)).map_or(0, |span| span.name)).to_owned()
        };
        let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut classes = vec![
            ("q01_trace_recent", recent.iter().map(trace).collect()),
            ("q02_trace_any_age", oldest.iter().map(trace).collect()),
            (
                "q02_trace_columns",
                oldest
                    .iter()
                    .map(|number| self.unchecked(format!("/api/v1/traces/{:032x}/columns", trace_id(*number))))
                    .collect(),
            ),
            (
                "q03_trace_missing",
                each(&|at| Question { path: format!("/api/v1/traces/{:032x}", u128::MAX - at as u128), check: None }),
            ),
            (
                "q04_service_newest",
                each(&|at| {
                    newest(
                        format!("{{ resource.service.name = {} }}", text(service(at))),
                        &has("service.name", service(at).to_owned()),
                    )
                }),
            ),
            (
                "q04_operation_newest",
                each(&|at| {
                    let name = operation(at);
                    newest(
                        format!("{{ resource.service.name = {} && span:name = {} }}", text(service(at)), text(&name)),
                        &|span| known.value(span, "service.name") == service(at) && known.word(span.name) == name,
                    )
                }),
            ),
            (
                "q05_slower_than_p99",
                each(&|_| newest(format!("{{ span:duration > {slow}ns }}"), &|span| span.nanos > slow)),
            ),
            (
                "q06_errors_of_service",
                each(&|at| {
                    newest(
                        format!("{{ resource.service.name = {} && span:status = error }}", text(service(at))),
                        &|span| span.failed && known.value(span, "service.name") == service(at),
                    )
                }),
            ),
            (
                "q07_attribute_common",
                each(&|_| {
                    newest(
                        "{ span.http.request.method = \"POST\" }".to_owned(),
                        &has("http.request.method", "POST".to_owned()),
                    )
                }),
            ),
            (
                "q07_attribute_rare",
                where_known(&|at| {
                    let user = self.some(at, "enduser.id", 0)?;
                    Some(newest(format!("{{ .enduser.id = {} }}", text(&user)), &has("enduser.id", user.clone())))
                }),
            ),
            ("q07_attribute_no_value", each(&|at| newest(format!("{{ .enduser.id = \"nobody-{at}\" }}"), &|_| false))),
            ("q07_attribute_no_key", each(&|at| newest(format!("{{ .no.such.key = \"{at}\" }}"), &|_| false))),
            ("q07_attribute_once", (0..self.few).filter_map(|at| self.once(at)).collect()),
            (
                "q08_two_attributes",
                where_known(&|at| {
                    let tenant = self.some(at, "tenant.name", 0)?;
                    Some(newest(
                        format!("{{ span.http.request.method = \"POST\" && span.tenant.name = {} }}", text(&tenant)),
                        &|span| {
                            known.value(span, "http.request.method") == "POST"
                                && known.value(span, "tenant.name") == tenant
                        },
                    ))
                }),
            ),
            (
                "q09_substring",
                each(&|at| {
                    let table = ["orders", "carts", "users", "items", "prices", "events"][at % 6];
                    let part = format!("FROM {table} WHERE");
                    newest(format!("{{ span.db.query.text =~ \".*{part}.*\" }}"), &|span| {
                        known.value(span, "db.query.text").contains(&part)
                    })
                }),
            ),
            (
                "q09_substring_rare",
                where_known(&|at| {
                    let user = self.some(at, "enduser.id", 3)?;
                    Some(newest(format!("{{ span.enduser.id =~ \".*{user}\" }}"), &|span| {
                        known.value(span, "enduser.id").ends_with(&user)
                    }))
                }),
            ),
        ];
        classes.extend(self.numbers_of_all(service));
        classes.into_iter().map(|(name, questions)| Class { name, questions }).collect()
    }

    /// Q10 to Q14: what is asked of all spans.
    fn numbers_of_all<'a>(&self, service: impl Fn(usize) -> &'a str) -> Vec<(&'static str, Vec<Question>)> {
        let range = &self.range;
        let many = |path: String, check: &dyn Fn() -> Option<Check>| -> Vec<Question> {
            (0..self.few).map(|_| Question { path: path.clone(), check: check() }).collect()
        };
        let series = |query: &str, check: &dyn Fn() -> Option<Check>| -> Vec<Question> {
            let path = format!("/api/v1/traces/series?q={}&{range}", encoded(query));
            (0..FEW).map(|_| Question { path: path.clone(), check: check() }).collect()
        };
        let details = (0..self.few).map(|at| {
            let path = format!("/api/v1/services/synth%2F{}%40bench?{range}", service(at));
            Question { path, check: self.operations(service(at)) }
        });
        vec![
            ("q10_services", many(format!("/api/v1/services?{range}"), &|| self.services())),
            (
                "q10_rate_by_service_scan",
                series("{ } | count_over_time() by (resource.service.name)", &|| self.counted("service.name")),
            ),
            ("q11_p99_by_operation", details.collect()),
            (
                "q11_p99_by_operation_scan",
                series("{ } | quantile_over_time(span:duration, .99) by (resource.service.name, span:name)", &|| None),
            ),
            (
                "q12_top_values_scan",
                series("{ } | count_over_time() by (span.tenant.name)", &|| self.counted("tenant.name")),
            ),
            ("q13_topology", many(format!("/api/v1/topology?{range}"), &|| self.edges())),
            ("q14_operation_names", many(format!("/api/v1/traces/values?key=span:name&limit=1000&{range}"), &|| None)),
            ("q14_keys", many(format!("/api/v1/traces/keys?{range}"), &|| None)),
            (
                "q14_values",
                many(format!("/api/v1/traces/values?key=span.tenant.name&limit=100&{range}"), &|| {
                    self.names("tenant.name")
                }),
            ),
        ]
    }

    fn unchecked(&self, path: String) -> Question {
        Question { path, check: None }
    }

    fn checked(&self, check: impl Fn(&Value) -> Result<()> + 'static) -> Option<Check> {
        let is_whole = |answer: &Value| {
            ensure!(answer["partial"].is_null(), "not whole: {}", answer["partial"]);
            Ok(())
        };
        self.is_checked.then(|| Box::new(move |answer: &Value| is_whole(answer).and_then(|()| check(answer))) as Check)
    }

    /// A value that a span sent has, another one by the number of the question.
    fn some(&self, at: usize, key: &str, salt: usize) -> Option<String> {
        let spans = &self.known.spans;
        let from = (at * 7919 + salt * 104_729) % spans.len();
        let values = spans[from..].iter().chain(&spans[..from]).map(|span| self.known.value(span, key));
        values.filter(|value| !value.is_empty()).map(str::to_owned).next()
    }

    fn trace(&self, trace: u128, number: u64) -> Question {
        let expected = if self.is_checked { self.known.spans_of(trace, number / self.round) } else { BTreeSet::new() };
        let check = move |answer: &Value| {
            let spans = answer["spans"].as_array().context("spans")?;
            let found: BTreeSet<u64> =
                spans.iter().filter_map(|span| hexadecimal(&span["span_id"])).map(|id| id as u64).collect();
            ensure!(found == expected && spans.len() == expected.len(), "{} of {} spans", found.len(), expected.len());
            Ok(())
        };
        Question { path: format!("/api/v1/traces/{trace:032x}"), check: self.checked(check) }
    }

    fn newest(&self, query: &str, wanted: impl Fn(&KnownSpan) -> bool) -> Question {
        let expected = if self.is_checked { self.known.newest(20, wanted) } else { Vec::new() };
        self.traces(query, expected)
    }

    fn traces(&self, query: &str, expected: Vec<u128>) -> Question {
        let check = move |answer: &Value| {
            let traces = answer["traces"].as_array().context("traces")?;
            let found: Vec<u128> = traces.iter().filter_map(|trace| hexadecimal(&trace["trace_id"])).collect();
            let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            ensure!(
                found == expected,
                "{} traces instead of {}, the first other one at {differs:?}",
                found.len(),
                expected.len()
            );
            Ok(())
        };
        let path = format!("/api/v1/traces?q={}&limit=20&{}", encoded(query), self.range);
        Question { path, check: self.checked(check) }
    }

    /// A search for a value that occurs once.
    fn once(&self, at: usize) -> Option<Question> {
        let key = "messaging.message.id";
        let with = |number: &&u64| self.known.of_request(**number).any(|span| !self.known.value(span, key).is_empty());
        let numbers: Vec<&u64> = self.numbers.iter().filter(with).collect();
        let number = **numbers.get(at % numbers.len().max(1))?;
        let span = self.known.of_request(number).find(|span| !self.known.value(span, key).is_empty())?;
        let value = self.known.in_round(self.known.value(span, key), number);
        Some(self.traces(&format!("{{ .{key} = \"{value}\" }}"), vec![self.known.trace_in_round(span, number)]))
    }

    /// Calls and failures of every service.
    fn services(&self) -> Option<Check> {
        let known = &self.known;
        let serves =
            |span: &KnownSpan| matches!(span.kind, 2 | 5).then(|| known.value(span, "service.name").to_owned());
        let counts = known.count(serves);
        let errors = known.count(|span| serves(span).filter(|_| span.failed));
        self.checked(move |answer| {
            let services = answer["services"].as_array().context("services")?;
            ensure!(services.len() == counts.len(), "{} services instead of {}", services.len(), counts.len());
            for service in services {
                let name = service["name"].as_str().unwrap_or_default();
                let expected = (counts.get(name), errors.get(name).copied().unwrap_or(0));
                let found = (whole(&service["red"]["count"]), whole(&service["red"]["errors"]));
                ensure!(
                    expected.0 == Some(&found.0) && expected.1 == found.1,
                    "{name}: {found:?} instead of {expected:?}"
                );
            }
            Ok(())
        })
    }

    /// 99th percentiles of the operations of a service.
    fn operations(&self, service: &str) -> Option<Check> {
        let known = &self.known;
        let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
        let key = |span: &KnownSpan| {
            let operation = || (known.word(span.name).to_owned(), kinds[span.kind.clamp(0, 5) as usize]);
            (known.value(span, "service.name") == service).then(operation)
        };
        let expected: BTreeMap<(String, &str), (u64, u64)> = known.quantile(0.99, key);
        self.checked(move |answer| {
            let operations = answer["operations"].as_array().context("operations")?;
            ensure!(
                operations.len() == expected.len(),
                "{} operations instead of {}",
                operations.len(),
                expected.len()
            );
            for operation in operations {
                let text = |name: &str| operation[name].as_str().unwrap_or_default();
                let kind = kinds.into_iter().find(|kind| *kind == text("kind")).unwrap_or_default();
                let &(p99, count) =
                    expected.get(&(text("name").to_owned(), kind)).context("an operation that is none")?;
                ensure!(
                    whole(&operation["red"]["count"]) == count,
                    "{}: {} instead of {count}",
                    text("name"),
                    operation["red"]["count"]
                );
                let found: f64 = operation["red"]["p99_nanos"].as_str().unwrap_or_default().parse().unwrap_or(f64::NAN);
                ensure!(
                    (found / p99 as f64 - 1.0).abs() < QUANTILE_TOLERANCE,
                    "{}: p99 {found} instead of {p99}",
                    text("name")
                );
            }
            Ok(())
        })
    }

    /// Spans by a value, over all steps.
    fn counted(&self, key: &'static str) -> Option<Check> {
        let expected = self.known.count(|span| Some(self.known.value(span, key).to_owned()));
        self.checked(move |answer| {
            let all = answer["series"].as_array().context("series")?;
            let named = all.iter().filter(|series| series["labels"][0]["value"].is_string()).count();
            let wanted = expected.keys().filter(|value| !value.is_empty()).count();
            ensure!(named == wanted, "{named} values instead of {wanted}");
            for series in all {
                let value = series["labels"][0]["value"].as_str().unwrap_or_default();
                let found: f64 = series["values"].as_array().into_iter().flatten().filter_map(Value::as_f64).sum();
                let expected = expected.get(value).copied().unwrap_or(0);
                ensure!(found.round() as u64 == expected, "{value}: {found} instead of {expected}");
            }
            Ok(())
        })
    }

    /// Values that there are.
    fn names(&self, key: &'static str) -> Option<Check> {
        let named = |span: &KnownSpan| Some(self.known.value(span, key).to_owned()).filter(|value| !value.is_empty());
        let expected: BTreeSet<String> = self.known.count(named).into_keys().collect();
        self.is_checked.then(|| {
            Box::new(move |answer: &Value| {
                let values = answer["values"].as_array().context("values")?;
                let found: BTreeSet<String> =
                    values.iter().filter_map(|value| value["value"].as_str()).map(str::to_owned).collect();
                ensure!(found == expected, "{} values instead of {}", found.len(), expected.len());
                Ok(())
            }) as Check
        })
    }

    /// Calls between services, and to databases and queues.
    fn edges(&self) -> Option<Check> {
        let known = &self.known;
        let served: BTreeMap<u64, &KnownSpan> =
            known.spans.iter().filter(|span| span.kind == 2).map(|span| (span.parent, span)).collect();
        let edge = |span: &KnownSpan| {
            let service = known.value(span, "service.name").to_owned();
            let topic = || known.value(span, "messaging.destination.name").to_owned();
            match (span.kind, served.get(&span.id)) {
                (3, Some(server)) => Some((service, known.value(server, "service.name").to_owned())),
                (3, None) => Some((service, known.value(span, "server.address").to_owned())),
                (4, _) => Some((service, topic())),
                (5, _) => Some((topic(), service)),
                _ => None,
            }
        };
        let expected = known.count(edge);
        self.checked(move |answer| {
            let nodes = answer["nodes"].as_array().context("nodes")?;
            let name = |id: &Value| {
                let node = nodes.iter().find(|node| node["id"] == *id);
                node.and_then(|node| node["name"].as_str()).unwrap_or_default().to_owned()
            };
            let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
            let is_outside = |edge: &&Value| edge["caller"].as_str().is_some_and(|caller| caller.starts_with("user:"));
            for edge in answer["edges"].as_array().context("edges")?.iter().filter(|edge| !is_outside(edge)) {
                *found.entry((name(&edge["caller"]), name(&edge["callee"]))).or_default() +=
                    whole(&edge["red"]["count"]);
            }
            for (ends, count) in &expected {
                let found = found.get(ends).copied().unwrap_or(0);
                ensure!(found == *count, "{ends:?}: {found} instead of {count}");
            }
            let more = found.keys().find(|ends| !expected.contains_key(*ends));
            ensure!(more.is_none(), "{more:?} is no call");
            Ok(())
        })
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn hexadecimal(id: &Value) -> Option<u128> {
    u128::from_str_radix(id.as_str()?, 16).ok()
}

fn whole(number: &Value) -> u64 {
    number.as_f64().unwrap_or(f64::NAN).round() as u64
}
