//! A page as a browser without JavaScript takes it: parsed, with its links and its forms.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use scraper::{ElementRef, Html, Node, Selector};

use crate::http::{Answer, send};

/// An answer, and where it came from.
pub struct Page {
    pub path: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub html: Html,
}

/// A form, filled in.
#[derive(Clone, Debug)]
pub struct Form {
    pub method: Method,
    pub action: String,
    controls: Vec<Control>,
}

#[derive(Clone, Debug)]
struct Control {
    name: String,
    value: String,
    /// Whether it is sent: a box that is ticked, a button that is pressed, any other field.
    sent: bool,
    button: Option<String>,
}

pub fn select(selector: &str) -> Selector {
    Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"))
}

/// Writes a text as a part of an address.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Elements within a line: other ones begin and end with a space between words.
const INLINE: [&str; 10] = ["a", "code", "strong", "span", "time", "del", "ins", "kbd", "em", "small"];

/// The words of an element as a reader sees them.
fn text_of(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    write_text(element, &mut text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn write_text(element: ElementRef<'_>, text: &mut String) {
    let apart = if INLINE.contains(&element.value().name()) { "" } else { " " };
    text.push_str(apart);
    for child in element.children() {
        match (child.value(), ElementRef::wrap(child)) {
            (Node::Text(said), _) => text.push_str(said),
            (_, Some(inner)) => write_text(inner, text),
            _ => {}
        }
    }
    text.push_str(apart);
}

/// Asks for a page.
pub async fn visit(app: &Router, path: &str) -> Page {
    visit_with(app, path, &[]).await
}

pub async fn visit_with(app: &Router, path: &str, headers: &[(&str, &str)]) -> Page {
    let request = headers
        .iter()
        .fold(Request::get(without_fragment(path)), |request, (name, value)| request.header(*name, *value));
    Page::of(path, send(app, request.body(Body::empty()).expect("a request")).await)
}

/// Sends a form as a browser does.
pub async fn submit(app: &Router, form: &Form) -> Page {
    submit_with(app, form, &[("sec-fetch-site", "same-origin")]).await
}

pub async fn submit_with(app: &Router, form: &Form, headers: &[(&str, &str)]) -> Page {
    if form.method == Method::GET {
        let path = form.action.split('?').next().unwrap_or_default();
        return visit_with(app, &format!("{path}?{}", form.encoded()), headers).await;
    }
    let request = Request::post(&form.action).header("content-type", "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::from(form.encoded())).expect("a request");
    Page::of(&form.action, send(app, request).await)
}

/// Asks for where a page sends its reader.
pub async fn follow(app: &Router, page: Page) -> Page {
    assert_eq!(page.status, 303, "{page:?}");
    let place = page.place();
    visit(app, &place).await
}

fn without_fragment(path: &str) -> &str {
    path.split('#').next().unwrap_or_default()
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} answers {} {:?}\n{}", self.path, self.status, self.headers, self.text)
    }
}

impl Page {
    pub fn of(path: &str, answer: Answer) -> Page {
        let Answer { status, headers, bytes } = answer;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        let html = Html::parse_document(&text);
        Page { path: path.to_owned(), status, headers, text, html }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where it sends its reader.
    #[track_caller]
    pub fn place(&self) -> String {
        let place = self.header("location");
        assert!(!place.is_empty(), "it sends nobody anywhere: {self:?}");
        self.resolve(place).unwrap_or_else(|| panic!("{place} is elsewhere"))
    }

    pub fn is_html(&self) -> bool {
        self.header("content-type").starts_with("text/html")
    }

    pub fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        self.html.select(&select(selector)).collect()
    }

    /// The text of every element, its white space as a reader sees it.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(text_of).collect()
    }

    /// The text of the only element.
    #[track_caller]
    pub fn one(&self, selector: &str) -> String {
        let mut found = self.texts(selector);
        assert_eq!(found.len(), 1, "{selector}: {found:?} in {self:?}");
        found.remove(0)
    }

    /// All that a reader sees.
    pub fn words(&self) -> String {
        self.texts("body").join(" ")
    }

    #[track_caller]
    pub fn assert_says(&self, words: &str) {
        assert!(self.words().contains(words), "{words:?} is missing in {self:?}");
    }

    /// The address that a link on this page leads to; `None` for another site's, or no page's.
    pub fn resolve(&self, href: &str) -> Option<String> {
        if href.starts_with("data:") {
            return None;
        }
        assert!(!href.contains("//") && !href.to_lowercase().contains("script:"), "{href} on {}", self.path);
        let path = without_fragment(&self.path);
        Some(match href.chars().next() {
            Some('/') => href.to_owned(),
            Some('?') => format!("{}{href}", path.split('?').next().unwrap_or_default()),
            Some('#') | None => format!("{path}{href}"),
            Some(_) => panic!("{href} on {} depends on where the page is", self.path),
        })
    }

    /// The addresses of everything that a click leads to or the browser fetches by itself.
    pub fn links(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for name in ["href", "src", "data-live", "data-suggest"] {
            for element in self.all(&format!("[{name}]")) {
                found.extend(element.attr(name).and_then(|href| self.resolve(href)));
            }
        }
        found
    }

    /// The forms in the order of the page; a dialog's own are none that are sent.
    pub fn forms(&self) -> Vec<Form> {
        let forms = self.all("form").into_iter().filter(|form| form.attr("method") != Some("dialog"));
        forms.map(|form| Form::of(self, form)).collect()
    }

    /// The form that is sent to an address.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let forms = self.forms();
        let found =
            forms.iter().find(|form| form.action.split('?').next().is_some_and(|to| to.ends_with(action)));
        found.unwrap_or_else(|| panic!("no form for {action} on {self:?}")).clone()
    }

    /// What a selected element is worth: an input's value, a field's text.
    #[track_caller]
    pub fn value(&self, selector: &str) -> String {
        let all = self.all(selector);
        let [one] = all[..] else { panic!("{} of {selector} in {self:?}", all.len()) };
        one.attr("value").map_or_else(|| one.text().collect(), str::to_owned)
    }
}

