//! Who may see and do what.

use axum::body::Body;
use axum::http::Request;
use percent_encoding::percent_decode_str;

use super::sound::assert_sound;
use super::*;
use crate::http::{send, start};

/// Fills the variables of a page's path.
fn filled(path: &str, world: &World) -> String {
    let name = match path {
        _ if path.starts_with("/schedules") => "settle-books",
        _ if path.starts_with("/runs") => "charge",
        _ => "gate",
    };
    let id = if path.starts_with("/bulk") { &world.bulk } else { &world.failed };
    path.replace("{id}", id).replace("{name}", name).replace("{seq}", "1")
}

/// Sends what a table's row asks for, a form without its fields.
async fn ask(app: &Router, route: &Route, path: &str, headers: &[(&str, &str)]) -> Page {
    let request = Request::builder().method(&route.method).uri(path);
    let request = match route.method == Method::GET {
        true => request,
        false => request.header("content-type", "application/x-www-form-urlencoded"),
    };
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Page::of(path, send(app, request.body(Body::empty()).expect("a request")).await)
}

#[track_caller]
fn assert_refused(page: &Page, status: u16, words: &str) {
    assert_eq!(page.status, status, "{page:?}");
    assert_sound(page);
    page.assert_says(words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_asks_for_its_action_and_for_no_other() {
    let world = World::new().await;
    for route in PAGES {
        let Some(action) = route.action else { continue };
        let path = filled(route.path, &world);
        let nobody = world.as_caller(Access::unauthenticated());
        assert_refused(&ask(&nobody, route, &path, &[]).await, 401, "unauthenticated");
        let without = world.as_caller(Access::all("ada").deny(action));
        let words = format!("ada may not do this: the action {action} is missing");
        assert_refused(&ask(&without, route, &path, &[]).await, 403, &words);
        for other in Action::ALL.iter().filter(|other| **other != action) {
            let wrong = world.as_caller(Access::none("ada").allow(*other));
            assert_refused(&ask(&wrong, route, &path, &[]).await, 403, &words);
        }
        let with = ask(&world.as_caller(Access::none("ada").allow(action)), route, &path, &[]).await;
        let status = with.status.as_u16();
        assert!(status < 500 && ![401, 403, 404, 405].contains(&status), "{with:?}");
    }
    for route in PAGES.iter().filter(|route| route.action.is_none()) {
        assert!(
            ["/assets/{name}", "/login", "/logout"].contains(&route.path),
            "{} is for everybody",
            route.path
        );
    }
}

/// The callers that a page is shown to: from one who may see to one who may do all but one thing.
fn callers() -> Vec<(String, Access)> {
    let mut callers = vec![
        ("read".into(), Access::none("ada").allow(Action::Read)),
        ("read and payloads".into(), Access::read_only("ada")),
        ("all".into(), Access::all("ada")),
    ];
    for action in Action::ALL {
        callers.push((format!("read and {action}"), Access::none("ada").allow(Action::Read).allow(*action)));
        if *action != Action::Read {
            callers.push((format!("all but {action}"), Access::all("ada").deny(*action)));
        }
    }
    callers
}

/// What a link or a form asks for beyond its route's action.
fn also(address: &str) -> &'static [Action] {
    match address {
        _ if address.contains("/replay?edit=") => &[Action::ReplayWithInput, Action::ReadPayload],
        _ if address.contains("/bulk?action=replay") => &[Action::Replay],
        _ if address.contains("/bulk?action=cancel") => &[Action::Cancel],
        _ => &[],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_offers_what_its_reader_may_not_do() {
    let world = World::new().await;
    let addresses = pages::addresses(&world);
    for (name, access) in callers() {
        let app = world.as_caller(access.clone());
        let about = visit(&app, "/about").await;
        let may = match about.status.as_u16() {
            200 => about.words(),
            _ => continue,
        };
        let list = may
            .split("You may ")
            .nth(1)
            .and_then(|rest| rest.split(" Filters").next())
            .expect("what one may");
        let allowed: Vec<&str> = list.split(", ").collect();
        for address in &addresses {
            let page = visit(&app, address).await;
            if page.status != 200 {
                assert!([303, 403].contains(&page.status.as_u16()), "{name}: {page:?}");
                continue;
            }
            let links = page.links().into_iter().map(|link| (Method::GET, link));
            let forms = page.forms().into_iter().map(|form| (form.method, form.action));
            for (method, to) in links.chain(forms) {
                let route = route_of(&method, &to).unwrap_or_else(|| panic!("{to} on {address}"));
                for action in route.action.iter().chain(also(&to)) {
                    assert!(
                        allowed.contains(&action.as_str()),
                        "{name} is offered {method} {to} on {address}"
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_see_payloads_sees_none() {
    let world = World::new().await;
    let app = world.as_caller(Access::all("ada").deny(Action::ReadPayload));
    let mut seen = 0;
    let mut addresses = pages::addresses(&world);
    addresses.push(format!("/runs/{}/replay?edit=1", world.failed));
    for address in addresses {
        let page = visit(&app, &address).await;
        if page.status == 200 {
            seen += 1;
            for secret in ["ord-771", "shelf 3", "4200", "asking the bank", "charge declined"] {
                assert!(!page.text.contains(secret), "{secret} is on {page:?}");
            }
        }
    }
    assert!(seen > 40, "{seen} pages");
    let page = visit(&app, &format!("/runs/{}", world.failed)).await;
    page.assert_says("Payloads need the permission read_payload");
    page.assert_says("card_declined (insufficient_funds)");
}

/// Says that a page has none of the words; an id that happens to hold one is no word.
#[track_caller]
fn assert_tells_nothing(page: &Page, secrets: &[&str]) {
    let words = page.words();
    let apart = |c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_');
    let told: Vec<&str> = words.split(apart).filter(|word| secrets.contains(word)).collect();
    assert!(told.is_empty(), "{told:?} on {page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_sees_and_changes_nothing_of_another() {
    let world = World::new().await;
    let app = world.as_tenant("globex");
    let before = world.state().await;
    for route in PAGES.iter().filter(|route| route.path.contains("{id}")) {
        let ids = world.runs();
        let ids = if route.path.starts_with("/bulk") { &[world.bulk.as_str()][..] } else { &ids };
        for id in ids {
            let path = filled(&route.path.replace("{id}", id), &world);
            let page = ask(&app, route, &path, &[("sec-fetch-site", "same-origin")]).await;
            assert_eq!(page.status, 404, "{page:?}");
            assert_tells_nothing(&page, &["acme", "ord-771", "checkout", "ada"]);
        }
    }
    for verb in ["pause", "resume", "trigger"] {
        for (query, status) in [("", 404), ("?namespace=default", 403)] {
            let route = route_of(&Method::POST, &format!("/schedules/settle-books/{verb}")).expect("a row");
            let page = ask(&app, route, &format!("/schedules/settle-books/{verb}{query}"), &[]).await;
            assert_eq!(page.status, status, "{page:?}");
        }
    }
    for address in ["/runs?namespace=default", "/failures?namespace=default", "/schedules?namespace=default"]
    {
        assert_eq!(visit(&app, address).await.status, 403, "{address}");
    }
    assert_eq!(world.state().await, before, "nothing changed");
    let app = world.as_tenant("initech");
    for address in ["/runs", "/runs?q=since:30d", "/failures", "/schedules", "/limits", "/audit"] {
        let page = visit(&app, address).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_tells_nothing(&page, &["acme", "ord-771", "card_declined", "settle-books", "ada", "k-1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_offered_nothing_that_is_refused_to_it() {
    let world = World::new().await;
    let app = world.as_tenant("globex");
    let rest = world.stage.as_tenant("globex");
    let id = start(&rest, serde_json::json!({ "workflow": "gate" })).await;
    for address in ["/runs".to_owned(), format!("/runs/{id}"), "/workflows/echo".into(), "/about".into()] {
        let page = visit(&app, &address).await;
        assert_sound(&page);
        for link in page.links() {
            if link.contains("/stream") {
                continue;
            }
            let status = visit(&app, &link).await.status.as_u16();
            assert!(status < 400, "{link} on {address} answers {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_another_site_sends_changes_nothing() {
    let world = World::new().await;
    let app = world.open();
    let before = world.state().await;
    for route in PAGES.iter().filter(|route| route.method == Method::POST) {
        let path = filled(route.path, &world);
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example"), ("host", "ops.example")],
            &[("origin", "null"), ("host", "ops.example")],
        ] {
            let page = ask(&app, route, &path, headers).await;
            assert_refused(&page, 403, "cross_site");
            assert_eq!(page.header("set-cookie"), "");
        }
    }
    assert_eq!(world.state().await, before, "nothing changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_session_is_sent_to_the_login_of_the_service() {
    let world = World::new().await;
    let nested =
        |login: &'static str| Router::new().nest("/admin/runlog", world.as_caller(Access::redirect(login)));
    let app = nested("/login");
    let pages = PAGES.iter().map(|route| (route, true));
    let routes = pages.chain(ROUTES.iter().map(|route| (route, false)));
    for (route, is_page) in routes.filter(|(route, _)| route.action.is_some()) {
        let path = format!("/admin/runlog{}", filled(route.path, &world)).trim_end_matches('/').to_owned();
        if !is_page {
            let request = Request::builder().method(&route.method).uri(&path).body(Body::empty());
            let refused = send(&app, request.expect("a request")).await;
            refused.assert_problem(401, "unauthenticated");
            assert_eq!(refused.header("location"), "");
            continue;
        }
        let page = ask(&app, route, &path, &[("sec-fetch-site", "same-origin")]).await;
        // What a form asked for cannot be asked for again: there is no way back to it.
        let back = (route.method == Method::GET).then(|| format!("?next={path}"));
        let wanted = format!("/login{}", back.unwrap_or_default());
        let place = percent_decode_str(page.header("location")).decode_utf8().expect("a text");
        assert_eq!((page.status.as_u16(), place.as_ref()), (303, wanted.as_str()), "{page:?}");
        assert_eq!(page.header("cache-control"), "no-store");
        // The page's own script would put the login into the page.
        let looked = ask(&app, route, &path, &[("hx-request", "true")]).await;
        assert_refused(&looked, 401, "unauthenticated");
    }
    let asked = "/admin/runlog/runs?q=status:failed&cursor=a%20b";
    for (login, wanted) in [
        ("/login", "/login?next=%2Fadmin%2Frunlog%2Fruns%3Fq%3Dstatus%3Afailed%26cursor%3Da%2520b"),
        ("/in?by=sso", "/in?by=sso&next=%2Fadmin%2Frunlog%2Fruns%3Fq%3Dstatus%3Afailed%26cursor%3Da%2520b"),
        ("https://sso.example/in", "https://sso.example/in"),
        ("//sso.example/in", "//sso.example/in"),
    ] {
        let page = visit(&nested(login), asked).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (303, wanted));
    }
    assert_eq!(visit(&nested("/log\nin"), asked).await.status, 401, "what is no address is not sent");
    assert_eq!(visit(&app, "/admin/runlog/nothing").await.status, 404);
}
