//! The outbox: what was committed and is not exported yet.

use std::sync::Arc;

use runlog::model::{RunId, Status};
use runlog::store::Store;
use runlog::store::outbox::{
    Commits, ExportBegun, OUTBOX_OPEN_FOR, Place, RefusedSpan, Stretch, Sweep, Tended,
};

use crate::store::process::*;

async fn export(store: &Arc<dyn Store>) {
    assert_eq!(store.begin_export("test", LONG).await.expect("begun"), ExportBegun::Yours);
    assert_ne!(store.tend_export().await.expect("tended"), Tended::Lost);
}

async fn read(store: &Arc<dyn Store>, place: &Place) -> Commits {
    store.outbox(place, 100).await.expect("the outbox")
}

fn stretches(commits: &Commits) -> Vec<Stretch> {
    commits.commits.iter().flat_map(|commit| commit.stretches.clone()).collect()
}

fn stretch(run: RunId, first: u32, last: u32) -> Stretch {
    Stretch { run, first, last }
}

pub(super) async fn nothing_is_kept_while_nobody_exports(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    process.started().await;
    process.queued(|_| {}).await;

    assert_eq!(read(&store, &Place::default()).await.commits, []);
    let backlog = store.backlog().await.expect("a backlog");
    assert_eq!((backlog.commits, backlog.oldest, backlog.open_until, backlog.holder), (0, None, None, None));
}

pub(super) async fn every_commit_that_writes_events_leaves_a_row(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;

    let queued = process.queued(|_| {}).await;
    let keyed = process.birth(Status::Running).born(|new| new.key = key("order-1"));
    let keyed_run = keyed.run;
    process.append(&[commit([keyed])]).await.expect("append");
    let (one, other) = (process.started().await, process.started().await);
    let batch = [commit([append(one, 1).note("a").note("b")]), commit([append(other, 1).note("c")])];
    let at = process.append(&batch).await.expect("append").at;
    let parked = process.started().await;
    process.park(parked, None).await;
    process.write(append(one, 3).note("end").row(Status::Succeeded)).await;
    // Nothing but the row: no event.
    process.write(append(keyed_run, 1).row(Status::Running)).await;

    let found = read(&store, &Place::default()).await;
    let expected = [
        stretch(queued, 1, 1),
        stretch(keyed_run, 1, 1),
        stretch(one, 1, 1),
        stretch(other, 1, 1),
        stretch(one, 2, 3),
        stretch(other, 2, 2),
        stretch(parked, 1, 1),
        stretch(parked, 2, 2),
        stretch(one, 4, 4),
    ];
    assert_eq!(stretches(&found), expected);
    assert_eq!(found.commits[4].at, at);
    assert!(!found.more);
}

pub(super) async fn a_run_that_is_left_out_has_no_log(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let first = process.birth(Status::Running).born(|new| new.key = key("order-1"));
    let second = process.birth(Status::Running).born(|new| new.key = key("order-1"));
    let (first_run, second_run) = (first.run, second.run);
    process.append(&[commit([first])]).await.expect("append");
    assert_eq!(process.append(&[commit([second])]).await.expect("append").existing, [second_run]);

    let asked = [(first_run, 0), (second_run, 0)];
    let grown = store.grown(&asked, 100).await.expect("logs");
    assert_eq!(
        grown.logs.iter().map(|grown| (grown.run, grown.events.len())).collect::<Vec<_>>(),
        [(first_run, 1)]
    );
}

pub(super) async fn a_row_is_read_until_it_is_passed(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let run = process.started().await;

    let first = read(&store, &Place::default()).await;
    assert_eq!(stretches(&first), [stretch(run, 1, 1)]);
    assert_eq!(read(&store, &Place::default()).await.commits, first.commits, "another reader begins anew");
    assert_eq!(read(&store, &first.next).await.commits, [], "this one goes on");

    assert!(store.pass_outbox(&[first.commits[0].row], &[], LONG).await.expect("passed"));
    assert_eq!(read(&store, &Place::default()).await.commits, []);
    assert_eq!(store.backlog().await.expect("a backlog").commits, 0);
}

pub(super) async fn rows_are_read_in_pages(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let mut runs = Vec::new();
    for _ in 0..7 {
        runs.push(process.started().await);
    }

    let (mut place, mut found) = (Place::default(), Vec::new());
    for expected in [3, 3, 1, 0] {
        let page = store.outbox(&place, 3).await.expect("a page");
        assert_eq!((page.commits.len(), page.more), (expected, expected == 3));
        found.extend(stretches(&page).into_iter().map(|stretch| stretch.run));
        place = page.next;
    }
    assert_eq!(found, runs);
    let late = process.started().await;
    assert_eq!(stretches(&read(&store, &place).await), [stretch(late, 1, 1)]);
}

pub(super) async fn who_is_not_the_exporter_changes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let run = process.started().await;
    let found = read(&store, &Place::default()).await;
    store.end_export().await.expect("ended");

    assert!(!store.hold_export(LONG).await.expect("held"));
    assert_eq!(store.tend_export().await.expect("tended"), Tended::Lost);
    assert!(!store.pass_outbox(&[found.commits[0].row], &[refused(run, "one")], LONG).await.expect("passed"));

    assert_eq!(read(&store, &Place::default()).await.commits, found.commits);
    assert_eq!(store.refused_spans(9).await.expect("spans"), []);
}

