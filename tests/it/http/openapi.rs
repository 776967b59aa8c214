//! The description of the interface.

use super::*;

#[test]
fn the_committed_description_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let said = runlog::http::openapi();
    if std::env::var_os("RUNLOG_WRITE_OPENAPI").is_some() {
        std::fs::write(path, &said).expect("docs/openapi.json");
    }
    let committed = std::fs::read_to_string(path).expect("docs/openapi.json");
    assert!(
        said == committed,
        "the interface changed: RUNLOG_WRITE_OPENAPI=1 cargo test --test it -- http::openapi"
    );
    let document: Value = serde_json::from_str(&said).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{document}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_served() {
    let stage = Stage::new().await;
    let served = get(&stage.as_caller(Access::unauthenticated()), "/api/v1/openapi.json").await.json();
    let said: Value = serde_json::from_str(&runlog::http::openapi()).unwrap();
    assert_eq!(served, said);
}
