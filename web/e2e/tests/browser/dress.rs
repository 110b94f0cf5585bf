//! Dresses: themes, languages and sizes that every state of a page must bear.

use crate::axe;
use crate::pages::shots;
use crate::product::Product;
use crate::tab::Tab;
use anyhow::{Result, ensure};
use chromiumoxide::browser::Browser;

pub(crate) const SIZES: [(i64, i64); 2] = [(1440, 900), (390, 844)];
/// Every theme in every language.
pub(crate) const ALL: [(&str, &str); 4] = [("dark", "en"), ("dark", "ko"), ("light", "en"), ("light", "ko")];
/// Every theme and every language.
pub(crate) const TWO: [(&str, &str); 2] = [("dark", "en"), ("light", "ko")];

/// States of pages: what their pictures are called, and where they are.
pub(crate) type States = Vec<(String, String)>;

/// States of one page: their names, and what stands after `?`.
pub(crate) fn states(prefix: &str, page: &str, queries: &[(&str, &str)]) -> States {
    queries.iter().map(|(name, query)| (format!("{prefix}-{name}"), format!("{page}?{query}"))).collect()
}

/// Looks at every state in these dresses, wide and narrow, and keeps a picture of each: it is accessible, does not scroll
/// sideways and complains about nothing. `shown` brings a page that has data into its state. All that is wrong is told
/// together.
pub(crate) async fn looked_at(
    browser: &Browser,
    product: &Product,
    dresses: &[(&str, &str)],
    states: &[(String, String)],
    shown: impl AsyncFn(&Tab, &str) -> Result<()>,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (width, height) in SIZES {
        for (theme, language) in dresses {
            for (name, path) in states {
                let dress = format!("{name}-{theme}-{language}-{width}");
                let join = if path.contains('?') { '&' } else { '?' };
                let url = format!("{}{path}{join}theme={theme}&lang={language}", product.dashboard).replace(' ', "%20");
                let tab = Tab::open(browser, width, height).await?;
                let look = async {
                    tab.goto(&url).await?;
                    shown(&tab, name).await?;
                    problems(&tab, &dress).await
                };
                let found = look.await.unwrap_or_else(|error: anyhow::Error| vec![format!("{error:#}")]);
                wrong.extend(found.into_iter().map(|problem| format!("{dress}: {problem}")));
                tab.close().await?;
            }
        }
    }
    ensure!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// Takes a picture of what is in view and says what is wrong with it.
pub(crate) async fn problems(tab: &Tab, name: &str) -> Result<Vec<String>> {
    tab.screenshot(&shots().join(format!("{name}.png"))).await?;
    let mut problems = axe::violations(tab).await?;
    let overflow: i64 = tab.eval("document.documentElement.scrollWidth - window.innerWidth").await?;
    problems.extend((overflow > 0).then(|| format!("scrolls sideways by {overflow} px")));
    problems.extend(tab.complaints());
    Ok(problems)
}
