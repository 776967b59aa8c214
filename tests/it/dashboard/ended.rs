//! When runs ended.

use super::sound::assert_sound;
use super::*;
use crate::http::get;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_over_time_lead_to_the_runs_of_each_time() {
    let world = World::new().await;
    let app = world.open();
    let list = visit(&app, "/runs?q=workflow:checkout").await;
    let link = list.links().into_iter().find(|link| link.starts_with("/stats?")).expect("a link");
    assert_eq!(link, "/stats?q=workflow%3Acheckout", "it follows the filter");
    let page = visit(&app, &link).await;
    assert_sound(&page);
    page.assert_says("Ended, by hour");
    let chips = page.texts("ul.chips li");
    assert_eq!(chips, ["✓ succeeded 2", "✕ failed 3"], "{page:?}");

    // The world may have been made at the turn of an hour: then there are two bars.
    let bars = page.all("svg.bars a");
    let rows = page.all("main table tbody tr");
    assert!((1..=2).contains(&bars.len()) && rows.len() == bars.len(), "{page:?}");
    let (mut found, mut said) = (0, String::new());
    for bar in &bars {
        said.push_str(bar.attr("aria-label").expect("words"));
        let runs = visit(&app, bar.attr("href").expect("an address")).await;
        assert_sound(&runs);
        found += runs.all("tr[data-run]").len();
    }
    assert_eq!(found, 5, "each run that ended is behind one bar: {said}");
    assert!(said.contains("failed") && said.contains("succeeded"), "{said}");
    assert!(!page.all("svg.bars rect.s-failed").is_empty(), "{page:?}");

    let wrong = visit(&app, "/stats?q=statu:failed").await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    assert_sound(&wrong);
    assert_eq!(wrong.value("#q"), "statu:failed");
    visit(&app, "/stats?q=workflow:gate%20status:running").await.assert_says("No run ended");
    assert_eq!(visit(&world.as_tenant("globex"), "/stats?namespace=default").await.status, 403);
    visit(&world.as_tenant("globex"), "/stats").await.assert_says("No run ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_picture_stands_above_the_list_and_is_a_file_of_its_own() {
    let world = World::new().await;
    let app = world.open();
    let list = visit(&app, "/runs?q=status:failed&namespace=default").await;
    let [picture] = list.all("ul.chips img")[..] else { panic!("{list:?}") };
    let address = picture.attr("src").expect("an address");
    assert!(address.starts_with("/stats.svg?q=status%3Afailed&namespace=default&at="), "{address}");
    let answer = get(&app, address).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "image/svg+xml"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "private, max-age=300");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'");
    let drawn = String::from_utf8(answer.bytes).expect("a text");
    assert!(drawn.starts_with("<svg xmlns") && drawn.contains("#d8453e"), "{drawn}");
    let none = get(&app, "/stats.svg?q=workflow:gate%20status:running").await;
    let none = String::from_utf8(none.bytes).expect("a text");
    assert_eq!(none.matches("<rect").count(), 1, "the ground alone: {none}");
    assert_eq!(get(&world.as_tenant("globex"), "/stats.svg?namespace=default").await.status, 403);
}
