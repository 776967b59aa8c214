//! Forms, sent as a browser without JavaScript sends them.

use serde_json::{Value, json};

use super::sound::assert_sound;
use super::*;
use crate::http::{ended, get};

/// What the REST interface says of the run that a page sends its reader to.
async fn run_of(world: &World, page: &Page) -> (String, Value) {
    let place = page.place();
    let id = place.rsplit('/').next().expect("an id").to_owned();
    (id.clone(), get(&world.stage.open(), &format!("/api/v1/runs/{id}")).await.json())
}

/// Sends a form that is refused: the page says why, and keeps what was typed.
async fn refused(app: &Router, form: &Form, words: &str) -> Page {
    let page = submit(app, form).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert_sound(&page);
    let said = page.one("[role=alert]");
    assert!(said.contains(words), "{words:?} in {said:?}");
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_says_what_it_takes_over_before_it_does() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, &format!("/runs/{}/replay", world.failed)).await;
    page.assert_says("takes over 1 task, not run again: reserve");
    page.assert_says("runs 2 tasks: charge, ship");
    let replayed = submit(&app, &page.form("/replay").set("reason", "again")).await;
    let (id, run) = run_of(&world, &replayed).await;
    assert_eq!(
        (&run["trigger"]["of"], &run["trigger"]["by"]),
        (&json!(world.failed), &json!("anyone")),
        "{run}"
    );
    assert_eq!(run["trigger"]["reason"], "again");
    ended(&world.stage, &id).await;
    let page = visit(&app, &format!("/runs/{id}")).await;
    assert!(page.one("#tasks").contains("↺ reused reserve"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_from_the_start_or_from_a_task() {
    let world = World::new().await;
    let app = world.open();
    let failed = visit(&app, &format!("/runs/{}/replay", world.failed)).await;
    let start = failed.links().into_iter().find(|link| link.ends_with("?from=start")).expect("a link");
    let page = visit(&app, &start).await;
    page.assert_says("runs 3 tasks: reserve, charge, ship");
    let (id, _) = run_of(&world, &submit(&app, &page.form("/replay")).await).await;
    ended(&world.stage, &id).await;
    assert!(visit(&app, &format!("/runs/{id}")).await.one("#tasks").contains("✕ failed charge"));

    let task = visit(&app, &format!("/runs/{}/tasks/ship", world.good)).await;
    let from = task.links().into_iter().find(|link| link.contains("replay?task=ship")).expect("a link");
    let page = visit(&app, &from).await;
    page.assert_says("takes over 2 tasks, not run again: reserve, charge");
    let (id, _) = run_of(&world, &submit(&app, &page.form("/replay")).await).await;
    ended(&world.stage, &id).await;
    let page = visit(&app, &format!("/runs/{id}")).await;
    assert!(page.one("#tasks").contains("↺ reused charge"), "{page:?}");
    page.assert_says("✓ succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_input_is_used_and_a_wrong_one_is_kept_and_explained() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, &format!("/runs/{}/replay?edit=1", world.failed)).await;
    assert_eq!(page.value("#input"), r#"{"cents":4200,"order":"ord-771"}"#);
    let form = page.form("/replay").set("reason", "a typo");
    for typed in ["{\"order\": \"ord-771\",", "", "{'a': 1}", "\n\n</textarea><b>x"] {
        let page = refused(&app, &form.clone().set("input", typed), "no JSON: ").await;
        assert_eq!(page.value("#input").replace("\r\n", "\n"), typed, "what was typed is kept");
        assert_eq!(page.value("#reason"), "a typo");
        assert!(page.all("main b").is_empty());
    }
    let again = refused(&app, &form.set("input", "{"), "no JSON").await.form("/replay");
    let typed = "{\n  \"order\": \"ord-771\",\n  \"cents\": 1999\n}";
    let (id, _) = run_of(&world, &submit(&app, &again.set("input", typed)).await).await;
    ended(&world.stage, &id).await;
    let page = visit(&app, &format!("/runs/{id}")).await;
    page.assert_says("✓ succeeded");
    assert!(page.one("#io").contains("1999"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_is_replayed_when_that_is_ticked() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, &format!("/runs/{}/replay", world.cancelled)).await;
    assert_eq!(page.status, 200, "{page:?}");
    let form = page.form("/replay");
    let page = submit(&app, &form.clone().untick("force")).await;
    assert_eq!(page.status, 409, "{page:?}");
    assert_sound(&page);
    let (_, run) = run_of(&world, &submit(&app, &page.form("/replay").tick("force", "1")).await).await;
    assert_eq!(run["trigger"]["of"], json!(world.cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled_with_who_and_why() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let page = visit(&app, &format!("/runs/{}/cancel", world.waiting)).await;
    let (id, _) =
        run_of(&world, &submit(&app, &page.form("/cancel").set("reason", "wrong order")).await).await;
    ended(&world.stage, &id).await;
    let page = visit(&app, &format!("/runs/{id}")).await;
    for words in ["⊘ cancelled", "ada", "wrong order"] {
        page.assert_says(words);
    }
    let form =
        visit(&app, &format!("/runs/{}/cancel", world.good)).await.form("/cancel").set("reason", "once more");
    let page = submit(&app, &form).await;
    assert_eq!(page.status, 409, "{page:?}");
    assert_eq!(page.value("#reason"), "once more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_reaches_its_run() {
    let world = World::new().await;
    let app = world.open();
    let why = visit(&app, &format!("/runs/{}", world.waiting)).await;
    let link = why.links().into_iter().find(|link| link.ends_with("/signal?name=go")).expect("a link");
    let form = visit(&app, &link).await.form("/signal");
    assert_eq!((form.field("name"), form.field("payload")), (Some("go"), Some("null")));
    let page = refused(&app, &form.clone().set("payload", "{oh"), "JSON").await;
    assert_eq!(page.value("#payload"), "{oh");
    refused(&app, &form.clone().set("name", "a\tb"), "control character").await;
    let (id, _) = run_of(&world, &submit(&app, &form.set("payload", r#""green""#)).await).await;
    ended(&world.stage, &id).await;
    assert!(visit(&app, &format!("/runs/{id}")).await.one("#io").contains(r#""green""#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_with_an_input_and_a_key() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let form = visit(&app, "/workflows/gate").await.form("/start");
    let page = refused(&app, &form.clone().set("input", "{").set("key", "k-2"), "JSON").await;
    assert_eq!((page.value("#input").as_str(), page.value("#key").as_str()), ("{", "k-2"));
    let form = page.form("/start").set("input", r#"{"a": 1.50}"#);
    let (id, run) = run_of(&world, &submit(&app, &form).await).await;
    assert_eq!((&run["key"], &run["trigger"]["by"]), (&json!("k-2"), &json!("ada")), "{run}");
    assert_eq!(run["input"].to_string(), r#"{"a":1.5}"#);
    let same = visit(&app, "/workflows/gate").await.form("/start").set("key", "k-2");
    assert_eq!(run_of(&world, &submit(&app, &same).await).await.0, id, "there is one run of a key");
    // Nothing typed into a field is no key.
    let other = visit(&app, "/workflows/gate").await.form("/start");
    assert!(run_of(&world, &submit(&app, &other).await).await.1["key"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_paused_with_who_and_why_and_resumed() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let page = visit(&app, "/workflows/gate").await;
    let paused = follow(&app, submit(&app, &page.form("/pause").set("reason", "a deploy")).await).await;
    paused.assert_says("by ada: a deploy");
    let resumed = follow(&app, submit(&app, &paused.form("/resume")).await).await;
    assert!(!resumed.words().contains("a deploy"), "{resumed:?}");
    assert!(resumed.forms().iter().any(|form| form.action.ends_with("/pause")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_paused_resumed_and_started_out_of_turn() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada"));
    let page = visit(&app, "/schedules").await;
    let page = follow(&app, submit(&app, &page.form("/pause")).await).await;
    page.assert_says("paused");
    page.assert_says("by ada");
    let page = follow(&app, submit(&app, &page.form("/resume")).await).await;
    assert!(!page.words().contains("by ada"), "{page:?}");
    let (_, run) = run_of(&world, &submit(&app, &page.form("/trigger")).await).await;
    assert_eq!((&run["trigger"]["schedule"], &run["trigger"]["by"]), (&json!("settle-books"), &json!("ada")));
}
