//! From the list to the cause, and to the replay that mends it.

use super::{Browser, Served};
use crate::support::until;

/// The height of the window: what lies above it is seen without a scroll.
const FIRST_SCREEN: f64 = 900.0;

/// How a reader gets to what changes: it changes by itself, or he asks again.
async fn until_it_says(browser: &Browser, selector: &str, words: &str, live: bool) {
    until(&format!("{selector} says {words}"), async || {
        let says = browser.text(selector).await.contains(words);
        if !says && !live {
            browser.reload().await;
        }
        says
    })
    .await;
}

/// Goes the whole way with clicks. `live` = the browser runs scripts.
async fn debug(browser: &Browser, served: &Served, live: bool) {
    // What fails, how often, since when: on the first screen.
    browser.goto(&served.base).await;
    assert!(browser.address().await.ends_with("/runs"), "{}", browser.address().await);
    let cause = browser.text("table.groups tbody tr").await;
    for piece in ["3", "checkout ▸ charge", "card_declined (insufficient_funds)", "ago"] {
        assert!(cause.contains(piece), "{piece} in {cause}");
    }
    assert!(browser.bottom("table.groups tbody tr").await < FIRST_SCREEN);

    // The runs of that cause, then one of them.
    browser.click("table.groups tbody a.open").await;
    assert_eq!(browser.count("tr[data-run]").await, 3, "{}", browser.text("main").await);
    browser.click(&format!("a.open[href$='{}']", served.world.failed)).await;

    // The answer: task, attempt, error with its chain, source line, input, logs, how many others.
    let why = browser.text("#why").await;
    for piece in [
        "failed at attempt 2 of 2",
        "Declined: card_declined (insufficient_funds)",
        "caused by: 402 Payment Required",
        "tests/it/dashboard/world.rs:",
        "ord-771",
        "charge declined",
        "2 other runs failed for the same cause",
    ] {
        assert!(why.contains(piece), "{piece} in {why}");
    }
    for seen in ["#why .headline", "#why .failure", "#why .payload"] {
        assert!(browser.bottom(seen).await < FIRST_SCREEN, "{seen} is on the first screen");
    }

    // What changed since the last good run.
    browser.press("Diff with the last good run").await;
    let diff = browser.text("main").await;
    for piece in ["input/cents", "1200", "4200"] {
        assert!(diff.contains(piece), "{piece} in {diff}");
    }
    browser.back().await;

    // The replay with another input, told before it happens.
    browser.press("Replay with edited input").await;
    browser.press("From the start instead").await;
    browser.back().await;
    let said = browser.text("main").await;
    assert!(said.contains("runs 3 tasks") || said.contains("takes over"), "{said}");
    browser.write("#input", r#"{"order":"ord-771","cents":1500}"#).await;
    browser.write("#reason", "a smaller order").await;
    match live {
        true => browser.control(char::from(fantoccini::key::Key::Enter)).await,
        false => browser.click("main form button.primary").await,
    }
    until("it is another run", async || !browser.address().await.contains(&served.world.failed)).await;
    until_it_says(browser, "h1", "succeeded", live).await;
    let page = browser.text("main").await;
    assert!(page.contains("a smaller order") && page.contains("1500"), "{page}");

    // All that fail for this cause.
    browser.goto(&served.base).await;
    browser.click("table.groups tbody a.open").await;
    browser.press("Replay all that match").await;
    let told = browser.text("main").await;
    assert!(told.contains("Would replay 3 runs."), "{told}");
    browser.write("#reason", "incident over").await;
    browser.click("main form button.danger").await;
    until_it_says(browser, "main", "Finished", live).await;
    let done = browser.text("main").await;
    assert!(done.contains("3 of 3 done") && done.contains("incident over"), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_in_under_a_minute() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    debug(&browser, &served, true).await;
    assert_eq!(browser.console().await, Vec::<String>::new(), "nothing is in the console");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_without_javascript() {
    let (served, browser) = (Served::at_the_root().await, Browser::without_scripts().await);
    browser.goto(&served.to("/runs")).await;
    assert!(!browser.find("#theme").await.is_displayed().await.expect("a button"), "no script ran");
    debug(&browser, &served, false).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_below_a_mount() {
    let (served, browser) = (Served::below("/admin/runlog").await, Browser::open().await);
    debug(&browser, &served, true).await;
    assert_eq!(browser.console().await, Vec::<String>::new(), "nothing is in the console");
    assert!(browser.address().await.contains("/admin/runlog/bulk/"));
    browser.close().await;
}
