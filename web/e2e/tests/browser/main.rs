//! The dashboard as a person meets it: a real server, the demo shop's real traffic, a real Chromium.
//!
//! One product and one browser serve all checks, in order: they share two cores. Pictures of every page go to
//! `target/e2e/` (or `ORRERY_SHOTS`); look at them.

/// Prints a figure even where the test harness keeps what tests print to itself.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
pub(crate) use say;

mod ask;
mod axe;
mod chunks;
mod faults;
mod flame;
mod journeys;
mod keyboard;
mod map;
mod pages;
mod product;
mod shop;
mod speed;
mod sql;
mod tab;
mod trace;
mod traces;
mod views;

use anyhow::Result;

/// They share two cores.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_traces() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    traces::of_a_million_spans(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    trace::among_others(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    ask::in_traceql(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_time_goes() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    flame::of_many_traces(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_views() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    views::are_kept_and_shared(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_console() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    sql::the_console(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn big_maps() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    map::of_hundreds_and_of_a_thousand(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ranges() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    map::of_two_ranges(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (mut browser, _profile) = tab::launch().await?;
    faults::are_found_from_the_overview(&browser).await?;
    browser.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let product = product::Product::demo().await?;
    let (mut browser, _profile) = tab::launch().await?;
    journeys::a_full_disk_is_said_on_every_page(&browser).await?;
    speed::first_frame_and_usable(&browser, &product).await?;
    journeys::from_an_error_on_the_map_to_the_failing_span(&browser, &product).await?;
    journeys::by_keyboard_alone(&browser, &product).await?;
    keyboard::an_incident_by_keyboard(&browser, &product).await?;
    map::of_the_shop(&browser, &product).await?;
    journeys::state_is_in_the_url(&browser, &product).await?;
    chunks::an_address_fetches_its_page_at_once(&browser, &product).await?;
    chunks::a_page_arrives_when_it_can(&browser, &product).await?;
    chunks::a_replaced_server_is_noticed(&browser, &product).await?;
    pages::every_page_in_every_dress(&browser, &product).await?;
    browser.close().await?;
    Ok(())
}
