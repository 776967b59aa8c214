//! What users give runs nowhere.

use super::super::hostile::{HOSTILE, Stages};
use super::{Browser, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_of_a_user_runs_as_a_script_or_is_fetched() {
    let (stages, browser) = (Stages::new(&HOSTILE).await, Browser::open().await);
    let base = serve(stages.open()).await;
    for (text, failed) in &stages.failed {
        browser.goto(&format!("{base}/runs/{failed}")).await;
        assert!(browser.text("h1").await.contains("failed"), "{text}");
        assert_eq!(browser.run("return window.pwned ?? 'no'").await, "no", "{text} ran");
        // A script or an address that the policy stopped would have come from a text that became an element.
        assert_eq!(browser.console().await, Vec::<String>::new(), "{text}");
    }
    browser.goto(&format!("{base}/audit?limit=500")).await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}