pub(super) async fn an_exporter_that_says_nothing_is_none(store: Arc<dyn Store>) {
    assert_eq!(store.begin_export("test", SHORT).await.expect("begun"), ExportBegun::Yours);
    let holder = store.backlog().await.expect("a backlog").holder.expect("a holder");
    assert_eq!(holder.by, "test");
    within(async || store.backlog().await.expect("a backlog").holder.is_none()).await;

    assert!(!store.hold_export(LONG).await.expect("held"));
}

pub(super) async fn runs_that_live_are_looked_through_when_the_outbox_opens(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (mut live, ended) = (vec![process.started().await], process.started().await);
    process.end(ended, Status::Succeeded).await;
    live.push(process.queued(|_| {}).await);
    export(&store).await;

    let mut found = Vec::new();
    loop {
        match store.sweep().await.expect("a sweep") {
            Sweep::Nothing => break,
            Sweep::Waits => tokio::task::yield_now().await,
            Sweep::Runs { runs, next } => {
                assert!(store.backlog().await.expect("a backlog").sweeps);
                found.extend(runs);
                store.swept(next).await.expect("swept");
            }
        }
    }
    // One that ended a moment ago may be among them: it may have ended after the outbox opened.
    assert_eq!(found.iter().filter(|run| **run != ended).copied().collect::<Vec<_>>(), live);
    assert!(!store.backlog().await.expect("a backlog").sweeps);
    assert_ne!(store.tend_export().await.expect("tended"), Tended::Lost);
    assert_eq!(store.sweep().await.expect("a sweep"), Sweep::Nothing, "it was open");
}

pub(super) async fn an_outbox_is_open_for_a_while(store: Arc<dyn Store>) {
    export(&store).await;
    let backlog = store.backlog().await.expect("a backlog");
    let open = (backlog.open_until.expect("an instant") - backlog.now).to_std().expect("ahead");
    assert!(open <= OUTBOX_OPEN_FOR && open * 2 > OUTBOX_OPEN_FOR, "{open:?}");
}

pub(super) async fn logs_are_read_after_a_seq_and_within_a_limit(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (one, other) = (process.started().await, process.started().await);
    process.write(append(one, 1).note("a").note("b").note("c")).await;
    process.write(append(other, 1).note("d")).await;

    let seqs = async |asked: &[(RunId, u32)], limit| {
        let grown = store.grown(asked, limit).await.expect("logs");
        let seqs =
            grown.logs.into_iter().map(|log| (log.run, log.events.iter().map(|event| event.seq).collect()));
        (seqs.collect::<Vec<(RunId, Vec<u32>)>>(), grown.cut)
    };
    let all = vec![(one, vec![1, 2, 3, 4]), (other, vec![2])];
    assert_eq!(seqs(&[(one, 0), (other, 1)], 100).await, (all, false));
    assert_eq!(seqs(&[(one, 1), (other, 1)], 2).await, (vec![(one, vec![2, 3])], true));
    assert_eq!(seqs(&[(one, 4), (other, 1)], 2).await, (vec![(other, vec![2])], false));
    assert_eq!(seqs(&[], 2).await, (vec![], false));
}

pub(super) async fn runs_that_have_ended_are_named(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (live, ended) = (process.started().await, process.started().await);
    process.end(ended, Status::Cancelled).await;

    assert_eq!(store.ended(&[live, ended, process.clock.new_run_id()]).await.expect("runs"), [ended]);
}

fn refused(run: RunId, name: &str) -> RefusedSpan {
    let (trace_id, span_id) = (Some("0af7651916cd43dd8448eb211c80319c".to_owned()), None);
    RefusedSpan {
        at: long_ago(),
        run,
        trace_id,
        span_id,
        name: name.to_owned(),
        reason: "too large".to_owned(),
    }
}

pub(super) async fn refused_spans_are_listed_the_last_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let run = process.started().await;

    assert!(store.pass_outbox(&[], &[refused(run, "one"), refused(run, "two")], LONG).await.expect("passed"));
    assert!(store.pass_outbox(&[], &[refused(run, "three")], LONG).await.expect("passed"));

    let spans = store.refused_spans(2).await.expect("spans");
    assert!(spans.iter().all(|span| span.at >= process.joined.now));
    let spans: Vec<_> = spans.into_iter().map(|span| RefusedSpan { at: long_ago(), ..span }).collect();
    assert_eq!(spans, [refused(run, "three"), refused(run, "two")]);
    assert_eq!(store.backlog().await.expect("a backlog").refused, 3);
}

pub(super) async fn the_backlog_tells_how_old_its_oldest_commit_is(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    export(&store).await;
    let first = process.birth(Status::Running);
    let at = process.write(first).await.at;
    process.started().await;

    let backlog = store.backlog().await.expect("a backlog");
    assert_eq!((backlog.commits, backlog.oldest), (2, Some(at)));
    assert_eq!(backlog.lag(), (backlog.now - at).to_std().expect("a while"));
}
