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

#[test]
fn a_body_is_described_as_closed_as_it_is() {
    let document: Value = serde_json::from_str(&runlog::http::openapi()).expect("JSON");
    let mut bodies = 0;
    for operation in
        document["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object()).flatten()
    {
        let schema = &operation.1["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = schema.as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) else {
            continue;
        };
        let closed = &document["components"]["schemas"][name]["additionalProperties"];
        assert_eq!(*closed, json!(false), "{name}: an unknown member is refused");
        bodies += 1;
    }
    assert_eq!(bodies, 19);
}

#[test]
fn a_limit_is_described_with_its_bounds() {
    let document: Value = serde_json::from_str(&runlog::http::openapi()).expect("JSON");
    let runs = document["paths"]["/api/v1/runs"]["get"]["parameters"].as_array().expect("parameters");
    let limit = runs.iter().find(|parameter| parameter["name"] == "limit").expect("a limit");
    assert_eq!((&limit["schema"]["minimum"], &limit["schema"]["maximum"]), (&json!(1), &json!(500)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_served() {
    let stage = Stage::new().await;
    let served = get(&stage.as_caller(Access::unauthenticated()), "/api/v1/openapi.json").await.json();
    let said: Value = serde_json::from_str(&runlog::http::openapi()).unwrap();
    assert_eq!(served, said);
}
