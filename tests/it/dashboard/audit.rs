//! Deeds leave their entries, each one.

use super::*;
use crate::http::{get, start};
use crate::support::until;

/// What the audit has since an entry, the oldest first: who, action, outcome, reason.
async fn deeds(world: &World) -> Vec<(String, String, Option<String>)> {
    let audit = get(&world.stage.open(), "/api/v1/audit?limit=500").await.json();
    let mut deeds: Vec<_> = audit["data"].as_array().expect("deeds").clone();
    deeds.retain(|deed| deed["who"] == "eve");
    deeds.reverse();
    let text = |deed: &serde_json::Value, name: &str| deed[name].as_str().unwrap_or_default().to_owned();
    deeds
        .iter()
        .map(|deed| (text(deed, "action"), text(deed, "outcome"), deed["reason"].as_str().map(str::to_owned)))
        .collect()
}

fn deed(action: &str, outcome: &str, reason: Option<&str>) -> (String, String, Option<String>) {
    (action.to_owned(), outcome.to_owned(), reason.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_leaves_one_entry_with_its_outcome_and_reason() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("eve"));
    let mut expected = Vec::new();

    let replay = visit(&app, &format!("/runs/{}/replay", world.failed)).await.form("/replay");
    submit(&app, &replay.set("reason", "the bank is back")).await;
    expected.push(deed("replay", "ok", Some("the bank is back")));
    let edit = visit(&app, &format!("/runs/{}/replay?edit=1", world.failed)).await.form("/replay");
    submit(&app, &edit.set("input", "{")).await;
    expected.push(deed("replay", "schema_violation", None));

    let signal = visit(&app, &format!("/runs/{}/signal?name=other", world.waiting)).await.form("/signal");
    submit(&app, &signal).await;
    expected.push(deed("signal", "ok", None));
    let cancel = visit(&app, &format!("/runs/{}/cancel", world.waiting)).await.form("/cancel");
    submit(&app, &cancel.set("reason", "wrong order")).await;
    expected.push(deed("cancel", "ok", Some("wrong order")));
    let cancel = visit(&app, &format!("/runs/{}/cancel", world.good)).await.form("/cancel");
    submit(&app, &cancel).await;
    expected.push(deed("cancel", "illegal_transition", None));

    let workflow = visit(&app, "/workflows/gate").await;
    submit(&app, &workflow.form("/start")).await;
    expected.push(deed("start", "ok", None));
    submit(&app, &workflow.form("/pause").set("reason", "a deploy")).await;
    expected.push(deed("pause", "ok", Some("a deploy")));
    submit(&app, &visit(&app, "/workflows/gate").await.form("/resume")).await;
    expected.push(deed("pause", "ok", None));

    for (verb, action) in [("pause", "schedule"), ("resume", "schedule"), ("trigger", "start")] {
        submit(&app, &visit(&app, "/schedules").await.form(verb)).await;
        expected.push(deed(action, "ok", None));
    }

    let preview = visit(&app, "/bulk?action=replay&q=workflow:checkout%20status:failed").await;
    let list = visit(&app, "/runs").await;
    submit(&app, &list.form("/bulk").tick("ids", &world.failed).press("Replay")).await;
    let began = submit(&app, &preview.form("/bulk").set("reason", "incident over")).await;
    assert_eq!(began.status, 303, "{began:?}");
    expected.push(deed("bulk", "ok", Some("incident over")));
    let guest = world.as_caller(Access::read_only("eve"));
    let refused = submit(&guest, &preview.form("/bulk")).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    expected.push(deed("bulk", "forbidden", None));

    // An action on many runs leaves one for each of them besides, as it goes.
    let own = async || {
        let mut all = deeds(&world).await;
        let each = all
            .iter()
            .filter(|(action, _, reason)| action == "replay" && reason.as_deref() == Some("incident over"));
        let each = each.count();
        all.retain(|(action, _, reason)| !(action == "replay" && reason.as_deref() == Some("incident over")));
        (all, each)
    };
    let bulk = began.place();
    until("it is finished", async || visit(&app, &bulk).await.words().contains("Finished")).await;
    assert_eq!(own().await.0, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_sent_twice_is_carried_out_once() {
    let world = World::new().await;
    let app = world.open();
    let count = "select count(*) from runlog.runs";
    let before = world.stage.ground.count(count).await;
    let forms = [
        visit(&app, "/workflows/gate").await.form("/start"),
        visit(&app, &format!("/runs/{}/replay", world.failed)).await.form("/replay"),
        visit(&app, "/schedules").await.form("/trigger"),
    ];
    for (at, form) in forms.iter().enumerate() {
        let (first, second) = (submit(&app, form).await, submit(&app, form).await);
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303), "{second:?}");
        assert_eq!(first.place(), second.place(), "the same run is shown");
        assert_eq!(world.stage.ground.count(count).await, before + 1 + at as i64);
    }
    let again = visit(&app, "/workflows/gate").await.form("/start");
    submit(&app, &again).await;
    assert_eq!(world.stage.ground.count(count).await, before + 4, "a new form is a new wish");

    // The box of another form with a key that is taken is refused, not answered with another's answer.
    let other = again.set("input", "7");
    let page = submit(&app, &other).await;
    assert_eq!(page.status, 422, "{page:?}");
    page.assert_says("idempotency_mismatch");
    assert_eq!(world.stage.ground.count(count).await, before + 4);
    start(&world.stage.open(), serde_json::json!({ "workflow": "gate" })).await;
}
