//! What this is, and how to ask it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use crate::dashboard::page::Site;
use crate::http::{Action, Service};
use crate::model::filter::keys::KEYS;

pub(super) async fn show(State(service): State<Arc<Service>>, site: Site) -> Response {
    let hidden: Vec<&str> = service.redaction.paths().collect();
    let main = html! {
        h1 { "About" }
        dl.facts {
            div { dt { "Release" } dd { (env!("CARGO_PKG_VERSION")) } }
            @if !hidden.is_empty() { div { dt { "Hidden values" } dd { @for path in &hidden { code { (path) } " " } } } }
            @if let Some(caller) = &site.caller {
                div { dt { "You are" } dd { (caller.who) } }
                div { dt { "You may" } dd { (Action::ALL.iter().filter(|action| caller.may(**action)).map(|action| action.as_str()).collect::<Vec<_>>().join(", ")) } }
                @if let Some(namespace) = &caller.namespace { div { dt { "Namespace" } dd { (namespace) } } }
            }
        }
        h2 { "Filters" }
        p { "Conditions stand beside each other, and all must hold; values with commas between them are alternatives; a " code { "-" } " in front turns one round." }
        table {
            caption.hidden { "Keys of filters" }
            thead { tr { th scope="col" { "Key" } th scope="col" { "Finds" } th scope="col" { "Example" } } }
            tbody { @for key in KEYS {
                tr { th scope="row" { code { (key.name) } } td { (key.finds) } td { code { (key.example) } } }
            } }
        }
        h2 { "Programs" }
        p { "Everything here is in the REST interface, too: " a href=(site.to("/api/v1/openapi.json")) { "its description" } "." }
        form method="post" action=(site.to("/logout")) { p.tools { button { "Forget my token" } } }
    };
    site.page("About", None, main)
}
