//! A browser tab and the dozen things tests do with it.

use anyhow::{Context, Result, anyhow, bail};
use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use chromiumoxide::cdp::browser_protocol::input::{DispatchMouseEventParams, DispatchMouseEventType, MouseButton};
use chromiumoxide::cdp::browser_protocol::log::EventEntryAdded;
use chromiumoxide::cdp::browser_protocol::network::{BlockPattern, SetBlockedUrLsParams};
use chromiumoxide::cdp::js_protocol::runtime::{EventConsoleApiCalled, EventExceptionThrown};
use chromiumoxide::layout::Point;
use chromiumoxide::page::{Page, ScreenshotParams};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a page may take to reach a state before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// JavaScript: the page shows data, and nothing of it is still coming.
pub(crate) const SETTLED: &str = "document.querySelector('main .loaded, main .notice') \
     && !document.querySelector('main .skeleton') && !document.querySelector('main [aria-busy=\"true\"]')";

/// Debian's names first; `ORRERY_CHROMIUM` wins.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Starts a Chromium that talks to nobody but the page under test. Its profile goes with the returned folder.
pub(crate) async fn launch() -> Result<(Browser, tempfile::TempDir)> {
    let profile = tempfile::tempdir()?;
    let config = BrowserConfig::builder()
        .chrome_executable(executable()?)
        .user_data_dir(profile.path())
        .new_headless_mode()
        .no_sandbox()
        .viewport(None)
        .launch_timeout(2 * PATIENCE)
        .request_timeout(2 * PATIENCE)
        .args(["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"])
        .args(["disable-component-update", "disable-sync", "disable-dev-shm-usage"])
        .build()
        .map_err(|reason| anyhow!("{reason}"))?;
    let (browser, mut events) = Browser::launch(config).await.context("Chromium does not start")?;
    tokio::spawn(async move { while events.next().await.is_some() {} });
    Ok((browser, profile))
}

fn executable() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ORRERY_CHROMIUM") {
        return Ok(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file());
    found.context("no Chromium: `cargo xtask test` installs it, or set ORRERY_CHROMIUM")
}

/// A tab that remembers everything the page complained about.
pub(crate) struct Tab {
    page: Page,
    complaints: Arc<Mutex<Vec<String>>>,
    /// Words of complaints that are no news.
    expected: Mutex<Vec<&'static str>>,
}

