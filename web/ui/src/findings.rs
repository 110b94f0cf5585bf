//! What is wrong, in words.

use crate::atlas::Selection;
use crate::figures;
use crate::words::{Phrase, say, t, tf};
use orrery_api::{Finding, FindingKind, FromTo, NodeKind};
use orrery_chart::Unit;

/// Rates that differ less than by this factor are not worth telling.
const RATE: f64 = 1.5;
/// Names in a sentence, at most.
const MOST_NAMES: usize = 3;

/// One fact about a finding: what it is about, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is about.
    pub about: Phrase,
    /// What it says.
    pub text: String,
    /// It is code: a type, a message, an operation, a version.
    pub is_code: bool,
}

/// What is wrong, in a sentence; `name` tells the name of a node.
pub fn title(found: &Finding, name: &dyn Fn(&str) -> String) -> String {
    let node = name(&found.node);
    let callers = names(&found.callers, name);
    let kind = t(kind_of(found.node_kind));
    let issuer = found.issuer.as_deref().map(name);
    let phrase = match (found.kind, &issuer) {
        (FindingKind::Errors, _) if found.callers.is_empty() => say::FOUND_ERRORS,
        (FindingKind::Errors, _) => say::FOUND_ERRORS_FOR,
        (FindingKind::Unreachable, _) => say::FOUND_UNREACHABLE,
        (FindingKind::Rejected, Some(_)) => say::FOUND_REJECTED_OF,
        (FindingKind::Rejected, None) => say::FOUND_REJECTED,
        (FindingKind::RateLimited, _) => say::FOUND_RATE_LIMITED,
        (FindingKind::Slow, _) => say::FOUND_SLOW,
        (FindingKind::SlowCalls, _) => say::FOUND_SLOW_CALLS,
        (FindingKind::Network, _) => say::FOUND_NETWORK,
        (FindingKind::Lag, _) => say::FOUND_LAG,
        (FindingKind::NotConsumed, _) => say::FOUND_NOT_CONSUMED,
        (FindingKind::Silent, _) => say::FOUND_SILENT,
        (FindingKind::Steady, _) => say::FOUND_STEADY,
        (FindingKind::DiskFull, _) => say::FOUND_DISK_FULL,
        (FindingKind::MemoryFull, _) => say::FOUND_MEMORY_FULL,
        (FindingKind::CpuBusy, _) => say::FOUND_CPU_BUSY,
        (FindingKind::HostSilent, _) => say::FOUND_HOST_SILENT,
    };
    let words = [("node", &*node), ("callers", &*callers), ("kind", kind), ("issuer", issuer.as_deref().unwrap_or(""))];
    tf(phrase, &words)
}

/// Glyph and class: failing; or late, busy, as it always was.
pub fn glyph(kind: FindingKind) -> (&'static str, &'static str) {
    let is_mild = kind.is_about_time() || matches!(kind, FindingKind::Steady | FindingKind::CpuBusy);
    if is_mild { ("▲", "is-warn") } else { ("◆", "is-err") }
}

