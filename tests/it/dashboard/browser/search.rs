//! The search box: what is suggested while one types, and searches that the browser keeps.

use serde_json::json;

use super::looks::{axe, shut_out};
use super::{Browser, Served};
use crate::http::start;
use crate::support::until;

const DOWN: char = '\u{e015}';
const UP: char = '\u{e013}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const TAB: char = '\u{e004}';

async fn typed(browser: &Browser) -> String {
    browser.find("#q").await.prop("value").await.unwrap().unwrap_or_default()
}

/// What has the focus, and which option it points at.
async fn focus(browser: &Browser) -> String {
    let script = "const at = document.activeElement; return `${at.id} ${at.getAttribute('aria-activedescendant') || ''}`";
    browser.run(script).await.as_str().expect("a text").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_is_typed_with_suggestions() {
    let (served, browser) = (Served::below("/admin/runlog").await, Browser::open().await);
    browser.goto(&served.to("/runs")).await;
    browser.keys("/status:").await;
    browser.until_says("#suggestions", "status:timed_out").await;
    let box_at = browser.bottom("#q").await;
    assert!(browser.bottom("#suggestions").await > box_at, "the list is below the box");
    for theme in ["light", "dark"] {
        browser.prefer(theme).await;
        assert_eq!(shut_out(&browser, &axe()).await, Vec::<String>::new());
    }
    browser.keys("fa").await;
    until("one is left", async || browser.count("#suggestions li").await == 1).await;
    assert_eq!(focus(&browser).await, "q", "nothing is chosen yet");
    browser.keys(&DOWN.to_string()).await;
    assert_eq!(focus(&browser).await, "q s-0");
    browser.keys(&DOWN.to_string()).await;
    assert_eq!(focus(&browser).await, "q", "behind the last one is the box");
    browser.keys(&format!("{UP}{ENTER}")).await;
    assert_eq!(typed(&browser).await, "status:failed ");
    assert!(!browser.has("#suggestions:not([hidden])").await && browser.address().await.ends_with("/runs"));

    browser.keys("work").await;
    browser.until_says("#suggestions", "workflow:").await;
    browser.click("#s-0").await;
    browser.until_says("#suggestions", "workflow:checkout").await;
    assert_eq!(typed(&browser).await, "status:failed workflow:", "a key goes on with its values");
    browser.keys(&ESCAPE.to_string()).await;
    assert!(!browser.has("#suggestions:not([hidden])").await);
    assert_eq!(
        (focus(&browser).await.as_str(), typed(&browser).await.as_str()),
        ("q", "status:failed workflow:")
    );
    // In the middle of a filter the rest stays.
    browser.keys("ch").await;
    browser.until_says("#suggestions", "workflow:checkout").await;
    browser.keys(&format!("{DOWN}{ENTER}{ENTER}")).await;
    browser.until_at("/admin/runlog/runs?q=status%3Afailed+workflow%3Acheckout+").await;
    assert_eq!(browser.count("tr[data-run]").await, 3);

    // What goes on to the next field leaves no list behind.
    browser.keys("/ sta").await;
    browser.until_says("#suggestions", "status:").await;
    browser.keys(&TAB.to_string()).await;
    assert!(!browser.has("#suggestions:not([hidden])").await);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_kept_by_the_browser_under_a_name() {
    let (served, browser) = (Served::below("/admin/runlog").await, Browser::open().await);
    browser.goto(&served.to("/runs?q=status:failed&cols=run,status,meta.tenant")).await;
    browser.press("Save").await;
    assert_eq!(shut_out(&browser, &axe()).await, Vec::<String>::new());
    browser.write("#save-name", "What <b>fails</b>").await;
    browser.keys(&ENTER.to_string()).await;
    browser.until_says("#saved", "What <b>fails</b>").await;
    assert_eq!(focus(&browser).await, "save", "the focus is where it was");
    browser.goto(&served.to("/runs")).await;
    browser.press("What <b>fails</b>").await;
    until("the list is asked for", async || browser.address().await.contains("cols=run")).await;
    assert_eq!((typed(&browser).await.as_str(), browser.count("tr[data-run]").await), ("status:failed", 4));

    // It stays when the page is brought up to date.
    browser.goto(&served.to("/runs")).await;
    until("the page follows its runs", async || browser.text("#pulse").await.contains("live")).await;
    start(&served.world.stage.open(), json!({ "workflow": "gate", "key": "another" })).await;
    browser.until_says("#news", "1 new run").await;
    browser.click("#news button").await;
    browser.until_says("#rows", "another").await;
    assert!(browser.text("#saved").await.contains("What <b>fails</b>"), "it is there still");
    assert!(browser.has("#q[role=combobox]").await);

    browser.click("#saved button").await;
    assert!(!browser.has("#saved:not([hidden])").await);
    browser.reload().await;
    assert!(!browser.has("#saved:not([hidden])").await, "it is forgotten");
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_scripts_the_box_is_a_plain_one() {
    let (served, browser) = (Served::at_the_root().await, Browser::without_scripts().await);
    browser.goto(&served.to("/runs?cols=run,status")).await;
    assert!(!browser.has("#save:not([hidden])").await && !browser.has("#q[role]").await);
    browser.write("#q", "status:failed").await;
    browser.click("form.search button:not([hidden])").await;
    browser.until_at("/runs?q=status%3Afailed&cols=run%2Cstatus").await;
    browser.close().await;
}
