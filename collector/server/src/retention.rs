//! `orrery retention --dry-run`: what retention would remove now.

use crate::cli::RetentionOptions;
use crate::figures::{bytes, count, table};
use crate::settings::{self, Settings};
use crate::{api, app};
use anyhow::{Context, Result, bail};
use orrery_api::{RetentionPlan, StoredAmount, paths};
use orrery_query::time::duration_text;

/// Asks the server, or looks at the directory.
pub(crate) fn run(options: RetentionOptions) -> Result<()> {
    debug_assert!(options.dry_run, "the command line requires it");
    let plan = match &options.url {
        Some(url) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(ask(url, &options.settings.retention_rules))?,
        None => {
            let settings = Settings::load(options.settings, settings::SERVE)?;
            let plan = orrery_storage::planned_retention(&app::storage(&settings)).map_err(|error| match error {
                orrery_storage::OpenError::Locked { .. } => {
                    anyhow::anyhow!("{error}; or ask that server: --url http://127.0.0.1:7070")
                }
                other => app::unopened(other),
            })?;
            api::retention::plan(plan)
        }
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&plan)?);
    } else {
        print!("{}", text(&plan));
    }
    Ok(())
}

async fn ask(url: &str, rules: &[String]) -> Result<RetentionPlan> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    rules.iter().for_each(|rule| _ = query.append_pair("rule", rule));
    let response = reqwest::get(format!("{}{}?{}", url.trim_end_matches('/'), paths::RETENTION, query.finish())).await;
    let response = response.with_context(|| format!("no answer from {url}"))?;
    if !response.status().is_success() {
        bail!("{url} answers {}: {}", response.status(), response.text().await.unwrap_or_default());
    }
    Ok(response.json().await?)
}

fn text(plan: &RetentionPlan) -> String {
    let row = |name: &str, amount: &StoredAmount| {
        vec![name.to_owned(), count(amount.segments), count(amount.rows), bytes(amount.bytes)]
    };
    let mut rows = vec![["", "segments", "rows", "size"].map(str::to_owned).to_vec()];
    for (name, signal) in &plan.signals {
        let age = signal.max_age_nanos.map_or("for ever".to_owned(), |age| duration_text(age.0));
        let size = signal.max_bytes.map(|most| format!(", at most {}", bytes(most))).unwrap_or_default();
        rows.push(row(&format!("{name}, kept {age}{size}"), &signal.stored));
        for (why, amount) in [("too old", &signal.age), ("too much", &signal.size), ("by rules", &signal.rules)] {
            if amount.segments > 0 {
                rows.push(row(&format!("  goes: {why}"), amount));
            }
        }
    }
    for rule in &plan.rules {
        rows.push(row(&rule.rule, &rule.amount));
    }
    let goes: u64 = plan.signals.values().map(|signal| signal.age.rows + signal.size.rows + signal.rules.rows).sum();
    let end =
        if goes == 0 { "Nothing would go now." } else { "Nothing was removed. Rollups (map, service pages) stay." };
    format!("{}\n{end}\n", table(&rows))
}
