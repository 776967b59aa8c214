//! Who may do what.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::problem::{Code, Problem};
use super::service::Service;
use super::token;
use crate::model::Namespace;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What a request asks to be allowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Action] = &[$(Action::$variant,)+];

            /// Returns the word for it, as in a token's scopes and in a refusal.
            pub fn as_str(self) -> &'static str {
                match self { $(Action::$variant => $word,)+ }
            }
        }
    };
}

actions! {
    /// See runs, tasks, events, errors, workflows and nodes, without what users gave and got.
    Read = "read",
    /// See inputs, outputs and signals.
    ReadPayload = "read_payload",
    /// Start runs.
    Start = "start",
    /// Send signals to runs.
    Signal = "signal",
    /// Replay runs as they were started.
    Replay = "replay",
    /// Replay runs with another input.
    ReplayWithInput = "replay_with_input",
    /// Cancel runs.
    Cancel = "cancel",
    /// Cancel and replay many runs at once, besides the action itself.
    Bulk = "bulk",
    /// Make, change, pause and delete what starts runs: schedules and subscriptions.
    Schedule = "schedule",
    /// Pause and resume workflows.
    Pause = "pause",
    /// Remove runs and change how long they are kept.
    Delete = "delete",
    /// Put exported runs into the archive.
    Import = "import",
    /// Everything that concerns the installation: the audit, tokens.
    Admin = "admin",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no action: expected one of {}", words())]
pub struct UnknownAction {
    /// What was found.
    pub word: String,
}

fn words() -> String {
    Action::ALL.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ")
}

impl std::str::FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Action, UnknownAction> {
        let found = Action::ALL.iter().copied().find(|action| action.as_str() == word);
        found.ok_or_else(|| UnknownAction { word: word.to_owned() })
    }
}

/// What the embedder's own login allows one request.
///
/// Without [`in_namespace`](Access::in_namespace) it sees the runs of every namespace, and starts runs in `default`.
#[derive(Clone, Debug)]
pub struct Access {
    granted: Option<Granted>,
    /// Where a reader of a page logs in.
    login: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Granted {
    who: Arc<str>,
    actions: BTreeSet<Action>,
    namespace: Option<Namespace>,
}

impl Access {
    /// Nobody is logged in: the request is refused with 401.
    pub fn unauthenticated() -> Access {
        Access { granted: None, login: None }
    }

    /// Nobody is logged in, and `login` is where that is done: a reader of the dashboard is sent there, programs are refused
    /// with 401.
    ///
    /// If `login` is a path on the same origin, such as `/login`, it is asked with `next`, the path of the page that was asked
    /// for: send the reader back there, and check before that it begins with a single `/`, for anybody can write such a link.
    pub fn redirect(login: impl Into<String>) -> Access {
        Access { granted: None, login: Some(login.into().into()) }
    }

    /// Allows `who` nothing yet; add with [`allow`](Access::allow).
    pub fn none(who: impl Into<String>) -> Access {
        let granted = Granted { who: who.into().into(), actions: BTreeSet::new(), namespace: None };
        Access { granted: Some(granted), login: None }
    }

    /// Allows `who` to read everything, payloads included.
    pub fn read_only(who: impl Into<String>) -> Access {
        Access::none(who).allow(Action::Read).allow(Action::ReadPayload)
    }

    /// Allows `who` everything.
    pub fn all(who: impl Into<String>) -> Access {
        Action::ALL.iter().fold(Access::none(who), |access, action| access.allow(*action))
    }

    /// Allows one more action.
    #[must_use]
    pub fn allow(mut self, action: Action) -> Access {
        self.granted.iter_mut().for_each(|granted| {
            granted.actions.insert(action);
        });
        self
    }

    /// Forbids an action.
    #[must_use]
    pub fn deny(mut self, action: Action) -> Access {
        self.granted.iter_mut().for_each(|granted| {
            granted.actions.remove(&action);
        });
        self
    }

    /// Binds the request to a namespace: runs of another one do not exist for it, and what it starts is born there.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Namespace) -> Access {
        self.granted.iter_mut().for_each(|granted| granted.namespace = Some(namespace.clone()));
        self
    }

    /// Returns who asks; refuses when nobody is logged in.
    pub(crate) fn caller(self) -> Result<Caller, Problem> {
        let granted = self.granted.ok_or_else(|| {
            Problem::new(
                Code::Unauthenticated,
                "log in, or send `Authorization: Bearer …` with a token that is valid",
            )
            .log_in_at(self.login)
        })?;
        Ok(Caller { who: granted.who, actions: granted.actions, namespace: granted.namespace })
    }
}

/// Who asks, and what that one may do.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) who: Arc<str>,
    actions: BTreeSet<Action>,
    /// Whose runs it sees; `None` = everybody's.
    pub(crate) namespace: Option<Namespace>,
}

impl Caller {
    pub(crate) fn may(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Refuses unless the action is allowed.
    pub(crate) fn require(&self, action: Action) -> Result<(), Problem> {
        if self.may(action) {
            return Ok(());
        }
        let detail = format!("{} may not do this: the action {action} is missing", self.who);
        Err(Problem::new(Code::Forbidden, detail).fact("action", action.as_str()))
    }

    /// Refuses who is bound to a namespace: what is asked for belongs to all of them.
    pub(crate) fn require_unbound(&self) -> Result<(), Problem> {
        let Some(namespace) = &self.namespace else { return Ok(()) };
        let detail = format!("{} is bound to namespace {namespace}: this concerns all namespaces", self.who);
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// Refuses who is bound to another namespace than the one that is asked for.
    pub(crate) fn require_namespace(&self, asked: &str) -> Result<(), Problem> {
        match &self.namespace {
            Some(own) if own.as_str() != asked => {
                Err(Problem::new(Code::Forbidden, format!("{} is bound to namespace {own}", self.who)))
            }
            _ => Ok(()),
        }
    }

    /// Says whether a thing of `namespace` exists for the caller.
    pub(crate) fn sees(&self, namespace: &Namespace) -> bool {
        self.namespace.as_ref().is_none_or(|bound| bound == namespace)
    }
}

/// Decides about every request.
pub(crate) enum Gate {
    /// Whoever reaches the socket may do everything.
    Open,
    /// The embedder's own login.
    Host(Box<dyn Fn(&Parts) -> Access + Send + Sync>),
    /// Bearer tokens that the database knows.
    Tokens,
    /// Whoever is on this machine may do everything.
    Local,
}

impl Gate {
    /// Returns who asks.
    pub(crate) async fn admit(&self, service: &Service, parts: &Parts) -> Result<Caller, Problem> {
        match self {
            Gate::Open => Access::all("anyone").caller(),
            Gate::Host(decide) => decide(parts).caller(),
            Gate::Local => {
                local(&parts.headers)?;
                Access::all("anyone").caller()
            }
            Gate::Tokens => token::access(service.desk().await?, &parts.headers).await?.caller(),
        }
    }
}

/// Refuses a request that was sent to another name than this machine's own: a page whose name was made to mean this
/// machine is another site's all the same. Clients that are no browsers may send none.
fn local(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return Ok(());
    }
    let refusal = "only requests to localhost, 127.0.0.1 and [::1] are answered without a token";
    Err(Problem::new(Code::CrossSite, refusal))
}
