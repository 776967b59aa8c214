//! What starts runs from outside.

use anyhow::Result;

use super::verbs::on;
use crate::support::{Ground, Postgres, echo};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_pushed_and_subscribed_to() -> Result<()> {
    let ground = Postgres::new().await;
    let _node = ground.builder().workflow(echo()).start().await?;
    let triggers = async |more: &[&str]| on(&ground.url, &[&["triggers"], more].concat()).await;
    let made =
        triggers(&["subscribe", "big", "order.paid", "echo", "--filter", "payload.total > 100"]).await?;
    assert_eq!(made.stdout, "big starts echo for order.paid\n", "{}", made.stderr);
    assert_eq!(
        triggers(&["subscribe", "big", "order.paid", "echo"]).await?.code,
        Some(6),
        "the name is taken"
    );
    let wrong = triggers(&["subscribe", "x", "order.paid", "echo", "--filter", "order.total > 1"]).await?;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("order is unknown"), "{}", wrong.stderr);

    let push = ["push", "order.paid", "--id", "evt_1", "--payload", r#"{"total":120}"#];
    let pushed = triggers(&push).await?;
    assert!(
        pushed.stdout.contains("evt_1 (order.paid), pushed ") && pushed.stdout.contains("✓ "),
        "{}",
        pushed.stdout
    );
    let again = triggers(&[&push[..], &["-o", "ids"]].concat()).await?;
    assert!(again.stderr.contains("pushed before"), "{}", again.stderr);
    let found = on(&ground.url, &["ls", "event:evt_1", "-o", "ids"]).await?;
    assert_eq!(found.stdout, again.stdout);
    let shown = on(&ground.url, &["get", found.stdout.trim()]).await?.stdout;
    assert!(shown.contains("event evt_1 of order.paid"), "{shown}");
    let small = triggers(&["push", "order.paid", "--id", "evt_2", "--payload", r#"{"total":1}"#]).await?;
    assert!(small.stdout.contains("the filter is false"), "{}", small.stdout);
    assert_eq!(triggers(&["ls", "-o", "ids"]).await?.stdout, "evt_2\nevt_1\n");
    assert!(triggers(&["get", "evt_2"]).await?.stdout.contains("the filter is false"));
    assert_eq!(triggers(&["get", "evt_9"]).await?.code, Some(4));
    let listed = triggers(&["subscriptions"]).await?;
    assert!(listed.stdout.contains(" (cli)  payload.total > 100"), "{}", listed.stdout);
    assert_eq!(triggers(&["unsubscribe", "big"]).await?.code, Some(0));
    assert_eq!(triggers(&["unsubscribe", "big"]).await?.code, Some(4));
    Ok(())
}
