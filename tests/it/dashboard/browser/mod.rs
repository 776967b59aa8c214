//! The dashboard in a real browser, from a real server on a real socket.

mod driver;
mod path;
mod live;
mod keys;
mod looks;
mod hostile;
mod search;

use axum::Router;

use self::driver::Browser;
use super::World;

/// A world that is served, and the address of its dashboard.
struct Served {
    world: World,
    base: String,
}

impl Served {
    async fn at_the_root() -> Served {
        Served::below("").await
    }

    /// Serves the dashboard of a new world below a path of an application.
    async fn below(mount: &str) -> Served {
        let world = World::new().await;
        let app = match mount {
            "" => world.open(),
            _ => Router::new().nest(mount, world.open()),
        };
        Served { world, base: format!("{}{mount}", serve(app).await) }
    }

    fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Serves an application, and returns its address.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}
