//! The log is append-only.

use runlog::store::Store;

use super::*;

#[tokio::test]
async fn a_log_cannot_be_changed() {
    let stage = Stage::new().await;
    stage.running().await;
    let partition: String = sqlx::query_scalar("select tableoid::regclass::text from runlog.events")
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert!(partition.starts_with("runlog.events_y"), "{partition}");
    for table in ["runlog.events", &partition] {
        for sql in [
            format!("update {table} set payload = '{{}}'"),
            format!("delete from {table}"),
            format!("truncate {table}"),
        ] {
            let refused = stage.psql(&sql).await.unwrap_err();
            assert!(refused.contains("a log is never changed"), "{sql}: {refused}");
        }
    }
    assert_eq!(stage.count("select count(*) from runlog.events").await, 1);
}

#[tokio::test]
async fn retention_may_remove_a_log() {
    let stage = Stage::new().await;
    stage.running().await;
    stage.psql("begin; set local runlog.retention = 'on'; delete from runlog.events; commit").await.unwrap();
    assert_eq!(stage.count("select count(*) from runlog.events").await, 0);
}

#[tokio::test]
async fn an_event_nobody_can_read_stops_its_run_alone() {
    let stage = Stage::new().await;
    let (bad, good) = (stage.running().await, stage.running().await);
    let unknown = format!(
        "insert into runlog.events values ('{bad}', 2, 'from_the_future', 1, now(), 1, null, null, '')"
    );
    stage.psql(&unknown).await.unwrap();
    let loaded = stage.store.load(&[bad, good]).await.unwrap();
    let error = loaded[0].log.as_ref().unwrap_err();
    assert_eq!(
        *error,
        format!(
            "table runlog.events, column kind, row ({bad}, 2): event kind \"from_the_future\" is unknown here: \
             a newer release wrote it; upgrade this node"
        )
    );
    assert_eq!(loaded[1].log.as_ref().unwrap().len(), 1);
}

#[tokio::test]
async fn a_log_is_read_in_stretches() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    stage.append(&[commit(Append { events: vec![event(); 5], ..next(run, 1) })]).await.unwrap();
    let stretch = stage.store.log(run, 2, 3).await.unwrap();
    assert_eq!(stretch.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 4, 5]);
}
