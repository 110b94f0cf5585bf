//! The dashboard as a person meets it: a real server, the demo shop's real traffic, a real Chromium.
//!
//! Two tests run at a time, each with a browser and a product of its own; what measures runs alone, and first. Pictures of
//! every page go to `target/e2e/` (or `ORRERY_SHOTS`); look at them.

/// Prints a figure even where the test harness keeps what tests print to itself.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
pub(crate) use say;

mod alerts;
mod ask;
mod axe;
mod chunks;
mod dress;
mod faults;
mod flame;
mod journeys;
mod keyboard;
mod map;
mod pages;
mod phones;
mod product;
mod shop;
mod speed;
mod sql;
mod tab;
mod told;
mod trace;
mod traces;
mod views;

use anyhow::Result;
use chromiumoxide::browser::Browser;
use tokio::sync::{Semaphore, SemaphorePermit};

const CORES: u32 = 2;
static TURNS: Semaphore = Semaphore::const_new(CORES as usize);

/// Runs a test that measures, when no other runs. It may let others in when it has measured.
async fn alone(test: impl AsyncFnOnce(&Browser, &mut SemaphorePermit<'static>) -> Result<()>) -> Result<()> {
    let mut turn = TURNS.acquire_many(CORES).await?;
    let (mut browser, _profile) = tab::launch().await?;
    test(&browser, &mut turn).await?;
    browser.close().await?;
    Ok(())
}

/// Runs a test beside another one.
async fn beside(test: impl AsyncFnOnce(&Browser) -> Result<()>) -> Result<()> {
    let _turn = TURNS.acquire().await?;
    let (mut browser, _profile) = tab::launch().await?;
    test(&browser).await?;
    browser.close().await?;
    Ok(())
}

/// Named so that they come first: who waits to be alone keeps others waiting.
mod alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn first_frames() -> Result<()> {
        super::alone(async |browser, _| {
            let product = product::Product::demo().await?;
            speed::first_frame_and_usable(browser, &product).await
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn huge_traces() -> Result<()> {
        super::alone(async |browser, _| traces::of_a_million_spans(browser).await).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn large_maps() -> Result<()> {
        super::alone(async |browser, turn| {
            let systems = map::measured(browser).await?;
            // What follows is not measured.
            drop(turn.split(1));
            map::of_hundreds_and_of_a_thousand(browser, &systems).await
        })
        .await
    }
}

mod beside {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn alerting() -> Result<()> {
        super::beside(alerts::from_rule_to_silence).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn asking() -> Result<()> {
        super::beside(ask::in_traceql).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault() -> Result<()> {
        super::beside(faults::are_found_from_the_overview).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes half an hour of the shop"]
    async fn every_fault_is_told() -> Result<()> {
        super::beside(faults::are_told).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_trace() -> Result<()> {
        super::beside(trace::among_others).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn saved_views() -> Result<()> {
        super::beside(views::are_kept_and_shared).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sql_console() -> Result<()> {
        super::beside(sql::the_console).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_dashboard() -> Result<()> {
        super::beside(async |browser| {
            let product = product::Product::demo().await?;
            journeys::a_full_disk_is_said_on_every_page(browser).await?;
            journeys::from_an_error_on_the_map_to_the_failing_span(browser, &product).await?;
            journeys::by_keyboard_alone(browser, &product).await?;
            keyboard::an_incident_by_keyboard(browser, &product).await?;
            map::of_the_shop(browser, &product).await?;
            journeys::state_is_in_the_url(browser, &product).await?;
            chunks::an_address_fetches_its_page_at_once(browser, &product).await?;
            chunks::a_page_arrives_when_it_can(browser, &product).await?;
            chunks::a_replaced_server_is_noticed(browser, &product).await?;
            pages::every_page_in_every_dress(browser, &product).await
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_ranges() -> Result<()> {
        super::beside(map::of_two_ranges).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn where_time_goes() -> Result<()> {
        super::beside(flame::of_many_traces).await
    }
}
