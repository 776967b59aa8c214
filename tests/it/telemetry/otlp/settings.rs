//! The settings, and the standard variables.

use std::collections::HashMap;
use std::time::Duration;

use runlog::telemetry::otlp::{Otlp, OtlpError, Protocol, Sender};
use runlog::telemetry::spans::{AtCreation, Ratio};

use super::spans;
use crate::telemetry::receiver::Receiver;

fn read(variables: &[(&str, &str)]) -> Result<Option<Otlp>, OtlpError> {
    let all: HashMap<&str, &str> = variables.iter().copied().collect();
    Otlp::from_variables(|name| all.get(name).map(|value| (*value).to_owned()))
}

fn error(variables: &[(&str, &str)]) -> String {
    let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")];
    all.extend(variables);
    match read(&all) {
        Err(error) => error.to_string(),
        Ok(otlp) => panic!("{variables:?} would do: {otlp:?}"),
    }
}

#[test]
fn nothing_is_exported_without_an_endpoint_or_when_it_is_switched_off() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    assert!(read(&[]).expect("nothing").is_none());
    assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).expect("unset").is_none());
    assert!(read(&[("OTEL_SERVICE_NAME", "shop")]).expect("nothing").is_none());
    assert!(read(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]).expect("off").is_none());
    assert!(read(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]).expect("off").is_none());
    assert!(read(&[endpoint]).expect("an endpoint").is_some());
}

#[test]
fn the_standards_endpoint_is_meant_when_otlp_is_asked_for() {
    let asked = ("OTEL_TRACES_EXPORTER", "otlp");
    let http = read(&[asked]).expect("no error").expect("an endpoint");
    assert_eq!((http.protocol(), http.endpoint()), (Protocol::Http, "http://localhost:4318"));
    let grpc =
        read(&[asked, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).expect("no error").expect("an endpoint");
    assert_eq!((grpc.protocol(), grpc.endpoint()), (Protocol::Grpc, "http://localhost:4317"));
}

#[tokio::test]
async fn every_variable_is_heeded() {
    let (backend, authority) = Receiver::with_tls().await;
    let folder = crate::testing::postgres::Folder::new().expect("a folder");
    let path = folder.path("ca.pem");
    std::fs::write(&path, authority).expect("a file");
    for protocol in ["grpc", "http/protobuf"] {
        let otlp = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &backend.http()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20b%2Cc, x-other = %C3%A9"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "20000"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", path.to_str().expect("a path")),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=no,a=1%3D2,host.name=here,service.instance.id=7"),
            ("OTEL_SERVICE_NAME", "shop"),
        ]);
        let otlp = otlp.expect("no error").expect("an endpoint");
        let sent = Sender::new(&otlp);
        if protocol == "grpc" {
            assert_eq!(
                sent.expect_err("é").to_string(),
                "the OTLP header \"x-other\" cannot be sent: its value has other characters than printable ASCII"
            );
            continue;
        }
        sent.expect("settings").send(&spans(&["a"])).await.expect("a backend");

        let request = &backend.requests()[0];
        assert_eq!(request.headers["x-api-key"], "a b,c");
        assert_eq!(request.headers["content-encoding"], "gzip");
        let resource: Vec<(String, String)> = backend.received()[0].resource.clone().into_iter().collect();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(resource, [pair("a", "1=2"), pair("host.id", "runlog"), pair("service.name", "shop")]);
    }
}

#[tokio::test]
async fn those_of_spans_win_and_their_address_is_taken_as_it_is() {
    let backend = Receiver::new().await;
    let elsewhere = format!("{}/elsewhere", backend.http());
    let otlp = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://nobody.invalid:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &elsewhere),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "20000"),
    ]);
    let otlp = otlp.expect("no error").expect("an endpoint");
    Sender::new(&otlp).expect("settings").send(&spans(&["a"])).await.expect("a backend");

    let request = &backend.requests()[0];
    assert_eq!(request.path, "/elsewhere");
    assert_eq!((request.headers.get("a"), &request.headers["b"]), (None, &"2".parse().expect("a value")));
    assert_eq!(request.headers.get("content-encoding"), None);
}

