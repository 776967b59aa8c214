//! Every link and every form leads somewhere, wherever the dashboard is mounted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::body::Body;
use axum::http::Request;
use axum::response::Redirect;
use axum::routing::get;
use tower::ServiceExt;

use super::sound::assert_sound;
use super::*;

/// Addresses of one route that are asked for: filters combine without an end.
const EACH_MAX: usize = 25;

/// What a crawl found.
pub struct Found {
    /// The routes that links lead to.
    pub routes: BTreeSet<&'static str>,
    /// A form of each route that is sent with what stands in it.
    forms: BTreeMap<&'static str, Form>,
}

/// Goes wherever links lead from the list of runs, and has a look at every page.
pub async fn crawl_with(app: &Router, base: &str, look: &mut (dyn FnMut(&Page) + Send)) -> Found {
    let below = |address: &str, from: &str| {
        let rest = address.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        rest.unwrap_or_else(|| panic!("{address} on {from} leaves {base}")).to_owned()
    };
    let mut found = Found { routes: BTreeSet::new(), forms: BTreeMap::new() };
    let (mut seen, mut counts) = (BTreeSet::new(), BTreeMap::<&str, usize>::new());
    let mut todo = VecDeque::from([(format!("{base}/runs"), String::new())]);
    while let Some((address, from)) = todo.pop_front() {
        let address = address.split('#').next().unwrap_or_default().to_owned();
        let path = below(&address, &from);
        let route = route_of(&Method::GET, &path).unwrap_or_else(|| panic!("{address} on {from} is no page"));
        found.routes.insert(route.path);
        let count = counts.entry(route.path).or_default();
        if *count >= EACH_MAX || !seen.insert(address.clone()) {
            continue;
        }
        *count += 1;
        if route.path.ends_with("/stream") {
            let request = Request::get(&address).body(Body::empty()).expect("a request");
            let answer = app.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{address} on {from}");
            continue;
        }
        let page = visit(app, &address).await;
        look(&page);
        if page.status == 303 {
            todo.push_back((page.place(), address));
            continue;
        }
        assert_eq!(page.status, 200, "{address} on {from}: {page:?}");
        if !page.is_html() {
            continue;
        }
        assert_sound(&page);
        todo.extend(page.links().into_iter().map(|link| (link, address.clone())));
        for form in page.forms() {
            let path = below(&form.action, &address);
            let route = route_of(&form.method, &path);
            let route =
                route.unwrap_or_else(|| panic!("a form for {} {} on {address}", form.method, form.action));
            match form.method == Method::GET {
                true => assert_eq!(submit(app, &form).await.status, 200, "{form:?} on {address}"),
                false => drop(found.forms.entry(route.path).or_insert(form)),
            }
        }
    }
    found
}

/// Crawls, and sends one form of each kind as it stands.
async fn everything_leads_somewhere(app: Router, base: &str) {
    let found = crawl_with(&app, base, &mut |_| {}).await;
    let pages = PAGES.iter().filter(|route| route.method == Method::GET);
    // The bar leads to the lists, not to the address that leads there; an action on many runs is found after it began.
    let missing: Vec<&str> = pages
        .map(|route| route.path)
        .filter(|path| !found.routes.contains(path) && !["/", "/bulk/{id}"].contains(path))
        .collect();
    assert!(missing.is_empty(), "no link leads to {missing:?}");
    let forms = PAGES.iter().filter(|route| route.method == Method::POST);
    let missing: Vec<&str> = forms
        .map(|route| route.path)
        .filter(|path| !found.forms.contains_key(path) && *path != "/login")
        .collect();
    // A schedule that is not paused is not resumed.
    assert_eq!(missing, ["/schedules/{name}/resume"], "no form is sent there");
    for (route, form) in &found.forms {
        let page = submit(&app, form).await;
        match page.status.as_u16() {
            303 => {
                let page = follow(&app, page).await;
                assert!(page.path.starts_with(base), "{page:?}");
                assert_eq!(page.status, 200, "{page:?}");
            }
            // Nothing is selected, nothing is named: the page says so.
            422 | 400 => assert_sound(&page),
            status => panic!("{route} answers {status} to what stands in its form: {page:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_and_form_leads_somewhere_at_the_root() {
    everything_leads_somewhere(World::new().await.open(), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_and_form_stays_below_a_mount() {
    let app = Router::new().nest("/admin/runlog", World::new().await.open());
    everything_leads_somewhere(app, "/admin/runlog").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_is_found_with_and_without_a_slash_and_nothing_else_is_taken() {
    let app = Router::new().nest("/admin/runlog", World::new().await.open());
    assert_eq!(visit(&app, "/admin/runlog").await.place(), "/admin/runlog/runs");
    assert_eq!(visit(&app, "/admin/runlog/").await.status, 404, "axum nests below the path without a slash");
    let both = app.clone().route("/admin/runlog/", get(async || Redirect::permanent("/admin/runlog")));
    let slash = visit(&both, "/admin/runlog/").await;
    assert_eq!((slash.status.as_u16(), slash.place().as_str()), (308, "/admin/runlog"));
    assert_eq!(visit(&both, "/admin/runlog").await.place(), "/admin/runlog/runs");
    assert_eq!(visit(&app, "/runs").await.status, 404);
    let lost = visit(&app, "/admin/runlog/nothing").await;
    assert_eq!((lost.status.as_u16(), lost.value("body > header a.brand").as_str()), (404, "runlog"));
    assert!(
        lost.links().iter().all(|link| link.starts_with("/admin/runlog") || link.contains('#')),
        "{lost:?}"
    );
}
