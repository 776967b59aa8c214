//! Postgres refuses what the status table forbids.

use super::*;

#[tokio::test]
async fn an_update_by_hand_moves_a_status_only_along_the_table() {
    let stage = Stage::new().await;
    for from in Status::ALL {
        for to in Status::ALL.into_iter().filter(|to| *to != from) {
            let run = stage.clock.new_run_id();
            let start = if from == Status::Queued { Status::Queued } else { Status::Running };
            stage.append(&[commit(born(run, None, start))]).await.unwrap();
            stage.psql(&update(run, from)).await.unwrap();

            let answer = stage.psql(&update(run, to)).await;
            assert_eq!(answer.is_ok(), from.may_become(to), "{from} → {to}: {answer:?}");
            if let Err(refused) = answer {
                assert!(refused.contains(&format!("cannot move from {from} to {to}")), "{refused}");
            }
        }
    }
}

fn update(run: RunId, to: Status) -> String {
    format!(
        "update runlog.runs set status = '{to}', owner = null, wake_at = null, deadline_at = null where id = '{run}'"
    )
}

#[tokio::test]
async fn a_run_is_never_created_at_its_end() {
    let stage = Stage::new().await;
    for status in Status::ALL {
        let run = stage.clock.new_run_id();
        let insert = format!(
            "insert into runlog.runs (id, namespace, workflow, version, status, priority, created_at) \
             values ('{run}', 'default', 'checkout', '1', '{status}', 0, now())"
        );
        assert_eq!(stage.psql(&insert).await.is_ok(), !status.is_terminal(), "{status}");
    }
}
