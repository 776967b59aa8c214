//! The fields of a page's form, as a browser sends them.

#[cfg(feature = "dashboard")]
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, header};

#[cfg(feature = "dashboard")]
use super::extract::{check_type, read};
#[cfg(feature = "dashboard")]
use super::problem::Problem;
#[cfg(feature = "dashboard")]
use super::service::Service;
#[cfg(feature = "dashboard")]
use super::table::Body as Kind;

const KIND: &str = "application/x-www-form-urlencoded";

/// A request's body: the fields of a page's form.
#[cfg(feature = "dashboard")]
pub(crate) struct Form(Vec<(String, String)>);

#[cfg(feature = "dashboard")]
impl FromRequest<Arc<Service>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Service>) -> Result<Form, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts, body, Kind::Form).await?;
        check_type(&parts.headers, &[KIND])?;
        fields(bytes).await.map(Form).map_err(|why| Problem::at("", why))
    }
}

#[cfg(feature = "dashboard")]
impl Form {
    /// Returns a field that was filled in.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|text| !text.trim().is_empty())
    }

    /// Returns all fields of a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Says whether a box was ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }
}

/// Returns the key in a form's field `once`: sent twice, the form is carried out once.
pub(super) async fn once_of(body: &[u8]) -> Option<String> {
    let fields = fields(body.to_vec()).await.ok()?;
    fields.into_iter().find_map(|(name, value)| (name == "once").then_some(value))
}

/// Reads a form's fields, in their order; says why they are none.
async fn fields(bytes: Vec<u8>) -> Result<Vec<(String, String)>, String> {
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
    let fields = axum::Form::<Vec<(String, String)>>::from_request(request, &()).await;
    fields.map(|axum::Form(fields)| fields).map_err(|no| no.body_text())
}
