//! Everything has a key.

use super::{Browser, Served};
use crate::support::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_walked_and_opened_by_keys() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    browser.goto(&served.to("/runs?q=status:failed")).await;
    browser.keys("?").await;
    assert!(browser.text("#keys").await.contains("next and previous row"));
    browser.keys("\u{e00c}").await;
    assert!(!browser.has("dialog[open]").await, "Escape closes it");

    // The causes come first, then the runs.
    let causes = browser.count("table.groups tbody tr").await;
    browser.keys(&"j".repeat(causes + 2)).await;
    let here = browser.text("tr.here").await;
    assert!(here.contains("failed"), "{here}");
    browser.keys("k").await;
    let row = browser.find("tr.here").await.attr("data-run").await.unwrap().expect("a run");
    browser.keys("x").await;
    assert!(browser.find("tr.here input").await.is_selected().await.unwrap());
    browser.keys("o").await;
    browser.until_at(&format!("/runs/{row}")).await;

    for (keys, place) in [
        ("gf", "/failures"),
        ("gw", "/workflows"),
        ("gs", "/schedules"),
        ("gl", "/limits"),
        ("gn", "/nodes"),
        ("ga", "/audit"),
        ("gr", "/runs"),
    ] {
        browser.keys(keys).await;
        browser.until_at(place).await;
    }
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_read_by_keys() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    let run = served.to(&format!("/runs/{}", served.world.failed));
    browser.goto(&run).await;
    for (key, place) in [("v", "#graph"), ("t", "#timeline"), ("l", "#logs"), ("i", "#io")] {
        browser.keys(key).await;
        browser.until_at(place).await;
    }
    browser.keys("e").await;
    assert_eq!(
        browser.find(".here").await.attr("id").await.unwrap().as_deref(),
        Some("why"),
        "the first error"
    );
    browser.keys("e").await;
    let second = browser.text(".here").await;
    assert!(second.contains("card_declined"), "{second}");
    browser.keys("E").await;
    assert_eq!(browser.find(".here").await.attr("id").await.unwrap().as_deref(), Some("why"));
    browser.keys("nn").await;
    let task = browser.find("tr.here").await.attr("data-task").await.unwrap();
    browser.keys("p").await;
    assert_ne!(browser.find("tr.here").await.attr("data-task").await.unwrap(), task);

    browser.keys("d").await;
    browser.until_at("/diff").await;
    browser.goto(&run).await;
    browser.keys("]").await;
    until("the state is shown", async || browser.address().await.contains("/state?at=")).await;
    let last = browser.address().await;
    browser.keys("[").await;
    until("it is the one before", async || browser.address().await != last).await;
    browser.keys("]").await;
    browser.until_at(last.rsplit('/').next().unwrap()).await;
    browser.goto(&run).await;
    browser.keys("r").await;
    browser.until_at("/replay").await;
    browser.goto(&served.to(&format!("/runs/{}", served.world.waiting))).await;
    browser.keys("c").await;
    browser.until_at("/cancel").await;
    assert!(browser.text("h1").await.contains("Cancel"), "a dialog: nothing is done by a key alone");
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_letters_in_a_field_and_nothing_when_they_are_off() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    browser.goto(&served.to("/runs")).await;
    browser.keys("/").await;
    browser.keys("grjTK?").await;
    assert!(browser.address().await.ends_with("/runs"));
    let typed = browser.find("#q").await.prop("value").await.unwrap();
    assert_eq!(typed.as_deref(), Some("grjTK?"));
    browser.keys("\u{e00c}").await;
    browser.keys("K").await;
    browser.until_says("#pulse", "keys are off").await;
    browser.keys("gf").await;
    browser.keys("?").await;
    assert!(browser.address().await.ends_with("/runs") && !browser.has("dialog[open]").await);
    browser.keys("K").await;
    browser.until_says("#pulse", "keys are on").await;
    browser.keys("gf").await;
    browser.until_at("/failures").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dragged_over_in_the_timeline_is_seen_closer() {
    let (served, browser) = (Served::below("/admin/runlog").await, Browser::open().await);
    let run = served.to(&format!("/runs/{}", served.world.failed));
    browser.goto(&run).await;
    browser.keys("t").await;
    browser.drag(".timeline svg", 0.5, 0.9).await;
    until("a part is shown", async || browser.text("#timeline").await.contains("The whole run")).await;
    let address = browser.address().await;
    assert!(address.starts_with(&format!("{run}?from=")) && address.ends_with("#timeline"), "{address}");
    browser.press("The whole run").await;
    until("all is shown", async || !browser.text("#timeline").await.contains("The whole run")).await;
    // A click is no drag.
    browser.drag(".timeline svg", 0.5, 0.5).await;
    assert!(!browser.address().await.contains("from="));
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}