/// The shortest that explains it: what the error says, which version, which statement, which disk.
pub fn reason(found: &Finding) -> Option<String> {
    let error = found.error.as_ref().filter(|_| !found.kind.is_about_time());
    let said = error.map(|error| match error.message.is_empty() {
        true => error.error_type.clone(),
        false => format!("{}: {}", error.error_type, error.message),
    });
    let blamed = found.blamed.as_ref().map(|blamed| format!("{} {}", slice_word(&blamed.slice), blamed.name));
    let operation = found.operation.clone().filter(|_| found.kind.is_about_time() || found.kind.is_about_host());
    let parts: Vec<String> = [blamed, said.or(operation)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// How large it is and what is usual: `49 % of calls, usually 0.2 %`.
pub fn measure(found: &Finding) -> String {
    let unit = if found.kind.is_about_time() { Unit::Nanos } else { Unit::Ratio };
    let number = |value: f64| unit.format(value).to_string();
    let (now, usual) = (number(found.size.now), found.size.usual.map(number));
    let (with, without) = match found.kind {
        FindingKind::Silent => {
            return tf(
                say::SIZE_SILENT,
                &[("usual", &Unit::PerSecond.format(found.size.usual.unwrap_or(0.0)).to_string())],
            );
        }
        FindingKind::NotConsumed => {
            return tf(say::SIZE_NOT_CONSUMED, &[("n", &Unit::Number.format(found.size.now).to_string())]);
        }
        FindingKind::HostSilent => return t(say::SIZE_UNHEARD).to_owned(),
        kind if kind.is_about_host() => (say::SIZE_USED, say::SIZE_USED),
        FindingKind::Lag => (say::SIZE_WAIT, say::SIZE_WAIT_ALONE),
        kind if kind.is_about_time() => (say::SIZE_TIME, say::SIZE_TIME_ALONE),
        _ => (say::SIZE_SHARE, say::SIZE_SHARE_ALONE),
    };
    match usual {
        Some(usual) => tf(with, &[("now", &now), ("usual", &usual)]),
        None => tf(without, &[("now", &now)]),
    }
}

/// Since when, and until when if it is over.
pub fn when(found: &Finding) -> String {
    let time = |nanos: Option<orrery_api::Nanos>| nanos.map(|nanos| figures::time(nanos.0));
    match (time(found.since_unix_nano), time(found.until_unix_nano)) {
        (Some(since), Some(until)) => format!("{since} – {until}"),
        (Some(since), None) => tf(say::SINCE, &[("time", &since)]),
        (None, _) => t(say::ALL_ALONG).to_owned(),
    }
}

/// Everything that is known of it.
pub fn facts(found: &Finding, name: &dyn Fn(&str) -> String) -> Vec<Fact> {
    let plain = |about, text| Fact { about, text, is_code: false };
    let code = |about, text| Fact { about, text, is_code: true };
    let mut all = vec![plain(say::SINCE_WHEN, when(found)), plain(say::HOW_MUCH, measure(found))];
    let number = |value: f64| Unit::Number.format(value).to_string();
    if !matches!(found.kind, FindingKind::Silent | FindingKind::NotConsumed) {
        let about = if found.kind.is_about_time() { say::SLOW_OF } else { say::FAILED_OF };
        all.push(plain(say::HOW_MANY, tf(about, &[("n", &number(found.bad)), ("all", &number(found.calls))])));
    }
    if let Some(error) = &found.error {
        all.push(code(say::ERROR, error.error_type.clone()));
        all.extend((!error.message.is_empty()).then(|| code(say::MESSAGE, error.message.clone())));
        if error.is_new {
            all.push(plain(
                say::FIRST_SEEN,
                tf(say::NEW_ERROR, &[("time", &figures::time(error.first_seen_unix_nano.0))]),
            ));
        }
    }
    all.extend(found.operation.clone().map(|operation| code(say::OPERATION, operation)));
    if let Some(blamed) = &found.blamed {
        let share = |share: f64| Unit::Ratio.format(share).to_string();
        let words = [("share", &*share(blamed.share)), ("others", &*share(blamed.others))];
        let about = if blamed.slice == "version" { say::VERSION } else { say::INSTANCE };
        all.push(code(about, blamed.name.clone()));
        all.push(plain(say::COMPARED, tf(say::SLICE_COMPARED, &words)));
    }
    if let Some(FromTo { usual: Some(usual), now }) = found.rate
        && usual > 0.0
        && now >= RATE * usual
    {
        let rate = |rate: f64| Unit::PerSecond.format(rate).to_string();
        let words = [("now", &*rate(now)), ("usual", &*rate(usual))];
        all.push(plain(say::RATE, tf(say::RATE_COMPARED, &words)));
    }
    all.extend((!found.callers.is_empty()).then(|| plain(caller_word(found.kind), names(&found.callers, name))));
    all.extend(found.issuer.as_deref().map(|issuer| plain(say::ISSUER, name(issuer))));
    all.extend((!found.affected.is_empty()).then(|| plain(say::FELT_BY, names_of(&found.affected, name, usize::MAX))));
    all
}

/// Where it is on the map: the call that is wrong, if it is one.
pub fn selection(found: &Finding) -> Selection {
    match &found.callers[..] {
        [caller] => Selection::Edge(caller.clone(), found.node.clone()),
        _ => Selection::Node(found.node.clone()),
    }
}

/// Parameters of a link to traces that show it; `None` where there are none.
pub fn traces(found: &Finding) -> Option<Vec<(&'static str, String)>> {
    // Who sends spans of it: the caller, where calls are wrong.
    let teller = match found.kind {
        FindingKind::Lag => &found.node,
        FindingKind::NotConsumed | FindingKind::Silent => return None,
        _ => found.callers.first().unwrap_or(&found.node),
    };
    let mut params = vec![("service", teller.clone())];
    params.extend(found.operation.clone().map(|operation| ("operation", operation)));
    match found.kind.is_about_time() {
        false => params.push(("status", "error".to_owned())),
        true if found.kind == FindingKind::Lag || found.kind == FindingKind::Network => {}
        true => {
            let millis = found.size.usual.unwrap_or(0.0) * 2.0 / 1e6;
            params.push(("min", format!("{}ms", millis.ceil().max(1.0))));
        }
    }
    Some(params)
}

fn names(ids: &[String], name: &dyn Fn(&str) -> String) -> String {
    names_of(ids, name, MOST_NAMES)
}

fn names_of(ids: &[String], name: &dyn Fn(&str) -> String, most: usize) -> String {
    let shown: Vec<String> = ids.iter().take(most).map(|id| name(id)).collect();
    let more = ids.len() - shown.len();
    let names = shown.join(", ");
    if more == 0 { names } else { format!("{names} +{more}") }
}

fn kind_of(kind: NodeKind) -> Phrase {
    match kind {
        NodeKind::Database => say::KIND_DATABASE,
        NodeKind::Queue => say::KIND_QUEUE,
        NodeKind::External => say::KIND_EXTERNAL,
        NodeKind::Model => say::KIND_MODEL,
        NodeKind::Function => say::KIND_FUNCTION,
        _ => say::KIND_SERVICE,
    }
}

fn slice_word(slice: &str) -> &'static str {
    t(if slice == "version" { say::VERSION } else { say::INSTANCE })
}

fn caller_word(kind: FindingKind) -> Phrase {
    if matches!(kind, FindingKind::Lag | FindingKind::NotConsumed) { say::QUEUE_OF } else { say::CALLED_BY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orrery_api::{Blamed, ErrorGroup, Nanos};

    fn name(id: &str) -> String {
        id.to_owned()
    }

    fn found(kind: FindingKind, callers: &[&str]) -> Finding {
        Finding {
            kind,
            node: "cart".into(),
            callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
            since_unix_nano: Some(Nanos(0)),
            size: if kind.is_about_time() {
                FromTo { usual: Some(4e6), now: 640e6 }
            } else {
                FromTo { usual: Some(0.0), now: 0.5 }
            },
            calls: 40.0,
            bad: 20.0,
            ..Finding::default()
        }
    }

    #[test]
    fn a_finding_names_who_and_what() {
        let told = |kind, callers: &[&str]| title(&found(kind, callers), &name);
        assert_eq!(told(FindingKind::Errors, &[]), "cart fails by itself");
        assert_eq!(told(FindingKind::Unreachable, &["web"]), "cart cannot be reached");
        assert_eq!(told(FindingKind::Steady, &["web"]), "Calls from web to cart fail now and then");
        assert_eq!(told(FindingKind::RateLimited, &["mobile"]), "cart limits the rate of mobile");
        assert_eq!(
            told(FindingKind::Network, &["a", "b", "c", "d"]),
            "The network between a, b, c +1 and cart is slow"
        );
        let rejected = Finding { issuer: Some("auth".into()), ..found(FindingKind::Rejected, &["web"]) };
        assert_eq!(title(&rejected, &name), "cart rejects credentials issued by auth");
        let database = Finding { node_kind: NodeKind::Database, ..found(FindingKind::SlowCalls, &["orders"]) };
        assert_eq!(title(&database, &name), "Database cart is slow for orders");
    }

    #[test]
    fn the_reason_is_what_the_error_says_and_in_which_version() {
        let error = ErrorGroup { error_type: "Full".into(), message: "no room".into(), ..ErrorGroup::default() };
        let blamed = Blamed { slice: "version".into(), name: "1.6.0".into(), share: 0.6, ..Blamed::default() };
        let broken = Finding { error: Some(error), blamed: Some(blamed), ..found(FindingKind::Errors, &[]) };
        assert_eq!(reason(&broken).unwrap(), "Version 1.6.0 · Full: no room");
        assert_eq!(measure(&broken).replace('\u{2009}', " "), "50 % fail, usually 0 %");
        let abouts: Vec<&str> = facts(&broken, &name).iter().map(|fact| fact.about.en).collect();
        assert_eq!(abouts, ["Since when", "How much", "How many", "Error", "Message", "Version", "Compared"]);
    }

    #[test]
    fn a_host_says_which_of_its_parts_is_used_up() {
        let size = FromTo { usual: None, now: 0.97 };
        let full = Finding { operation: Some("/var".into()), size, ..found(FindingKind::DiskFull, &[]) };
        assert_eq!(title(&full, &name), "The disk of host cart is full");
        assert_eq!(
            (reason(&full).unwrap(), measure(&full).replace('\u{2009}', " ")),
            ("/var".into(), "97 % used".into())
        );
        assert_eq!(measure(&found(FindingKind::HostSilent, &[])), "its agent reports nothing");
    }

    #[test]
    fn a_finding_leads_to_the_map_and_to_traces() {
        assert_eq!(selection(&found(FindingKind::Errors, &[])), Selection::Node("cart".into()));
        assert_eq!(selection(&found(FindingKind::Network, &["web"])), Selection::Edge("web".into(), "cart".into()));
        assert_eq!(selection(&found(FindingKind::Rejected, &["a", "b"])), Selection::Node("cart".into()));
        let slow = Finding { operation: Some("GET /".into()), ..found(FindingKind::Slow, &[]) };
        let expected = [("service", "cart"), ("operation", "GET /"), ("min", "8ms")];
        assert_eq!(traces(&slow).unwrap(), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(traces(&found(FindingKind::Silent, &[])), None);
    }
}