#[test]
fn a_bad_value_is_told_with_its_variable() {
    let told = |variable: &str, value: &str| error(&[(variable, value)]);
    assert_eq!(
        told("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        "OTEL_EXPORTER_OTLP_PROTOCOL cannot be used: \"http/json\" is no protocol here: grpc, or http/protobuf"
    );
    assert_eq!(
        told("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT cannot be used: \"10s\" is no number of milliseconds from 1 to 600000"
    );
    assert!(told("OTEL_EXPORTER_OTLP_TIMEOUT", "0").contains("from 1 to 600000"));
    assert_eq!(
        told("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        "OTEL_EXPORTER_OTLP_COMPRESSION cannot be used: \"zstd\" is no compression here: gzip, or none"
    );
    assert_eq!(
        told("OTEL_TRACES_EXPORTER", "zipkin"),
        "OTEL_TRACES_EXPORTER cannot be used: \"zipkin\" is no exporter here: otlp, or none"
    );
    let certificate = told("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file");
    assert!(certificate.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE cannot be used: \"/no/such/file\": "));
    assert!(told("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem").starts_with("OTEL_EXPORTER_OTLP_CLIENT_KEY "));
    let endpoint = told("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318");
    assert!(endpoint.starts_with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT cannot be used: "), "{endpoint}");
    assert!(endpoint.ends_with("it begins with http:// or https://"), "{endpoint}");
}

/// A header's value is a key, more often than not.
#[test]
fn a_bad_list_is_told_by_the_place_and_not_by_the_value() {
    for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"] {
        let told = |value: &str| error(&[(name, value)]);
        let expected = |what: &str| format!("{name} cannot be used: its member 2 {what}");
        assert_eq!(told("a=1,s3cret"), expected("is no key=value"));
        assert_eq!(told("a=1,=s3cret"), expected("has no key"));
        assert_eq!(told("a=1,b=s3cret%2"), expected("has a % without two hexadecimal digits"));
        assert_eq!(told("a=1,b=s3cret%zz"), expected("has a % without two hexadecimal digits"));
        assert_eq!(told("a=1,b=s3cret%ff"), expected("is not UTF-8 when its % are decoded"));
    }
}

#[test]
fn a_setting_that_will_not_do_is_told_when_the_sender_is_made() {
    let told = |otlp: Otlp| Sender::new(&otlp).expect_err("it will not do").to_string();
    for otlp in [Otlp::grpc("ftp://x"), Otlp::http("ftp://x"), Otlp::grpc("localhost"), Otlp::http("")] {
        assert!(told(otlp).contains("it begins with http:// or https://"));
    }
    assert!(told(Otlp::http("http://a:b@c")).contains("go into a header"));
    assert!(told(Otlp::http("http://a").timeout(Duration::ZERO)).contains("at least 1 ms"));
    for header in ["", "a b", "x-bin"] {
        let told = told(Otlp::grpc("http://a").header(header, "s3cret"));
        assert!(told.starts_with(&format!("the OTLP header {header:?}")), "{told}");
        assert!(!told.contains("s3cret"));
    }
    assert!(told(Otlp::http("http://a").header("a", "s3cret\n")).starts_with("the OTLP header \"a\""));
    assert!(told(Otlp::grpc("https://a").certificate("no PEM")).contains("no certificate is in it"));
    assert!(told(Otlp::http("http://a").resource("host.name", "b")).contains("\"host.name\" cannot be set"));
    assert!(told(Otlp::http("http://a").resource("service.name", "b")).contains("service_name sets it"));
}

#[test]
fn the_standard_samplers_are_known_and_no_other() {
    let read = |sampler: &'static str, argument: &'static str| {
        Otlp::sampled_by_variables(move |name| match name {
            "OTEL_TRACES_SAMPLER" => Some(sampler.to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some(argument.to_owned()),
            _ => None,
        })
    };
    let tenth = Ratio::new(0.1).unwrap();
    let known = [
        ("", AtCreation::Always),
        ("always_on", AtCreation::Always),
        ("always_off", AtCreation::Ratio(Ratio::NONE)),
        ("traceidratio", AtCreation::Ratio(tenth)),
        ("parentbased_always_on", AtCreation::Caller { or: Ratio::ALL }),
        ("parentbased_always_off", AtCreation::Caller { or: Ratio::NONE }),
        ("parentbased_traceidratio", AtCreation::Caller { or: tenth }),
    ];
    for (sampler, expected) in known {
        assert_eq!(read(sampler, "0.1").unwrap(), expected, "{sampler}");
    }
    assert_eq!(read("traceidratio", "").unwrap(), AtCreation::Ratio(Ratio::ALL));
    for (sampler, argument, named) in [
        ("jaeger_remote", "", "OTEL_TRACES_SAMPLER cannot"),
        ("traceidratio", "many", "OTEL_TRACES_SAMPLER_ARG"),
        ("traceidratio", "1.5", "OTEL_TRACES_SAMPLER_ARG"),
    ] {
        let refused = read(sampler, argument).unwrap_err().to_string();
        assert!(refused.contains(named), "{refused}");
    }
}
