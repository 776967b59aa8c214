//! What holds of every page: its policy, its structure, and what a screen reader needs of it.

use std::collections::BTreeSet;

use super::*;

const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What is wrong with a page.
pub fn faults(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        claim(page.header(name) == value, format!("{name}: {}", page.header(name)));
    }
    claim(page.text.starts_with("<!DOCTYPE html>"), "no doctype".into());
    claim(page.html.errors.is_empty(), format!("a parser complains: {:?}", page.html.errors));
    claim(page.all("html[lang=en]").len() == 1, "no language".into());
    claim(page.all("h1").len() == 1, format!("headings: {:?}", page.texts("h1")));
    claim(page.texts("title").iter().any(|title| title.ends_with(" · runlog")), "no title".into());
    claim(page.all("main").len() == 1 && page.all("body > footer").len() == 1, "no landmarks".into());
    claim(page.all("a[href='#main']").len() == 1, "no way to skip the bar".into());

    let mut ids = BTreeSet::new();
    for element in page.all("*") {
        let tag = element.value();
        for (name, value) in tag.attrs() {
            claim(name != "style" && !name.starts_with("on"), format!("{name}={value} on <{}>", tag.name()));
            let address = matches!(name, "href" | "src" | "action" | "xlink:href");
            let plain = value.to_lowercase().replace(|c: char| c.is_whitespace() || c.is_control(), "");
            claim(!address || !plain.contains("script:"), format!("{name}={value}"));
        }
        if let Some(id) = tag.id() {
            claim(!id.is_empty() && !id.contains(char::is_whitespace), format!("the id {id:?}"));
            claim(ids.insert(id.to_owned()), format!("the id {id} is there twice"));
        }
    }
    claim(
        page.all("style, iframe, object, embed, base, meta[http-equiv]").is_empty(),
        "a forbidden element".into(),
    );
    for script in page.all("script") {
        let empty = script.text().all(|text| text.trim().is_empty());
        claim(script.attr("src").is_some() && empty, "a script that is written into the page".into());
    }
    for table in page.all("table") {
        claim(table.select(&page::select("caption")).count() == 1, "a table without a caption".into());
        claim(
            table.select(&page::select("th[scope]")).count() > 0,
            "a table whose heads have no scope".into(),
        );
    }
    for field in page.all("input:not([type=hidden]):not([hidden]), textarea, select") {
        let id = field.attr("id").unwrap_or_default();
        let labelled = !page.all(&format!("label[for='{id}']")).is_empty();
        let within =
            field.ancestors().filter_map(scraper::ElementRef::wrap).any(|up| up.value().name() == "label");
        let named = field.attr("aria-label").is_some_and(|name| !name.trim().is_empty());
        claim(labelled || within || named, format!("a field without a label: {}", field.html()));
    }
    for named in page.all("a, button, [aria-labelledby]") {
        let text: String = named.text().collect();
        let label = named.attr("aria-label").unwrap_or_default();
        claim(!text.trim().is_empty() || !label.is_empty(), format!("it has no name: {}", named.html()));
        if let Some(of) = named.attr("aria-labelledby") {
            claim(ids.contains(of), format!("it is named by {of}, which is not there"));
        }
    }
    for form in page.forms() {
        let asks =
            form.method == Method::GET || form.action.ends_with("/login") || form.action.ends_with("/logout");
        let selects = page.all("input[name=ids][type=checkbox]").len() + page.all("#rows").len() > 0;
        claim(asks || selects || form.field("once").is_some(), format!("{} may be done twice", form.action));
    }
    wrong
}

#[track_caller]
pub fn assert_sound(page: &Page) {
    assert!(page.is_html(), "{page:?}");
    let faults = faults(page);
    assert!(faults.is_empty(), "{} has faults:\n{}\n{}", page.path, faults.join("\n"), page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_a_sound_page_too() {
    let world = World::new().await;
    let (open, nobody) = (world.open(), world.as_caller(Access::unauthenticated()));
    let guest = world.as_caller(Access::none("guest"));
    let tokens = runlog::dashboard::router(world.runtime()).bearer_tokens().into_router();
    for (app, path, status) in [
        (&open, "/nothing", 404),
        (&open, "/runs/x", 404),
        (&open, "/runs/0198f3a2-0000-7000-8000-000000000000", 404),
        (&open, "/workflows/none", 404),
        (&open, "/bulk/x", 404),
        (&open, "/runs?q=statu:failed", 400),
        (&open, "/failures?q=statu:failed", 400),
        (&open, "/runs?limit=x", 400),
        (&open, "/runs?cursor=x", 400),
        (&open, "/bulk?action=explode", 400),
        (&open, "/bulk?action=cancel&q=statu:failed", 400),
        (&guest, "/runs", 403),
        (&nobody, "/runs", 401),
        (&tokens, "/runs", 401),
    ] {
        let page = visit(app, path).await;
        assert_eq!(page.status, status, "{page:?}");
        assert_sound(&page);
    }
}

#[test]
fn a_fault_of_each_kind_is_found() {
    let headers = [
        ("content-type", "text/html"),
        ("content-security-policy", POLICY),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ];
    let sound = |body: &str| {
        let text = format!(
            "<!DOCTYPE html><html lang=en><head><title>x · runlog</title></head><body><a href='#main'>skip</a>\
             <main id=main><h1>x</h1>{body}</main><footer></footer></body></html>"
        );
        let bytes = text.into_bytes();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        Page::of(
            "/x",
            crate::http::Answer { status: axum::http::StatusCode::OK, headers: headers.collect(), bytes },
        )
    };
    assert_eq!(faults(&sound("<p>well")), Vec::<String>::new());
    for body in [
        "<p style='color:red'>x</p>",
        "<p onclick='x()'>x</p>",
        "<a href='java&#10;script:x()'>x</a>",
        "<script>x()</script>",
        "<script src=/a.js>x()</script>",
        "<style>p { color: red }</style>",
        "<p id=a></p><p id=a></p>",
        "<h1>another</h1>",
        "<table><tr><th scope=row>x</th></tr></table>",
        "<table><caption>x</caption><tr><td>x</td></tr></table>",
        "<input name=x>",
        "<textarea name=x></textarea>",
        "<a href='/x'></a>",
        "<section aria-labelledby=none>x</section>",
        "<form method=post action='/runs/1/cancel'><button>x</button></form>",
        "<iframe src='/x'></iframe>",
    ] {
        assert!(!faults(&sound(body)).is_empty(), "{body}");
    }
}
