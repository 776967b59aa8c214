//! The database a verb works on.

use sqlx::postgres::PgConnectOptions;

/// Names the database and its server, without the password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("{database} at {}:{}", options.get_host(), options.get_port()),
    }
}

/// Returns the URL that was given, else the environment's `DATABASE_URL`.
pub(super) fn url(given: Option<String>) -> Option<String> {
    given.or_else(|| std::env::var("DATABASE_URL").ok()).filter(|url| !url.is_empty())
}
