//! Bearer tokens: made here, shown once, kept as hashes.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq;

use super::access::{Access, Action};
use super::problem::Problem;
use crate::clock;
use crate::model::ids::NameError;
use crate::model::limits::{LIST_TIME_MAX, WAIT_MAX};
use crate::model::{Namespace, Timestamp, WorkflowName};
use crate::store::postgres::AccessStore;
use crate::store::{NewToken, StoreError, TokenRow};

/// What a token begins with, so that scanners for leaked secrets know it.
const MARK: &str = "rl_";

/// Characters of a token's secret: 32 bytes in base 62.
const SECRET_CHARS: usize = 43;

/// Characters of a token's checksum: 32 bits in base 62.
const CHECKSUM_CHARS: usize = 6;

/// Characters by which a token is found and shown; the 35 behind them are secret.
const PREFIX_CHARS: usize = MARK.len() + 8;

/// Tokens that a list shows.
const TOKENS_SHOWN_MAX: u32 = 1_000;

/// The tokens of one database.
#[derive(Clone, Debug)]
pub struct Tokens {
    store: AccessStore,
}

/// What a new token allows.
#[derive(Clone, Debug)]
pub struct Grant {
    name: String,
    actions: Vec<Action>,
    namespace: Option<Namespace>,
    lives: Option<Duration>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name: what the audit and the runs' logs call its bearer.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// The words of what its bearer may do.
    pub actions: Vec<String>,
    /// Which runs exist for its bearer; `None` = all.
    pub namespace: Option<Namespace>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
}

/// A new token with its secret, which nobody can show again.
#[derive(Clone)]
pub struct Secret {
    /// The token.
    pub token: Token,
    /// What its bearer sends.
    pub secret: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Why a token was not made, listed or revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A living token has the name.
    #[error("there is a token called {name:?}: revoke it first, or choose another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// It would allow nothing.
    #[error("a token must allow something: name its actions")]
    NoActions,
    /// It would live for nothing, or for ever.
    #[error("a token lives for {lives:?}: expected more than zero and at most 100 years")]
    Lives {
        /// How long.
        lives: Duration,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// The database refuses, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Grant {
    /// Allows the bearer, called `name`, some actions.
    pub fn new(name: impl Into<String>, actions: impl IntoIterator<Item = Action>) -> Grant {
        let mut actions: Vec<Action> = actions.into_iter().collect();
        actions.sort_unstable();
        actions.dedup();
        Grant { name: name.into(), actions, namespace: None, lives: None }
    }

    /// Binds the bearer to a namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Namespace) -> Grant {
        self.namespace = Some(namespace);
        self
    }

    /// Sets how long the token lives. Default: until it is revoked.
    #[must_use]
    pub fn lives(mut self, lives: Duration) -> Grant {
        self.lives = Some(lives);
        self
    }
}

impl Tokens {
    /// Opens the tokens of the database of `pool`, whose schema must be this release's.
    ///
    /// # Errors
    /// [`TokenError::Store`].
    pub async fn open(pool: &PgPool) -> Result<Tokens, TokenError> {
        Ok(Tokens { store: AccessStore::open(pool, 1, LIST_TIME_MAX).await? })
    }

