//! What may come next in the search box.

use serde_json::{Value, json};

use super::*;
use crate::http::{ended, get, start};

/// What is suggested for a text before the caret, with what stays before it.
async fn suggested(app: &Router, typed: &str) -> Vec<String> {
    let answer = get(app, &format!("/suggest?q={}", page::escaped(typed))).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{answer:?}");
    let told = answer.json();
    let keep = told["keep"].as_str().expect("a text");
    assert!(typed.starts_with(keep), "{told}");
    let options = told["options"].as_array().expect("a list");
    options.iter().map(|option| format!("{keep}{}", option["text"].as_str().expect("a text"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_box_suggests_the_grammar_and_what_runs_have() {
    let world = World::new().await;
    let app = world.open();
    for (typed, wanted) in [
        ("sta", &["status:", "started:"][..]),
        ("status:f", &["status:failed"]),
        ("status:failed,ti", &["status:failed,timed_out"]),
        ("-status:succ", &["-status:succeeded"]),
        ("is:w", &["is:waiting"]),
        ("workflow:che", &["workflow:checkout"]),
        ("workflow:\"che", &["workflow:checkout"]),
        ("status:failed workflow:out", &["status:failed workflow:checkout"]),
        ("kind:", &["kind:CxError"]),
        ("failed_task:ch", &["failed_task:charge"]),
        ("meta.t", &["meta.tenant:"]),
        ("meta.tenant:", &["meta.tenant:acme"]),
        ("meta.tenant:a", &["meta.tenant:acme"]),
        ("error:\"a b", &[]),
        ("checko", &["workflow:checkout"]),
        ("fail", &["failed_task:", "status:failed"]),
        ("since:2", &["since:24h"]),
        ("input.order:", &[]),
        ("input.", &[]),
        ("nothing:", &[]),
    ] {
        let mut found = suggested(&app, typed).await;
        found.sort_by_key(|option| wanted.iter().position(|wanted| wanted == option));
        assert_eq!(found, wanted, "{typed:?}");
    }
    let first = suggested(&app, "").await;
    assert_eq!((first.len(), first[0].as_str()), (12, "status:"), "{first:?}");
    // What is suggested is read by the grammar, and finds runs.
    for typed in ["workflow:", "meta.tenant:", "kind:", "failed_task:", "version:"] {
        for option in suggested(&app, typed).await {
            let list = visit(&app, &format!("/runs?q={}", page::escaped(&option))).await;
            assert!(list.status == 200 && !list.all("tr[data-run]").is_empty(), "{option}: {list:?}");
        }
    }
    let long = "a".repeat(2_000);
    assert_eq!(suggested(&app, &long).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_needs_quotes_has_them_and_the_most_frequent_is_first() {
    let world = World::new().await;
    let (app, rest) = (world.open(), world.stage.open());
    let long = "x".repeat(101);
    for (team, times) in [("late nights", 3), ("early", 2), ("pay, ments", 1), (long.as_str(), 4)] {
        for _ in 0..times {
            let body = json!({ "workflow": "checkout", "metadata": { "team": team }, "input": { "order": "o", "cents": 1 } });
            let run = start(&rest, body).await;
            ended(&world.stage, &run).await;
        }
    }
    let wanted = ["meta.team:\"late nights\"", "meta.team:early", "meta.team:\"pay, ments\""];
    assert_eq!(suggested(&app, "meta.team:").await, wanted, "too long to be typed is left out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_what_another_namespace_has() {
    let world = World::new().await;
    let (globex, rest) = (world.as_tenant("globex"), world.stage.as_tenant("globex"));
    let run = start(&rest, json!({ "workflow": "gate", "metadata": { "secret": "s3" } })).await;
    assert_eq!(suggested(&globex, "workflow:").await, ["workflow:gate"]);
    assert_eq!(suggested(&globex, "meta.tenant:").await, Vec::<String>::new());
    assert_eq!(suggested(&world.open(), "meta.secret:").await, Vec::<String>::new());
    let told: Value = get(&world.open(), "/suggest?q=meta.secret:&namespace=globex").await.json();
    assert_eq!(told["options"][0]["text"], "meta.secret:s3", "who sees all asks for one: {run} {told}");
    assert_eq!(get(&globex, "/suggest?q=&namespace=default").await.status, 403);
    let nobody = world.as_caller(Access::none("ada").allow(Action::Start));
    assert_eq!(get(&nobody, "/suggest?q=").await.status, 403);
}
