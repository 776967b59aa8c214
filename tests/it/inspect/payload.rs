//! What a user gave comes back byte for byte.

use runlog::{Cx, CxError, Workflow};
use serde_json::value::RawValue;

use crate::support::{Ground, echo, json, on_both, soon};

on_both! {
    any_json_survives_byte_for_byte
    any_json_survives_a_restart
}

/// JSON that a parser and a printer in between would change.
const AS_IT_WAS: [&str; 14] = [
    "null",
    "0",
    "-0.0",
    "123456789012345678901234567890123456789012345678901234567890",
    "9223372036854775808",
    "1e400",
    "0.10000000000000000000000000000000001",
    "\"\\u0041\\/ \\ud83d\\ude00 😀 \u{7f}\u{2028}\"",
    "\"\"",
    "{\"z\": 1, \"a\": 2, \"m\": {}}",
    "{\"twice\": 1, \"twice\": 2}",
    "[ 1 ,\t2,\n 3 ]",
    "{\"\": {\"$serde_json::private::RawValue\": 1}}",
    "[[],{},[{}],\"null\",true,false]",
];

/// Hands its input through a task's edge, a step, a child run and a signal.
fn everywhere() -> Workflow<Box<RawValue>, Vec<Box<RawValue>>> {
    let dag = Workflow::dag::<Box<RawValue>>("everywhere");
    let first = dag.task("first", |_: Cx, input: Box<RawValue>| async { Ok::<_, CxError>(input) });
    let last =
        dag.task_after("last", &first, |cx: Cx, input: Box<RawValue>, edge: Box<RawValue>| async move {
            let step = cx.step("step", || std::future::ready(Ok::<_, CxError>(input.clone()))).await?;
            let child = cx.child(&echo(), input.clone()).await?;
            let signal = cx.signal::<Box<RawValue>>("go").await?.unwrap_or_default();
            Ok::<_, CxError>(vec![input, edge, step, child, signal])
        });
    dag.output(&last)
}

async fn any_json_survives_byte_for_byte(ground: impl Ground) {
    let runtime = ground.builder().workflow(everywhere()).workflow(echo()).start().await.unwrap();
    for text in AS_IT_WAS {
        let run = runtime.run(&everywhere(), json(text)).start().await.unwrap();
        run.signal("go", &json(text)).await.unwrap();
        let all = soon("its output", run.output()).await.unwrap();
        assert_eq!(all.iter().map(|part| part.get()).collect::<Vec<_>>(), [text; 5]);

        let view = run.get().await.unwrap();
        assert_eq!(view.input.text(), text);
        let last = view.task("last").unwrap();
        assert_eq!(last.inputs[0].1.text(), text, "the edge");
        assert_eq!(last.steps[0].output.as_ref().unwrap().text(), text, "the step");
        assert_eq!(view.output.unwrap().text(), format!("[{}]", [text; 5].join(",")), "the output");
        let child = runtime.get(view.children[0].0).await.unwrap().unwrap();
        assert_eq!((child.input.text(), child.output.unwrap().text()), (text, text), "the child");
    }
}

async fn any_json_survives_a_restart(ground: impl Ground) {
    let first = ground.builder().workflow(everywhere()).workflow(echo()).start().await.unwrap();
    let mut runs = Vec::new();
    for text in AS_IT_WAS {
        let run = first.run_by_name("everywhere", text).start().await.unwrap();
        crate::support::until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
        runs.push(run.id());
    }
    first.shutdown(std::time::Duration::ZERO).await.unwrap();

    let second = ground.builder().workflow(everywhere()).workflow(echo()).start().await.unwrap();
    for (run, text) in runs.into_iter().zip(AS_IT_WAS) {
        second.signal(run, "go", &json(text)).await.unwrap();
        let output = soon("its output", second.handle(run).output_json()).await.unwrap();
        assert_eq!(output.text(), format!("[{}]", [text; 5].join(",")));
    }
}
