//! Everything at once.

use super::{Wrong, channel, inhibition, route, rule, silence, slo};
use orrery_api::alerting::AlertingFile;
use std::collections::BTreeMap;

/// All that is wrong with the documents of a file, one thing per document; empty if all is well.
pub fn file(file: &AlertingFile) -> Vec<Wrong> {
    let mut found = Vec::new();
    check(&mut found, "rule", &file.rules, |it| Some(&it.name), rule);
    check(&mut found, "slo", &file.slos, |it| Some(&it.name), slo);
    check(&mut found, "channel", &file.channels, |it| Some(&it.name), channel);
    check(&mut found, "route", &file.routes, |it| Some(&it.name), route);
    check(&mut found, "inhibition", &file.inhibitions, |_| None, inhibition);
    check(&mut found, "silence", &file.silences, |it| Some(&it.id).filter(|id| !id.is_empty()), silence);
    found
}

fn check<T>(
    found: &mut Vec<Wrong>,
    kind: &str,
    documents: &[T],
    name: impl Fn(&T) -> Option<&String>,
    check: impl Fn(&T) -> Result<(), Wrong>,
) {
    let mut seen = BTreeMap::new();
    for (at, document) in documents.iter().enumerate() {
        let outer = format!("{kind}[{at}]");
        if let Err(wrong) = check(document) {
            found.push(wrong.within(&outer));
            continue;
        }
        let Some(name) = name(document) else { continue };
        if let Some(first) = seen.insert(name, at) {
            let field = if kind == "silence" { "id" } else { "name" };
            let detail = format!("{kind}[{first}] is called `{name}`, too: give one another name");
            found.push(Wrong::new(field, detail).within(&outer));
        }
    }
}
