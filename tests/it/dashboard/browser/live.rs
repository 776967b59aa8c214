//! A page follows what it shows, in place.

use serde_json::json;

use super::{Browser, Served};
use crate::http::start;
use crate::support::until;

/// Marks the page: a mark that is gone says that the page was loaded anew.
async fn mark(browser: &Browser) {
    browser.run("window.same = true").await;
}

async fn assert_same(browser: &Browser) {
    assert_eq!(browser.run("return window.same === true").await, true, "the page was loaded anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_followed_to_its_end_without_a_reload() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    let waiting = &served.world.waiting;
    browser.goto(&served.to(&format!("/runs/{waiting}"))).await;
    browser.until_says("#pulse", "live").await;
    assert!(browser.text("h1").await.contains("waiting"));
    mark(&browser).await;
    // What the reader opened, and where the focus is, stay.
    browser.run("document.querySelector('.sections a').focus()").await;
    served.world.runtime().handle(waiting.parse().unwrap()).signal("go", &"done").await.unwrap();
    browser.until_says("h1", "succeeded").await;
    assert_same(&browser).await;
    assert_eq!(browser.run("return document.activeElement.textContent").await, "Graph", "the focus stays");
    assert!(browser.text("#tasks").await.contains("succeeded"), "all of the page is new");
    assert!(!browser.has("a[data-key=c]").await, "what has ended cannot be cancelled");
    browser.until_says("#pulse", "ended").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_runs_of_a_list_are_counted_and_shown_when_asked_for() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    browser.goto(&served.to("/runs?q=workflow:gate")).await;
    browser.until_says("#pulse", "live").await;
    mark(&browser).await;
    let before = browser.count("tr[data-run]").await;
    let app = served.world.stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    browser.until_says("#news", "1 new run: show").await;
    assert_eq!(browser.count("tr[data-run]").await, before, "no row moves under the hand");
    start(&app, json!({ "workflow": "limited" })).await;
    browser.click("#news button").await;
    until("it is shown", async || browser.has(&format!("#r-{id}")).await).await;
    assert_eq!(browser.count("tr[data-run]").await, before + 1);

    // A row that is there is brought up to date where it stands, and what is ticked stays so.
    browser.click(&format!("#r-{id} input")).await;
    served.world.runtime().handle(id.parse().unwrap()).signal("go", &"done").await.unwrap();
    browser.until_says(&format!("#r-{id}"), "succeeded").await;
    let ticked = browser.find(&format!("#r-{id} input")).await.is_selected().await.unwrap();
    assert!(ticked, "what is ticked stays so");
    assert_same(&browser).await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_paused_stands_still_until_it_goes_on() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    let waiting = &served.world.waiting;
    browser.goto(&served.to(&format!("/runs/{waiting}"))).await;
    browser.until_says("#pulse", "live").await;
    browser.keys(".").await;
    browser.until_says("#pulse", "paused").await;
    let run = served.world.runtime().handle(waiting.parse().unwrap());
    run.signal("go", &"done").await.unwrap();
    crate::support::soon("its end", run.wait()).await.unwrap();
    assert!(browser.text("h1").await.contains("waiting"), "nothing moved");
    browser.keys(".").await;
    browser.until_says("h1", "succeeded").await;
    browser.close().await;
}