    /// Makes a token. Only this answer holds its secret.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn create(&self, grant: Grant) -> Result<Secret, TokenError> {
        // The same rule as for every name that people read.
        let name = WorkflowName::new(&grant.name)?.to_string();
        if grant.actions.is_empty() {
            return Err(TokenError::NoActions);
        }
        if let Some(lives) = grant.lives.filter(|lives| lives.is_zero() || *lives > WAIT_MAX) {
            return Err(TokenError::Lives { lives });
        }
        let secret = write(&clock::draw_secret().ok_or(TokenError::NoRandomness)?);
        let kept = NewToken {
            name: name.clone(),
            prefix: prefix(&secret).to_owned(),
            hash: Sha256::digest(&secret).to_vec(),
            actions: grant.actions.iter().map(|action| action.as_str().to_owned()).collect(),
            namespace: grant.namespace,
            lives: grant.lives,
        };
        let row = self.store.keep_token(&kept).await?.ok_or(TokenError::Taken { name })?;
        Ok(Secret { token: row.into(), secret })
    }

    /// Lists the tokens that were not revoked, the newest first, at most 1,000.
    ///
    /// # Errors
    /// [`TokenError::Store`].
    pub async fn list(&self) -> Result<Vec<Token>, TokenError> {
        Ok(self.store.tokens(TOKENS_SHOWN_MAX).await?.into_iter().map(Token::from).collect())
    }

    /// Revokes a token: the next request with it is refused. Says whether there was one of that name.
    ///
    /// # Errors
    /// [`TokenError::Store`].
    pub async fn revoke(&self, name: &str) -> Result<bool, TokenError> {
        Ok(self.store.revoke_token(name).await?)
    }
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Token {
        Token {
            name: row.name,
            prefix: row.prefix,
            actions: row.actions,
            namespace: row.namespace,
            created_at: row.created_at,
            expires_at: row.expires_at,
            used_at: row.used_at,
        }
    }
}

/// The cookie that holds a browser's token.
pub(crate) const COOKIE: &str = "runlog_token";

/// Says what the bearer of a request's token may do: one in the header `Authorization`, else one in a browser's cookie.
pub(crate) async fn access(store: &AccessStore, headers: &HeaderMap) -> Result<Access, Problem> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        sent.map(|value| value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")));
    let secret = match bearer {
        Some(bearer) => bearer.map(|(_, secret)| secret.trim()),
        None => cookie(headers),
    };
    let Some(secret) = secret.filter(|secret| is_sound(secret)) else {
        return Ok(Access::unauthenticated());
    };
    let hash = Sha256::digest(secret);
    let right = |row: &TokenRow| bool::from(row.hash.as_slice().ct_eq(hash.as_slice()));
    let Some(row) = store.use_token(prefix(secret), right).await? else {
        return Ok(Access::unauthenticated());
    };
    // A word of a newer release allows nothing here.
    let actions = row.actions.iter().filter_map(|word| word.parse().ok());
    let access = actions.fold(Access::none(row.name), Access::allow);
    Ok(row.namespace.into_iter().fold(access, Access::in_namespace))
}

/// Returns the token that a browser was given when its user logged in.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find_map(|(name, value)| (name == COOKIE).then_some(value))
}

fn prefix(secret: &str) -> &str {
    secret.get(..PREFIX_CHARS).unwrap_or_default()
}

/// Writes a secret as a token.
fn write(secret: &[u8; 32]) -> String {
    let body = base62(secret, SECRET_CHARS);
    let checksum = base62(&crc32(body.as_bytes()).to_be_bytes(), CHECKSUM_CHARS);
    format!("{MARK}{body}{checksum}")
}

/// Says whether a text has a token's form and checksum: what has not is asked nobody.
fn is_sound(token: &str) -> bool {
    let body = token.strip_prefix(MARK).filter(|body| body.len() == SECRET_CHARS + CHECKSUM_CHARS);
    let Some((body, checksum)) = body.and_then(|body| body.split_at_checked(SECRET_CHARS)) else {
        return false;
    };
    base62(&crc32(body.as_bytes()).to_be_bytes(), CHECKSUM_CHARS) == checksum
}

/// Writes a big-endian number in base 62, at its full width.
fn base62(bytes: &[u8], chars: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (mut number, mut text) = (bytes.to_vec(), Vec::with_capacity(chars));
    for _ in 0..chars {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default();
            rest = value % 62;
        }
        text.extend(DIGITS.get(rest as usize));
    }
    text.reverse();
    String::from_utf8(text).unwrap_or_default()
}

/// The checksum of ISO 3309, as in gzip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
