//! Logging in where a token lets people in.

use runlog::http::{Grant, Tokens};

use super::sound::assert_sound;
use super::*;
use crate::http::Stage;

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn guarded() -> (Stage, Tokens, Router) {
    let stage = Stage::new().await;
    let tokens = Tokens::open(&stage.ground.pool).await.expect("tokens");
    let app = runlog::dashboard::router(&stage.runtime).bearer_tokens().into_router();
    (stage, tokens, app)
}

/// The cookie of an answer as a browser sends it back, and the whole of it.
fn cookie(page: &Page) -> (String, String) {
    let whole = page.header("set-cookie").to_owned();
    (whole.split(';').next().unwrap_or_default().to_owned(), whole)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_the_pages_through_a_cookie_that_no_script_reads() {
    let (_stage, tokens, app) = guarded().await;
    let secret = tokens.create(Grant::new("ada", [Action::Read])).await.unwrap().secret;
    let page = visit(&app, "/runs?q=status:failed").await;
    assert_eq!(page.status, 401, "{page:?}");
    assert_sound(&page);
    assert_eq!(page.one("h1"), "Log in");
    let form = page.form("/login");
    assert_eq!(form.field("next"), Some("/runs?q=status:failed"));
    assert_eq!(page.all("input[name=token][type=password]").len(), 1, "nobody reads over a shoulder");

    let entered = submit(&app, &form.set("token", &format!("  {}\n", &*secret))).await;
    assert_eq!(entered.place(), "/runs?q=status:failed");
    let (cookie, whole) = cookie(&entered);
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(whole.contains(part), "{part} in {whole}");
    }
    let seen = visit_with(&app, "/runs", &[("cookie", &cookie)]).await;
    assert_eq!((seen.status.as_u16(), seen.one(".who").as_str()), (200, "ada"));
    assert!(!seen.text.contains(&*secret), "the secret is on no page");
    let allowed = visit_with(&app, "/audit", &[("cookie", &cookie)]).await;
    assert_eq!(allowed.status, 403, "its token's actions hold");

    let about = visit_with(&app, "/about", &[("cookie", &cookie)]).await;
    let left = submit_with(&app, &about.form("/logout"), &[SAME, ("cookie", &cookie)]).await;
    assert!(left.header("set-cookie").contains("Max-Age=0"), "{left:?}");

    assert!(tokens.revoke("ada").await.unwrap());
    assert_eq!(visit_with(&app, "/runs", &[("cookie", &cookie)]).await.status, 401, "it is revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_token_opens_nothing() {
    let (_stage, tokens, app) = guarded().await;
    let good = tokens.create(Grant::new("ada", [Action::Read])).await.unwrap().secret;
    let form = visit(&app, "/runs").await.form("/login");
    let long = "x".repeat(5_000);
    for wrong in
        ["", "x", "rl_x", "é", "a\r\nb: c", "a\u{0}b", &long, good.get(..40).expect("a token is longer")]
    {
        let page = submit(&app, &form.clone().set("token", wrong)).await;
        assert_eq!(page.status, 401, "{wrong:?}: {page:?}");
        assert_sound(&page);
        assert_eq!(page.header("set-cookie"), "");
        page.assert_says("the token is not valid: it was revoked, or mistyped");
        assert!(wrong.len() < 3 || !page.text.contains(wrong), "what was typed is not shown");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_sent_nowhere_else_after_logging_in() {
    let (_stage, tokens, app) = guarded().await;
    let secret = tokens.create(Grant::new("ada", [Action::Read])).await.unwrap().secret;
    let form = visit(&app, "/runs").await.form("/login").set("token", &secret);
    for next in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:x()",
        "",
        "runs",
        "/runs\r\nx: y",
    ] {
        let entered = submit(&app, &form.clone().set("next", next)).await;
        let place = entered.header("location");
        assert!(place.starts_with("/runs") && place.lines().count() == 1, "{next:?} leads to {place:?}");
    }
    let mounted = Router::new().nest("/admin/runlog", app);
    let page = visit(&mounted, "/admin/runlog/failures").await;
    let entered = submit(&mounted, &page.form("/login").set("token", &secret)).await;
    assert_eq!(entered.place(), "/admin/runlog/failures");
    assert!(entered.header("set-cookie").contains("; Path=/admin/runlog;"), "{entered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_goes_over_plain_http_to_this_machine_alone() {
    let (_stage, tokens, app) = guarded().await;
    let secret = tokens.create(Grant::new("ada", [Action::Read])).await.unwrap().secret;
    let form = visit(&app, "/runs").await.form("/login").set("token", &secret);
    for (host, secure) in [
        ("localhost", false),
        ("127.0.0.1:7777", false),
        ("[::1]:7777", false),
        ("ops.example", true),
        ("localhost.evil.example", true),
        ("127.0.0.1.evil.example:7777", true),
    ] {
        let entered = submit_with(&app, &form, &[SAME, ("host", host)]).await;
        assert_eq!(entered.header("set-cookie").contains("; Secure"), secure, "{host}: {entered:?}");
    }
}