impl Form {
    fn of(page: &Page, form: ElementRef<'_>) -> Form {
        let method = if form.attr("method") == Some("post") { Method::POST } else { Method::GET };
        let action = form.attr("action").unwrap_or_default();
        let action = page.resolve(action).unwrap_or_else(|| panic!("a form for {action}"));
        let fields = select("input, textarea, button");
        let controls = form.select(&fields).filter_map(|control| {
            let name = control.attr("name").unwrap_or_default().to_owned();
            let kind = control.attr("type").unwrap_or_default();
            let is = |tag| control.value().name() == tag;
            if control.attr("disabled").is_some() || (name.is_empty() && !is("button")) {
                return None;
            }
            let value = match is("textarea") {
                true => control.text().collect(),
                false => {
                    control.attr("value").unwrap_or(if kind == "checkbox" { "on" } else { "" }).to_owned()
                }
            };
            let sent = !is("button") && (kind != "checkbox" || control.attr("checked").is_some());
            let button = is("button").then(|| text_of(control));
            Some(Control { name, value, sent, button })
        });
        Form { method, action, controls: controls.collect() }
    }

    /// Writes into a field.
    #[track_caller]
    pub fn set(mut self, name: &str, value: &str) -> Form {
        let field = self.controls.iter_mut().find(|control| control.name == name && control.button.is_none());
        field.unwrap_or_else(|| panic!("no field {name}")).value = value.to_owned();
        self
    }

    /// Ticks a box.
    #[track_caller]
    pub fn tick(mut self, name: &str, value: &str) -> Form {
        let field = self.controls.iter_mut().find(|control| control.name == name && control.value == value);
        field.unwrap_or_else(|| panic!("no box {name}={value}")).sent = true;
        self
    }

    /// Takes the tick from a box.
    #[track_caller]
    pub fn untick(mut self, name: &str) -> Form {
        let field = self.controls.iter_mut().find(|control| control.name == name && control.sent);
        field.unwrap_or_else(|| panic!("no box {name} that is ticked")).sent = false;
        self
    }

    /// Presses a button that says something.
    #[track_caller]
    pub fn press(mut self, word: &str) -> Form {
        let said = |control: &Control| control.button.as_ref().is_some_and(|said| said.starts_with(word));
        let button = self.controls.iter_mut().find(|control| said(control));
        button.unwrap_or_else(|| panic!("no button {word}")).sent = true;
        self
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let field = self.controls.iter().find(|control| control.name == name && control.button.is_none());
        field.map(|control| control.value.as_str())
    }

    fn encoded(&self) -> String {
        let sent = self.controls.iter().filter(|control| control.sent && !control.name.is_empty());
        // A browser sends a field's lines with CR LF between them.
        let pairs = sent.map(|control| {
            let value = control.value.replace("\r\n", "\n").replace('\n', "\r\n");
            format!("{}={}", escaped(&control.name), escaped(&value))
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}
