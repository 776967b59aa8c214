//! How pages look: for everybody, in both themes, at any width.

use std::path::Path;

use serde_json::Value;

use super::super::pages;
use super::{Browser, Served};

const THEMES: [&str; 2] = ["light", "dark"];

/// The narrowest window (WCAG 2.2, 1.4.10).
const NARROW: u32 = 320;

/// Bytes of a picture in the documentation.
const PICTURE_BYTES_MAX: usize = 150_000;

/// The text of axe-core.
pub fn axe() -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../browser/axe-4.14.1.js");
    let axe = std::fs::read_to_string(&file);
    axe.unwrap_or_else(|error| panic!("{}: {error}: run scripts/browser", file.display()))
}

/// What axe-core finds serious or critical on the page.
pub async fn shut_out(browser: &Browser, axe: &str) -> Vec<String> {
    let run = "const done = arguments[arguments.length - 1];
        axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations.flatMap((one) =>
            one.nodes.map((node) => [one.impact, one.id, node.target.join(' '), node.failureSummary]))));";
    let found = browser.run_async(&format!("if (!window.axe) {{ {axe} }}; {run}")).await;
    let serious = |one: &&Value| matches!(one[0].as_str(), Some("serious" | "critical"));
    found.as_array().expect("a list").iter().filter(serious).map(Value::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_for_everybody_in_both_themes_at_any_width() {
    let axe = axe();
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    let mut addresses = pages::addresses(&served.world);
    addresses
        .extend(["/nothing", "/runs?q=statu:failed", "/runs?q=workflow:none", "/about"].map(str::to_owned));
    let mut wrong = Vec::new();
    for address in &addresses {
        browser.goto(&served.to(address)).await;
        for theme in THEMES {
            browser.prefer(theme).await;
            let found = shut_out(&browser, &axe).await;
            wrong.extend(found.into_iter().map(|one| format!("{address}, {theme}: {one}")));
        }
        browser.size(NARROW, 900).await;
        let width = browser.run("return document.documentElement.scrollWidth").await;
        if width.as_u64() > Some(u64::from(NARROW)) {
            let widest = "return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 321)
                .slice(0, 5).map((one) => one.outerHTML.slice(0, 100))";
            wrong.push(format!("{address} is {width} wide: {}", browser.run(widest).await));
        }
        browser.size(1280, 900).await;
        for line in browser.console().await {
            // That a page is refused is no fault of the page.
            if !line.contains("Failed to load resource") {
                wrong.push(format!("{address}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    browser.close().await;
}

/// The colour of the ground, as a number of brightness.
async fn brightness(browser: &Browser) -> u64 {
    let ground =
        "const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
        return r + g + b";
    browser.run(ground).await.as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_theme_is_the_systems_until_the_reader_chooses() {
    let (served, browser) = (Served::below("/admin/runlog").await, Browser::open().await);
    browser.goto(&served.to("/runs")).await;
    browser.prefer("dark").await;
    assert!(brightness(&browser).await < 200);
    browser.prefer("light").await;
    assert!(brightness(&browser).await > 600);
    browser.click("#theme").await;
    assert!(brightness(&browser).await < 200);
    browser.goto(&served.to("/about")).await;
    assert!(brightness(&browser).await < 200, "it is remembered");
    browser.keys("T").await;
    browser.reload().await;
    assert!(brightness(&browser).await > 600);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;
}

/// Takes the pictures of the documentation; with `RUNLOG_WRITE_SCREENSHOTS` set it writes them there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_of_the_documentation_are_small() {
    let (served, browser) = (Served::at_the_root().await, Browser::open().await);
    browser.size(1280, 800).await;
    let run = format!("/runs/{}", served.world.failed);
    for (name, path) in [("runs", "/runs"), ("run", run.as_str())] {
        browser.goto(&served.to(path)).await;
        for theme in THEMES {
            browser.prefer(theme).await;
            let picture = browser.screenshot().await;
            assert!(
                picture.starts_with(b"\x89PNG") && picture[16..20] == 1280u32.to_be_bytes(),
                "a picture, 1280 wide"
            );
            assert!(picture.len() <= PICTURE_BYTES_MAX, "{name}-{theme} has {} bytes", picture.len());
            if std::env::var_os("RUNLOG_WRITE_SCREENSHOTS").is_some() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(folder.join(format!("{name}-{theme}.png")), picture).expect("a file");
            }
        }
    }
    browser.close().await;
}
