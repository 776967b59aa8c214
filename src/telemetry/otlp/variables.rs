//! The standard variables of the environment.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::settings::{Otlp, OtlpError, is_the_logs};
use crate::model::limits::OTLP_TIMEOUT_MAX;
use crate::telemetry::spans::{AtCreation, Ratio};

/// Reads a variable.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Variables of the standard that this exporter does not heed: to pass over them would be to send otherwise than told.
const UNKNOWN: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
];

pub(super) fn read(read: Read<'_>) -> Result<Option<Otlp>, OtlpError> {
    if set(read, "OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let wanted = set(read, "OTEL_TRACES_EXPORTER");
    match wanted.as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(other) => {
            return Err(wrong(
                "OTEL_TRACES_EXPORTER",
                format!("{other:?} is no exporter here: otlp, or none"),
            ));
        }
    }
    let grpc = is_grpc(read)?;
    let Some((endpoint, exact)) = endpoint(read, grpc, wanted.is_some()) else { return Ok(None) };
    for name in UNKNOWN {
        if set(read, name).is_some() {
            return Err(wrong(name, "a client's certificate cannot be sent yet".to_owned()));
        }
    }
    let mut otlp = if grpc { Otlp::grpc(endpoint) } else { Otlp::http(endpoint) };
    if exact {
        otlp = otlp.exact();
    }
    otlp.traces_url().map_err(|error| wrong(&named(read, "ENDPOINT").0, error.to_string()))?;
    let (name, headers) = named(read, "HEADERS");
    for (key, value) in pairs(&name, headers.as_deref().unwrap_or_default())? {
        otlp = otlp.header(key, value);
    }
    otlp = otlp.gzip(is_gzip(read)?);
    if let (name, Some(text)) = named(read, "TIMEOUT") {
        otlp = otlp.timeout(timeout(&name, &text)?);
    }
    if let (name, Some(path)) = named(read, "CERTIFICATE") {
        let pem = std::fs::read(&path).map_err(|error| wrong(&name, format!("{path:?}: {error}")))?;
        otlp = otlp.certificate(pem);
        otlp.check().map_err(|error| wrong(&name, format!("{path:?}: {error}")))?;
    }
    resource(read, otlp).map(Some)
}

/// Reads which service it is.
fn resource(read: Read<'_>, mut otlp: Otlp) -> Result<Otlp, OtlpError> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    for (key, value) in pairs(ATTRIBUTES, &set(read, ATTRIBUTES).unwrap_or_default())? {
        otlp = match key.as_str() {
            "service.name" => otlp.service_name(value),
            key if is_the_logs(key) => otlp,
            _ => otlp.resource(key, value),
        };
    }
    Ok(match set(read, "OTEL_SERVICE_NAME") {
        Some(name) => otlp.service_name(name),
        None => otlp,
    })
}

fn is_grpc(read: Read<'_>) -> Result<bool, OtlpError> {
    match named(read, "PROTOCOL") {
        (_, None) => Ok(false),
        (name, Some(protocol)) => match protocol.as_str() {
            "grpc" => Ok(true),
            "http/protobuf" => Ok(false),
            other => Err(wrong(&name, format!("{other:?} is no protocol here: grpc, or http/protobuf"))),
        },
    }
}

/// Returns the endpoint, and whether it is that of spans alone.
fn endpoint(read: Read<'_>, grpc: bool, asked_for: bool) -> Option<(String, bool)> {
    if let Some(endpoint) = set(read, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        return Some((endpoint, true));
    }
    let local = || asked_for.then(|| format!("http://localhost:{}", if grpc { 4317 } else { 4318 }));
    set(read, "OTEL_EXPORTER_OTLP_ENDPOINT").or_else(local).map(|endpoint| (endpoint, false))
}

