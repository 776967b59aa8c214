//! One action on many runs, from a selection or from a filter.

use serde_json::json;

use super::sound::assert_sound;
use super::*;
use crate::http::start;
use crate::support::until;

async fn finished(app: &Router, place: &str) -> Page {
    until("it is finished", async || visit(app, place).await.words().contains("Finished")).await;
    visit(app, place).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_selected_runs_are_shown_first_and_then_replayed() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let list = visit(&app, "/runs?q=status:failed").await.form("/bulk");
    let chosen = list.tick("ids", &world.failed).tick("ids", &world.alike).press("Replay the selected");
    let count = "select count(*) from runlog.runs";
    let before = world.stage.ground.count(count).await;
    let preview = submit(&app, &chosen).await;
    assert_sound(&preview);
    preview.assert_says("Would replay 2 runs.");
    preview.assert_says("takes over 1 task, runs 2");
    assert_eq!(world.stage.ground.count(count).await, before, "nothing is done before the second button");

    let form = preview.form("/bulk");
    let wrong = submit(&app, &form.clone().set("rate", "fast").set("reason", "incident over")).await;
    assert_eq!((wrong.status.as_u16(), wrong.value("#reason").as_str()), (422, "incident over"), "{wrong:?}");
    let began = submit(&app, &form.set("rate", "100").set("reason", "incident over")).await;
    let page = finished(&app, &began.place()).await;
    for words in ["Replaying 2 runs", "2 of 2 done", "By ada", "at most 100 a second", "incident over"] {
        page.assert_says(words);
    }
    assert_eq!(world.stage.ground.count(count).await, before + 2);
    assert_eq!(
        page.all("tbody tr").iter().filter(|row| row.select(&page::select("a")).count() == 2).count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_selected_is_nothing_done() {
    let world = World::new().await;
    let app = world.open();
    let list = visit(&app, "/runs").await.form("/bulk");
    let page = submit(&app, &list.press("Cancel the selected")).await;
    assert_eq!(page.status, 422, "{page:?}");
    page.assert_says("no run is selected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_matches_a_filter_is_cancelled_with_one_answer_each() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let list = visit(&app, "/runs?q=workflow:gate%20status:running").await;
    let link = list.links().into_iter().find(|link| link.contains("/bulk?action=cancel")).expect("a link");
    let preview = visit(&app, &link).await;
    preview.assert_says("The runs that match workflow:gate status:running");
    preview.assert_says("Would cancel 1 run.");
    let began = submit(&app, &preview.form("/bulk").set("reason", "closing")).await;
    finished(&app, &began.place()).await.assert_says("1 of 1 done");
    let run = visit(&app, &format!("/runs/{}", world.waiting)).await;
    run.assert_says("closing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_hundred_their_number_must_be_typed() {
    let world = World::new().await;
    let app = world.open();
    for _ in 0..100 {
        start(&world.stage.open(), json!({ "workflow": "echo", "input": 1 })).await;
    }
    let address = "/bulk?action=cancel&q=workflow:echo%20status:queued";
    let preview = visit(&app, address).await;
    preview.assert_says("Would cancel 101 runs.");
    let form = preview.form("/bulk").set("reason", "closing").set("rate", "1000");
    for typed in ["", "100", "yes", "0101", "101 runs"] {
        let page = submit(&app, &form.clone().set("typed", typed)).await;
        assert_eq!(page.status, 422, "{typed:?}: {page:?}");
        page.assert_says("these are 101 runs now: type that number");
        assert_eq!(page.value("#reason"), "closing");
    }
    assert_eq!(world.stage.ground.count("select count(*) from runlog.bulk").await, 1, "the world's own");

    // One more came meanwhile: the number that was typed is the number of another day.
    start(&world.stage.open(), json!({ "workflow": "echo", "input": 1 })).await;
    let late = submit(&app, &form.set("typed", "101")).await;
    assert_eq!(late.status, 422, "{late:?}");
    late.assert_says("these are 102 runs now");
    let began = submit(&app, &late.form("/bulk").set("typed", "102").set("rate", "1000")).await;
    finished(&app, &began.place()).await.assert_says("102 of 102 done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_asks_for_its_own_permission_too() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada").deny(Action::Cancel));
    let before = world.state().await;
    let list = visit(&app, "/runs").await;
    assert!(!list.words().contains("Cancel the selected"), "{list:?}");
    let form = visit(&world.open(), "/bulk?action=cancel&q=workflow:gate").await.form("/bulk");
    let page = submit(&app, &form).await;
    assert_eq!(page.status, 403, "{page:?}");
    page.assert_says("the action cancel is missing");
    assert_eq!(visit(&app, "/bulk?action=cancel&q=workflow:gate").await.status, 403);
    assert_eq!(world.state().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_matches_on_the_list_of_a_namespace_is_of_that_namespace() {
    let world = World::new().await;
    let (app, acme) = (world.as_caller(Access::all("ada")), world.as_tenant("acme"));
    let theirs = start(&acme, json!({ "workflow": "gate" })).await;
    let list = visit(&app, "/runs?q=workflow:gate&namespace=acme").await;
    let link = list.links().into_iter().find(|link| link.contains("/bulk?action=cancel")).expect("a link");
    let preview = visit(&app, &link).await;
    assert_sound(&preview);
    preview.assert_says("Of the namespace acme.");
    preview.assert_says("Would cancel 1 run.");
    let back = preview.links().into_iter().any(|link| link == "/runs?q=workflow%3Agate&namespace=acme");
    assert!(back, "the way back leads to the same list: {:?}", preview.links());
    let began = submit(&app, &preview.form("/bulk").set("reason", "closing")).await;
    let done = finished(&app, &began.place()).await;
    done.assert_says("1 of 1 done");
    assert!(done.links().contains(&format!("/runs/{theirs}")), "{:?}", done.links());
    visit(&app, &format!("/runs/{}", world.waiting)).await.assert_says("waiting");

    let globex = world.as_tenant("globex");
    assert_eq!(visit(&globex, &link).await.status, 403, "a tenant names no other one's namespace");
    assert_eq!(submit(&globex, &preview.form("/bulk").set("reason", "closing")).await.status, 403);
}