impl Tab {
    /// An empty tab of this size in CSS pixels, at one device pixel each.
    pub(crate) async fn open(browser: &Browser, width: i64, height: i64) -> Result<Tab> {
        let page = browser.new_page("about:blank").await?;
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let mut console = page.event_listener::<EventConsoleApiCalled>().await?;
        let mut thrown = page.event_listener::<EventExceptionThrown>().await?;
        let mut entries = page.event_listener::<EventEntryAdded>().await?;
        let note = |complaints: &Arc<Mutex<Vec<String>>>, text: String| {
            complaints.lock().expect("no test panics while noting").push(text);
        };
        let list = complaints.clone();
        tokio::spawn(async move {
            while let Some(event) = console.next().await {
                let kind = format!("{:?}", event.r#type).to_lowercase();
                if kind.contains("error") || kind.contains("assert") {
                    let text: Vec<String> = event
                        .args
                        .iter()
                        .map(|arg| arg.description.clone().unwrap_or_else(|| format!("{:?}", arg.value)))
                        .collect();
                    note(&list, format!("console.{kind}: {}", text.join(" ")));
                }
            }
        });
        let list = complaints.clone();
        tokio::spawn(async move {
            while let Some(event) = thrown.next().await {
                let details = &event.exception_details;
                let text = details.exception.as_ref().and_then(|object| object.description.clone());
                note(&list, format!("exception: {} {}", details.text, text.unwrap_or_default()));
            }
        });
        let list = complaints.clone();
        tokio::spawn(async move {
            while let Some(event) = entries.next().await {
                if format!("{:?}", event.entry.level).to_lowercase().contains("error") {
                    note(&list, format!("log: {} {}", event.entry.text, event.entry.url.clone().unwrap_or_default()));
                }
            }
        });
        page.enable_log().await?;
        page.enable_runtime().await?;
        let metrics = SetDeviceMetricsOverrideParams::new(width, height, 1.0, width < 600);
        page.execute(metrics).await?;
        Ok(Tab { page, complaints, expected: Mutex::default() })
    }

    /// Loads a URL and waits until the page has data.
    pub(crate) async fn goto(&self, url: &str) -> Result<()> {
        self.page.goto(url).await?;
        self.settled().await
    }

    /// Waits until the dashboard runs and nothing on the page is loading.
    pub(crate) async fn settled(&self) -> Result<()> {
        self.wait_for(SETTLED).await
    }

    /// Runs a script in every document from now on, before its own.
    pub(crate) async fn before_every_page(&self, script: &str) -> Result<()> {
        self.page.evaluate_on_new_document(script).await?;
        Ok(())
    }

    /// Lets requests for these patterns of URLs fail.
    pub(crate) async fn block(&self, patterns: &[&str]) -> Result<()> {
        let patterns = patterns.iter().map(|pattern| BlockPattern::new(*pattern, true));
        self.page.execute(SetBlockedUrLsParams::builder().url_patterns(patterns).build()).await?;
        Ok(())
    }

    /// Moves the mouse.
    pub(crate) async fn point(&self, x: f64, y: f64) -> Result<()> {
        self.page.move_mouse(Point { x, y }).await?;
        Ok(())
    }

    /// Clicks where the mouse is told to be.
    pub(crate) async fn click_at(&self, x: f64, y: f64) -> Result<()> {
        self.page.click(Point { x, y }).await?;
        Ok(())
    }

    /// Presses the mouse in one place, moves it to another in steps, and lets go there.
    pub(crate) async fn drag(&self, from: (f64, f64), to: (f64, f64)) -> Result<()> {
        const STEPS: u32 = 8;
        let event = |kind, at: (f64, f64)| {
            let event = DispatchMouseEventParams::builder().r#type(kind).x(at.0).y(at.1).button(MouseButton::Left);
            event.buttons(1).click_count(1).build().map_err(|reason| anyhow!("{reason}"))
        };
        self.point(from.0, from.1).await?;
        self.page.execute(event(DispatchMouseEventType::MousePressed, from)?).await?;
        for step in 1..=STEPS {
            let share = f64::from(step) / f64::from(STEPS);
            let at = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            self.page.execute(event(DispatchMouseEventType::MouseMoved, at)?).await?;
        }
        self.page.execute(event(DispatchMouseEventType::MouseReleased, to)?).await?;
        Ok(())
    }

    /// Types into what has the focus.
    pub(crate) async fn type_text(&self, text: &str) -> Result<()> {
        self.page.find_element(":focus").await?.type_str(text).await?;
        Ok(())
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn wait_for(&self, condition: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < deadline {
            match self.eval::<bool>(&format!("!!({condition})")).await {
                Ok(true) => return Ok(()),
                Ok(false) => last = "false".to_owned(),
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let text: String = self.eval("document.body.innerText.slice(0, 600)").await.unwrap_or_default();
        bail!("not within {PATIENCE:?}: {condition} ({last})\ncomplaints: {:?}\npage says: {text}", self.complaints())
    }

    /// The value of a JavaScript expression; promises are awaited.
    pub(crate) async fn eval<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        Ok(self.page.evaluate(expression).await?.into_value()?)
    }

    /// Clicks the first element that matches, with the mouse.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        self.wait_for(&format!("document.querySelector({selector:?})")).await?;
        self.page.find_element(selector).await?.scroll_into_view().await?.click().await?;
        Ok(())
    }

    /// Clicks the first element that matches with the mouse, if it is where a person sees and reaches it.
    pub(crate) async fn click_visible(&self, selector: &str) -> Result<()> {
        self.wait_for(&format!("document.querySelector({selector:?})")).await?;
        self.click_seen(&format!("document.querySelector({selector:?})")).await
    }

    /// The same for the first link or button within `place` that says these words.
    pub(crate) async fn click_words(&self, place: &str, words: &str) -> Result<()> {
        let found = format!(
            "[...document.querySelectorAll('{place} a, {place} button')].find((found) => found.innerText.trim() === {words:?})"
        );
        self.wait_for(&found).await?;
        self.click_seen(&found).await
    }

    async fn click_seen(&self, found: &str) -> Result<()> {
        let place = format!(
            "(() => {{ const found = {found}; found.scrollIntoView({{ block: 'nearest' }}); const box = found.getBoundingClientRect(); \
             const at = [box.left + Math.min(box.width / 2, 200), box.top + box.height / 2]; const top = document.elementFromPoint(...at); \
             return found.contains(top) ? at : [-1, -1] }})()"
        );
        let (x, y): (f64, f64) = self.eval(&place).await?;
        if x < 0.0 {
            bail!("{found} is hidden behind something else");
        }
        self.click_at(x, y).await
    }

    /// Presses a key as the keyboard does, whatever has the focus; `Shift+` before it holds that key.
    pub(crate) async fn key(&self, key: &str) -> Result<()> {
        use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};
        let (modifiers, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => i64::from(key.to_uppercase().bytes().next().unwrap_or_default()),
        };
        let text = match key {
            "Enter" => Some("\r"),
            letter if letter.len() == 1 => Some(letter),
            _ => None,
        };
        let event = |kind| {
            let mut event = DispatchKeyEventParams::builder().r#type(kind).key(key).modifiers(modifiers);
            event = event.windows_virtual_key_code(code).code(if key.len() == 1 {
                format!("Key{}", key.to_uppercase())
            } else {
                key.to_owned()
            });
            if let Some(text) = text {
                event = event.text(text);
            }
            event.build().map_err(|reason| anyhow!("{reason}"))
        };
        let down = if text.is_some() { DispatchKeyEventType::KeyDown } else { DispatchKeyEventType::RawKeyDown };
        self.page.execute(event(down)?).await?;
        self.page.execute(event(DispatchKeyEventType::KeyUp)?).await?;
        Ok(())
    }

    /// Presses Tab until what has the focus matches.
    pub(crate) async fn tab_until(&self, selector: &str) -> Result<()> {
        const MOST: usize = 120;
        for _ in 0..MOST {
            self.key("Tab").await?;
            if self.eval::<bool>(&format!("document.activeElement.matches({selector:?})")).await? {
                return Ok(());
            }
        }
        bail!("{MOST} times Tab do not lead to {selector}")
    }

    /// Presses a key in whatever has the focus.
    pub(crate) async fn press(&self, key: &str) -> Result<()> {
        self.page.find_element(":focus").await?.press_key(key).await?;
        Ok(())
    }

    /// Where the tab is.
    pub(crate) async fn url(&self) -> Result<String> {
        self.eval("location.href").await
    }

    /// Writes a picture of what is in view.
    pub(crate) async fn screenshot(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        self.page.save_screenshot(ScreenshotParams::builder().build(), path).await?;
        Ok(())
    }

    /// Console errors, exceptions, failed requests and policy violations so far, but those that were expected.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let expected = self.expected.lock().expect("no test panics while noting");
        let all = self.complaints.lock().expect("no test panics while noting");
        all.iter().filter(|said| !expected.iter().any(|words| said.contains(words))).cloned().collect()
    }

    /// Complaints with these words are no news, before or after.
    pub(crate) fn expect_complaint(&self, words: &'static str) {
        self.expected.lock().expect("no test panics while noting").push(words);
    }

    /// Closes it.
    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.page.close().await?)
    }
}
