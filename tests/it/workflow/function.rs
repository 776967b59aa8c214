//! Functions: durable steps, what may stand in them, and what is refused.

use runlog::testing::Kit;
use runlog::{Cx, CxError, Status, Workflow};

use super::{Counter, Infallible, days, secs};

#[tokio::test(start_paused = true)]
async fn a_recorded_step_is_answered_from_the_log_after_a_crash() -> anyhow::Result<()> {
    let done = Counter::default();
    let w = {
        let done = done.clone();
        Workflow::function("f", move |cx: Cx, ()| {
            let done = done.clone();
            async move {
                let first = cx.step("count", || async { Ok::<_, Infallible>(done.hit()) }).await?;
                cx.sleep(secs(60)).await?;
                let second = cx.step("count", || async { Ok::<_, Infallible>(done.hit()) }).await?;
                anyhow::Ok((first, second))
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.settle().await;
    kit.crash();
    kit.recover().await?;
    assert_eq!(run.output().await?, (1, 2));
    assert_eq!(done.get(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_clock_the_dice_and_the_idempotency_key_are_the_same_after_a_crash() -> anyhow::Result<()> {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let w = {
        let seen = std::sync::Arc::clone(&seen);
        Workflow::function("f", move |cx: Cx, ()| {
            let seen = std::sync::Arc::clone(&seen);
            async move {
                let facts = (cx.now(), cx.now(), cx.random(), cx.random(), cx.idempotency_key());
                seen.lock().expect("the lock").push(facts);
                cx.sleep(secs(60)).await?;
                anyhow::Ok(())
            }
        })
    };
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(5)).await;
    kit.crash();
    kit.recover().await?;
    run.output().await?;
    let seen = seen.lock().expect("the lock");
    assert_eq!(seen.len(), 2, "once before and once after the sleep");
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0].2, seen[0].3, "two draws differ");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_step_has_an_idempotency_key_of_its_own_wherever_it_is_asked_for() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let early = |cx: &Cx| std::future::ready(Ok::<_, Infallible>(cx.idempotency_key()));
        let a = cx.step("pay", || early(&cx)).await?;
        let b = cx.step("pay", || early(&cx)).await?;
        let c = cx.step("ship", || async { Ok::<_, Infallible>(cx.idempotency_key()) }).await?;
        anyhow::Ok([a, b, c, cx.idempotency_key()])
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    let id = run.id();
    assert_eq!(
        run.output().await?,
        [format!("{id}:f:pay#0"), format!("{id}:f:pay#1"), format!("{id}:f:ship#0"), format!("{id}:f")]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_step_that_is_polled_before_a_recorded_one_is_built_goes_on() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let slow = async {
            let body = || async {
                tokio::time::sleep(secs(60)).await;
                Ok::<_, Infallible>(1)
            };
            cx.step("slow", body).await
        };
        let quick = async { cx.step("quick", || async { Ok::<_, Infallible>(2) }).await };
        let (slow, quick) = tokio::join!(slow, quick);
        anyhow::Ok(slow? + quick?)
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    kit.advance(secs(30)).await;
    assert!(run.log().await?.ends_with("step_completed quick#0\n"), "one of two is recorded");
    kit.crash();
    kit.recover().await?;
    let output = tokio::time::timeout(secs(3_600), run.output()).await;
    assert_eq!(output.expect("it goes on")?, 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn joined_steps_keep_their_identity_whichever_ends_first() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let legs = [9_u64, 1, 2, 1].map(|wait| {
            cx.step("leg", move || async move {
                tokio::time::sleep(secs(wait)).await;
                Ok::<_, Infallible>(wait)
            })
        });
        let [slow, quick, third, fourth] = legs;
        let (slow, quick) = cx.join(slow, quick).await;
        let rest: Vec<u64> =
            cx.join_all([third, fourth]).await.into_iter().collect::<Result<_, CxError>>()?;
        anyhow::Ok((slow?, quick?, rest))
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.output().await?, (9, 1, vec![2, 1]));
    assert_eq!(
        run.timeline().await?,
        "0.000 run_created\n0.000 run_started\n0.000 attempt_started\n1.000 step_completed leg#1\n\
         9.000 step_completed leg#0\n10.000 step_completed leg#3\n11.000 step_completed leg#2\n\
         11.000 attempt_succeeded\n11.000 run_succeeded\n"
    );
    Ok(())
}

/// A function with one step of this name and output; gives what the step said.
fn with_step<T>(name: &'static str, output: fn() -> T) -> Workflow<(), String>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    Workflow::function("f", move |cx: Cx, ()| async move {
        let step = cx.step(name, || async { Ok::<_, Infallible>(output()) }).await;
        cx.sleep(days(1)).await?;
        anyhow::Ok(step.err().map(|error| error.to_string()).unwrap_or_default())
    })
}

async fn told(w: Workflow<(), String>) -> anyhow::Result<(String, String)> {
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    Ok((run.output().await?, run.log().await?))
}

#[tokio::test(start_paused = true)]
async fn an_output_that_cannot_be_kept_is_a_failed_step() -> anyhow::Result<()> {
    let deep = || {
        let text = format!("{}{}", "[".repeat(65), "]".repeat(65));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let lone = || serde_json::value::RawValue::from_string("\"\\ud800\"".to_owned()).expect("JSON");
    for (w, problem) in [
        (with_step("big", || "x".repeat(1 << 20)), "step `big` failed: payload: "),
        (with_step("nul", || "a\0b".to_owned()), "step `nul` failed: payload: "),
        (with_step("deep", deep), "step `deep` failed: payload: "),
        (with_step("lone", lone), "step `lone` failed: payload: "),
    ] {
        let (said, log) = told(w).await?;
        assert!(said.starts_with(problem), "{said}");
        assert!(log.contains("\nstep_failed "), "{log}");
    }
    let fits = || "x".repeat((1 << 20) - 2);
    assert_eq!(told(with_step("fits", fits)).await?.0, "");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_output_that_cannot_be_kept_fails_the_run() -> anyhow::Result<()> {
    let w = Workflow::function("f", |_, ()| async { Ok::<_, Infallible>("a\0b".to_owned()) });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    assert_eq!(run.get().await?.error().expect("an error").kind, "payload");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_name_over_its_limit_is_refused_where_it_is_used() -> anyhow::Result<()> {
    static LONG: &str = concat!(
        "0123456789012345678901234567890123456789012345678901234567890123",
        "0123456789012345678901234567890123456789012345678901234567890123x"
    );
    let (said, log) = told(with_step(LONG, || 1)).await?;
    assert!(said.starts_with("the step's name has 129 bytes, the limit is 128"), "{said}");
    assert!(!log.contains("step_"), "{log}");
    let (said, _) = told(with_step("", || 1)).await?;
    assert!(said.starts_with("the step's name is empty"), "{said}");
    let (said, _) = told(with_step("a\nb", || 1)).await?;
    assert!(said.contains("control character"), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_a_hundred_years_is_refused() -> anyhow::Result<()> {
    let w = Workflow::function("f", |cx: Cx, ()| async move {
        let sleep = cx.sleep(days(101 * 365)).await;
        let signal = cx.signal::<u32>("s").timeout(days(101 * 365)).await;
        anyhow::Ok((sleep.is_err(), signal.is_err()))
    });
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    assert_eq!(kit.run(&w, &()).await?.output().await?, (true, true));
    Ok(())
}
