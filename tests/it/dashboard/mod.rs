//! The dashboard: asked in-process, its pages parsed as a browser parses them.

mod page;
mod world;
mod pages;
mod sound;
mod crawl;
mod access;
mod tokens;
mod audit;
mod forms;
mod bulk;
mod hostile;
mod budgets;
mod states;
mod browser;
mod pieces;
mod run_graph;
mod redaction;
mod ended;
mod columns;
mod suggest;

use axum::Router;
use axum::http::Method;
use runlog::dashboard::PAGES;
use runlog::http::{Access, Action, ROUTES, Route};

use self::page::{Form, Page, follow, submit, submit_with, visit, visit_with};
use self::world::World;

/// Finds the row of the tables that an address below the mount belongs to.
fn route_of(method: &Method, address: &str) -> Option<&'static Route> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let fits = |route: &&Route| {
        let (mut here, mut there) = (path.split('/'), route.path.split('/'));
        route.method == *method
            && loop {
                match (here.next(), there.next()) {
                    (None, None) => break true,
                    (Some(one), Some(other)) if one == other || other.starts_with('{') => {}
                    _ => break false,
                }
            }
    };
    PAGES.iter().chain(ROUTES).find(fits)
}