fn is_gzip(read: Read<'_>) -> Result<bool, OtlpError> {
    match named(read, "COMPRESSION") {
        (_, None) => Ok(false),
        (name, Some(compression)) => match compression.as_str() {
            "gzip" => Ok(true),
            "none" => Ok(false),
            other => Err(wrong(&name, format!("{other:?} is no compression here: gzip, or none"))),
        },
    }
}

fn timeout(name: &str, text: &str) -> Result<Duration, OtlpError> {
    let timeout = text.parse().map(Duration::from_millis).ok();
    timeout.filter(|timeout| !timeout.is_zero() && *timeout <= OTLP_TIMEOUT_MAX).ok_or_else(|| {
        wrong(
            name,
            format!("{text:?} is no number of milliseconds from 1 to {}", OTLP_TIMEOUT_MAX.as_millis()),
        )
    })
}

/// Reads `key=value,key=value`, its values percent-encoded. What is wrong is told by its place: a value may be a key.
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, OtlpError> {
    let members = (1..).zip(text.split(',')).filter(|(_, member)| !member.trim().is_empty());
    let pair = |(number, member): (usize, &str)| {
        let problem = |what: &str| wrong(name, format!("its member {number} {what}"));
        let (key, value) = member.split_once('=').ok_or_else(|| problem("is no key=value"))?;
        let decoded = |text: &str| {
            if has_bad_escape(text) {
                return Err(problem("has a % without two hexadecimal digits"));
            }
            let decoded = percent_decode_str(text.trim()).decode_utf8();
            Ok(decoded.map_err(|_| problem("is not UTF-8 when its % are decoded"))?.into_owned())
        };
        let (key, value) = (decoded(key)?, decoded(value)?);
        if key.is_empty() {
            return Err(problem("has no key"));
        }
        Ok((key, value))
    };
    members.map(pair).collect()
}

/// Says whether a `%` stands for no byte: the decoder would leave it as it is.
fn has_bad_escape(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let digits = after.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
        digits < 2
    })
}

/// Returns the value of an exporter's variable, that of spans before the general one, with the name that it was found under.
fn named(read: Read<'_>, what: &str) -> (String, Option<String>) {
    let general = format!("OTEL_EXPORTER_OTLP_{what}");
    let traces = format!("OTEL_EXPORTER_OTLP_TRACES_{what}");
    match set(read, &traces) {
        Some(value) => (traces, Some(value)),
        None => {
            let value = set(read, &general);
            (general, value)
        }
    }
}

/// Returns a variable's value; an empty one counts as unset, as the standard has it.
/// Reads which traces are exported as they go.
pub(super) fn sampled(read: Read<'_>) -> Result<AtCreation, OtlpError> {
    const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
    let ratio = || {
        let Some(text) = set(read, RATIO) else { return Ok(Ratio::ALL) };
        let wrong = |problem: String| wrong(RATIO, problem);
        let ratio: f64 = text.parse().map_err(|_| wrong(format!("{text:?} is no number")))?;
        Ratio::new(ratio).map_err(|error| wrong(error.to_string()))
    };
    Ok(match set(read, SAMPLER).as_deref() {
        None | Some("always_on") => AtCreation::Always,
        Some("always_off") => AtCreation::Ratio(Ratio::NONE),
        Some("traceidratio") => AtCreation::Ratio(ratio()?),
        Some("parentbased_always_on") => AtCreation::Caller { or: Ratio::ALL },
        Some("parentbased_always_off") => AtCreation::Caller { or: Ratio::NONE },
        Some("parentbased_traceidratio") => AtCreation::Caller { or: ratio()? },
        Some(other) => {
            let known = "always_on, always_off, traceidratio, or one of these after parentbased_";
            return Err(wrong(SAMPLER, format!("{other:?} is no sampler here: {known}")));
        }
    })
}

fn set(read: Read<'_>, name: &str) -> Option<String> {
    read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn wrong(variable: &str, problem: String) -> OtlpError {
    OtlpError::Variable { variable: variable.to_owned(), problem }
}
