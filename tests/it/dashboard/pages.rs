//! What each page shows of a world with something of everything.

use super::sound::assert_sound;
use super::*;

/// Every page but those that need no reader, with a thing for each variable.
pub fn addresses(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let named = |path: &str| match path {
        "/workflows/{name}" => "checkout",
        _ => "charge",
    };
    for route in PAGES.iter().filter(|route| route.method == Method::GET && route.action.is_some()) {
        let path = route.path.replace("{name}", named(route.path)).replace("{seq}", "1");
        match route.path {
            // A picture and suggestions are no pages.
            "/stats.svg" | "/suggest" => {}
            "/bulk" => found
                .extend(["cancel", "replay"].map(|action| format!("/bulk?action={action}&q=workflow:gate"))),
            "/bulk/{id}" => found.push(path.replace("{id}", &world.bulk)),
            "/runs/{id}/tasks/{name}" => {
                found
                    .extend([&world.good, &world.failed, &world.replay].map(|run| path.replace("{id}", run)));
            }
            // What did not end cannot be replayed.
            "/runs/{id}/replay" => {
                found.extend([&world.good, &world.failed, &world.parent].map(|run| path.replace("{id}", run)))
            }
            _ if path.contains("{id}") => found.extend(world.runs().map(|run| path.replace("{id}", run))),
            _ => found.push(path),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_answers_for_everything_there_is() {
    let world = World::new().await;
    let app = world.open();
    for address in addresses(&world) {
        let page = visit(&app, &address).await;
        match address.as_str() {
            "/" => assert_eq!(page.place(), "/runs"),
            _ => {
                assert_eq!(page.status, 200, "{page:?}");
                assert_sound(&page);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_shows_what_fails_by_its_cause_and_then_the_runs() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, "/runs").await;
    let causes = page.texts("table.groups tbody tr");
    assert!(
        causes.iter().any(|cause| cause.starts_with('3')
            && cause.contains("checkout ▸ charge")
            && cause.contains("card_declined (insufficient_funds)")),
        "{causes:?}"
    );
    let chips = page.texts("ul.chips li");
    for chip in ["all 11", "✕ failed 4", "✓ succeeded 2", "⊘ cancelled 1", "◌ queued 2"] {
        assert!(chips.iter().any(|said| said == chip), "{chip} in {chips:?}");
    }
    let rows = page.all("tr[data-run]");
    assert_eq!(rows.len(), 11);
    let row = page.one(&format!("#r-{}", world.failed));
    for piece in
        ["✕ failed", "checkout", "tenant=acme", "charge", "Declined: card_declined (insufficient_funds)"]
    {
        assert!(row.contains(piece), "{piece} in {row}");
    }
    // The kind of what only passes an error on says nothing: the message has the error's own.
    assert!(row.contains("step `card` failed") && !row.contains("CxError"), "{row}");
    assert!(causes.iter().any(|cause| cause.contains("charge step `card` failed: Declined")), "{causes:?}");
    let waits = page.one(&format!("#r-{}", world.waiting));
    assert!(waits.contains("gate") && waits.contains("k-1"), "{waits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_failed_run_begins_with_why() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, &format!("/runs/{}", world.failed)).await;
    let why = page.one("#why");
    for piece in [
        "checkout ▸ charge: failed at attempt 2 of 2 in step `card`: Declined: card_declined (insufficient_funds)",
        "Task charge, step card, attempt 2 of 2",
        "caused by: 402 Payment Required",
        "at tests/it/dashboard/world.rs:",
        r#"{ "cents": 4200, "order": "ord-771" }"#,
        "shelf 3 for ord-771",
        "charge declined",
        "2 other runs failed for the same cause",
        "The last good run is ✓ succeeded",
        "input/cents 1200 → 4200",
        "Replay from charge",
        "reuses 1 task, runs 2",
        &format!("runlog why {}", world.failed),
    ] {
        assert!(why.contains(piece), "{piece:?} in {why}");
    }
    let main = page.one("main");
    assert!(main.find("Why") < main.find("Graph"), "the answer comes first");
    page.assert_says("Replayed by ✓ succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_with_its_child_shows_the_way_to_the_cause() {
    let world = World::new().await;
    let page = visit(&world.open(), &format!("/runs/{}", world.parent)).await;
    let path = page.one("#why .path");
    assert!(path.contains("parent") && path.contains("checkout") && path.contains("charge"), "{path}");
    assert!(page.one("#why").contains("card_declined (insufficient_funds)"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_pages_show_what_they_are_for() {
    let world = World::new().await;
    let app = world.open();
    let (waiting, failed, replay, bulk) = (&world.waiting, &world.failed, &world.replay, &world.bulk);
    for (address, pieces) in [
        (format!("/runs/{waiting}"), &["‖ waiting", "Waits for", "go", "Signal…", "Cancel…", "Key k-1"][..]),
        (format!("/runs/{}", world.held), &["◌ queued", "echo", "Resume echo…"]),
        (format!("/runs/{}", world.cancelled), &["⊘ cancelled", "ada", "closing"]),
        (format!("/runs/{replay}"), &["Replays", "What differs", "replay by ada: a smaller order"]),
        (
            format!("/runs/{failed}/tasks/charge"),
            &["✕ failed", "Attempts", "Steps", "Given by reserve", "card"],
        ),
        (format!("/runs/{failed}/events"), &["run_created", "attempt_failed", "charge/2", "run_failed"]),
        (format!("/runs/{failed}/events?kind=run_failed"), &["run_failed"]),
        (format!("/runs/{failed}/logs?level=warn"), &["2 lines.", "WARN and above 2", "charge declined"]),
        (format!("/runs/{failed}/logs?task=charge&attempt=1"), &["2 lines.", r#"{"cents":4200}"#]),
        (format!("/runs/{failed}/state?at=1"), &["State after event 1 of"]),
        (format!("/runs/{failed}/diff"), &["input/cents", "1200", "4200", "Tasks"]),
        (format!("/runs/{replay}/diff?with={failed}"), &["input/cents", "4200", "900"]),
        (
            format!("/bulk/{bulk}"),
            &["Cancelling 2 runs", "1 refused", "By ada", "closing", "illegal_transition"],
        ),
        ("/failures".into(), &["4 runs failed for 2 causes", "checkout ▸ charge", "newest"]),
        ("/workflows".into(), &["checkout", "echo paused", "gate", "limited", "parent"]),
        ("/workflows/checkout".into(), &["reserve", "charge", "ship", "Start a run", "Pause"]),
        ("/workflows/echo".into(), &["Paused since", "by ada: the bank is away", "Resume"]),
        ("/schedules".into(), &["settle-books", "gate", "30 2 * * *", "Europe/Berlin", "Pause", "Run now"]),
        ("/limits".into(), &["limited", "tenant", "1 at once", "/tenant", "acme"]),
        ("/nodes".into(), &["● alive", "checkout 1"]),
        ("/audit".into(), &["ada", "cancel", "pause", "replay", "a smaller order"]),
        ("/about".into(), &["You are anyone", "read_payload", "status", "its description"]),
    ] {
        let page = visit(&app, &address).await;
        for piece in pieces {
            page.assert_says(piece);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_timeline_has_an_address_of_its_own() {
    let world = World::new().await;
    let app = world.open();
    let run = format!("/runs/{}", world.failed);
    let task = visit(&app, &format!("{run}/tasks/charge")).await;
    let links = task.all("a[aria-label='Attempt 2 in the timeline']");
    let [only] = links[..] else { panic!("{task:?}") };
    let only = only.attr("href").expect("an address");
    assert!(only.starts_with(&format!("{run}?from=")) && only.ends_with("#timeline"), "{only}");
    let page = visit(&app, only).await;
    assert_sound(&page);
    let part = page.one("#timeline");
    assert!(part.contains("From ") && part.contains("The whole run"), "{part}");
    let charge = page
        .all("ol.timeline svg")
        .into_iter()
        .find(|row| row.attr("aria-label").is_some_and(|label| label.starts_with("charge")));
    let titles: Vec<String> =
        charge.expect("a row").select(&page::select("title")).map(|title| title.text().collect()).collect();
    assert!(titles.iter().any(|title| title.contains("attempt 2 failed")), "{titles:?}");
    assert!(
        !titles.iter().any(|title| title.contains("attempt 1 failed")),
        "what was before is left out: {titles:?}"
    );
    let whole = visit(&app, &run).await;
    assert!(!whole.words().contains("The whole run"), "{whole:?}");
    for (query, words) in [
        ("from=x", "from is \"x\": expected milliseconds after the run's start"),
        ("to=-1", "to is \"-1\""),
        ("from=5&to=5", "to must be later than from"),
    ] {
        let wrong = visit(&app, &format!("{run}?{query}")).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
        wrong.assert_says(words);
    }
    for query in ["from=0", "to=1", "from=99999999999999", "from=0&to=18446744073709551615"] {
        let page = visit(&app, &format!("{run}?{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_sound(&page);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tour_points_at_three_things_until_it_is_closed() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, &format!("/runs/{}?tour=1", world.failed)).await;
    assert_sound(&page);
    let callouts = page.texts("aside.callout");
    assert_eq!(callouts.len(), 3, "{callouts:?}");
    for (callout, words) in callouts.iter().zip(["1 of 3 · Why", "2 of 3 · Replay", "3 of 3 · State"]) {
        assert!(callout.starts_with(words), "{callout}");
    }
    let close = page.all("aside.callout a")[0].attr("href").expect("an address");
    let closed = visit(&app, &page.resolve(close).expect("a page")).await;
    assert!(closed.all("aside.callout").is_empty(), "{closed:?}");
    let good = visit(&app, &format!("/runs/{}?tour=1", world.good)).await;
    assert!(good.all("aside.callout").is_empty(), "there is nothing to be explained");
}
