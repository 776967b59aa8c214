//! Signals by key: who holds which lock, and what is removed.

use runlog::model::SignalName;
use runlog::store::{Archive, Awaits, KeyedSignal, Posted, SignalId, SignalState, Signals, Step};

use super::*;

fn keyed(id: &str) -> KeyedSignal {
    KeyedSignal {
        namespace: Namespace::default(),
        sent_as: id.to_owned(),
        name: SignalName::new("go").unwrap(),
        key: Key::new("k").unwrap(),
        payload: Payload::null(),
    }
}

impl Stage {
    async fn posted(&self, id: &str) -> SignalId {
        let Posted::Accepted(id) = self.store.post_signal(&keyed(id)).await.unwrap() else { panic!("{id}") };
        id
    }

    /// Makes a run that waits for so many signals.
    async fn waiting(&self, change: i32) -> RunId {
        let run = self.running().await;
        let KeyedSignal { namespace, name, key, .. } = keyed("");
        let awaits = vec![Awaits { namespace, name, key, change }];
        self.append(&[commit(Append { awaits, ..next(run, 1) })]).await.unwrap();
        run
    }
}

#[tokio::test]
async fn a_run_that_is_being_written_to_is_left_for_the_next_call() {
    let stage = Stage::new().await;
    let (busy, idle) = (stage.waiting(1).await, stage.waiting(1).await);
    let signal = stage.posted("1").await;
    for rows in ["runlog.runs where id", "runlog.signal_waits where run_id"] {
        let mut held = stage.pool.begin().await.unwrap();
        let lock = format!("select 1 from {rows} = '{busy}' for update");
        sqlx::query(AssertSqlSafe(lock)).execute(&mut *held).await.unwrap();
        let told = stage.store.tell_signal(signal).await.unwrap();
        assert!(!told.runs.contains(&busy), "{told:?}");
        assert_eq!((told.count, told.state), (1, SignalState::New));
        held.rollback().await.unwrap();
    }
    let told = stage.store.tell_signal(signal).await.unwrap();
    assert_eq!((told.runs, told.count, told.state), (vec![busy], 2, SignalState::Told));
    assert_eq!(stage.store.inbox(&[busy, idle]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn two_that_tell_a_signal_at_once_bring_it_once() {
    let stage = Stage::new().await;
    let run = stage.waiting(2).await;
    let signal = stage.posted("1").await;
    let mut held = stage.pool.begin().await.unwrap();
    sqlx::query("select id from runlog.signals for update").execute(&mut *held).await.unwrap();
    let both_wait = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
                     and query like '%Puts a new signal%' and datname = current_database()";
    let (one, other, ()) =
        tokio::join!(stage.store.tell_signal(signal), stage.store.tell_signal(signal), async {
            let seen = async {
                while stage.count(both_wait).await < 2 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), seen).await.expect("both wait");
            held.rollback().await.unwrap();
        });
    assert_eq!([one.unwrap().runs, other.unwrap().runs].concat(), [run]);
    assert_eq!(stage.store.inbox(&[run]).await.unwrap()[0].messages.len(), 1);
    assert_eq!(stage.count("select waits::bigint from runlog.signal_waits").await, 1);
}

#[tokio::test]
async fn a_signal_is_kept_for_seven_days_and_remembered_for_one() {
    let stage = Stage::new().await;
    for (id, state, age) in [
        ("kept too long", "KEPT", "169 h"),
        ("kept", "KEPT", "167 h"),
        ("forgotten", "TOLD", "25 h"),
        ("remembered", "TOLD", "23 h"),
        ("never told", "NEW", "999 h"),
    ] {
        let row = format!(
            "insert into runlog.signals (namespace, sent_as, name, key, body, body_hash, state, sent_at)
             values ('default', '{id}', 'go', 'k', '', '', '{state}', now() - interval '{age}');
             insert into runlog.signals_told select max(id), gen_random_uuid() from runlog.signals"
        );
        stage.psql(&row).await.unwrap();
    }
    let pruned = stage.store.prune(&Step::Signals).await.unwrap();
    assert_eq!(pruned.next, Some(Step::Archive { after: None }));
    let left: Vec<String> = sqlx::query_scalar("select sent_as from runlog.signals order by id")
        .fetch_all(&stage.pool)
        .await
        .unwrap();
    assert_eq!(left, ["kept", "remembered", "never told"]);
    assert_eq!(stage.count("select count(*) from runlog.signals_told").await, 3);
}

#[tokio::test]
async fn a_run_that_ends_takes_its_waits_along() {
    let stage = Stage::new().await;
    let run = stage.waiting(1).await;
    let end = RowChange { status: Status::Succeeded, deadline_at: None, release: None, failure: None };
    stage.append(&[commit(Append { row: Some(end), ..next(run, 2) })]).await.unwrap();
    assert_eq!(stage.count("select count(*) from runlog.signal_waits").await, 0);
}
