//! Where spans are sent, and how.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

use super::{roots, variables};
use crate::model::limits::{OTLP_TIMEOUT_DEFAULT, OTLP_TIMEOUT_MAX};
use crate::telemetry::spans::AtCreation;

/// The name of a service that was not given one.
const SERVICE_NAME_DEFAULT: &str = "runlog";

/// Where spans are sent, and how. [`Sender::new`](super::Sender::new) checks it as a whole.
#[derive(Clone)]
pub struct Otlp {
    protocol: Protocol,
    endpoint: String,
    /// The endpoint is the very address of spans over HTTP, not the base of all signals.
    exact: bool,
    headers: Vec<(String, String)>,
    timeout: Duration,
    gzip: bool,
    certificate: Option<Vec<u8>>,
    service_name: String,
    resource: Vec<(String, String)>,
}

/// How OTLP's messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC; backends listen on port 4317.
    Grpc,
    /// Binary protobuf over HTTP; backends listen on port 4318.
    Http,
}

/// Why spans cannot be sent as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// The endpoint cannot be used.
    #[error("the OTLP endpoint {endpoint:?} cannot be used: {problem}")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A header cannot be sent. Its value may be a key, and is not shown.
    #[error("the OTLP header {name:?} cannot be sent: {problem}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate authorities cannot be read.
    #[error("the certificate authorities for OTLP cannot be used: {problem}")]
    Certificate {
        /// What is wrong with them.
        problem: String,
    },
    /// The timeout is none, or too long.
    #[error("an OTLP timeout of {timeout:?} will not do: it is at least 1 ms and at most 10 minutes")]
    Timeout {
        /// The timeout.
        timeout: Duration,
    },
    /// The attribute is the log's to say.
    #[error("the resource attribute {key:?} cannot be set: {problem}")]
    Resource {
        /// Its name.
        key: String,
        /// Why not.
        problem: String,
    },
    /// A variable of the environment cannot be used.
    #[error("{variable} cannot be used: {problem}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong with it; a header's value is not shown.
        problem: String,
    },
}

impl Otlp {
    /// Who sends, as backends log it.
    pub(super) const USER_AGENT: &str = concat!("runlog/", env!("CARGO_PKG_VERSION"));

    /// Sends over HTTP, to `endpoint` with `/v1/traces` appended: `http://localhost:4318`.
    pub fn http(endpoint: impl Into<String>) -> Otlp {
        Otlp::new(Protocol::Http, endpoint.into())
    }

    /// Sends over gRPC: `http://localhost:4317`, or `https://…` with TLS.
    pub fn grpc(endpoint: impl Into<String>) -> Otlp {
        Otlp::new(Protocol::Grpc, endpoint.into())
    }

    /// Reads the standard variables: `OTEL_EXPORTER_OTLP_` `ENDPOINT`, `PROTOCOL`, `HEADERS`, `TIMEOUT`, `COMPRESSION` and
    /// `CERTIFICATE`, those of `OTEL_EXPORTER_OTLP_TRACES_` before them, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`
    /// (but for `host.*`, `process.*` and `service.instance.id`: those are the log's to say). `read` returns a variable's value,
    /// as `|name| std::env::var(name).ok()` does. `None` when no endpoint is named, or `OTEL_SDK_DISABLED` or
    /// `OTEL_TRACES_EXPORTER` says that nothing is exported.
    ///
    /// # Errors
    /// [`OtlpError::Variable`] names the variable that cannot be used, rather than to do without it; also for one that is not
    /// known here, such as a client's certificate.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Option<Otlp>, OtlpError> {
        variables::read(&read)
    }

    /// Reads which traces are exported as they go from `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; all of them when
    /// nothing is said.
    ///
    /// # Errors
    /// [`OtlpError::Variable`] for a sampler that is not known, or a ratio that is none.
    pub fn sampled_by_variables(read: impl Fn(&str) -> Option<String>) -> Result<AtCreation, OtlpError> {
        variables::sampled(&read)
    }

    /// As [`from_variables`](Otlp::from_variables), for metrics: those of `OTEL_EXPORTER_OTLP_METRICS_` stand before the general
    /// ones, and `OTEL_METRICS_EXPORTER` in the place of `OTEL_TRACES_EXPORTER`.
    ///
    /// # Errors
    /// [`OtlpError::Variable`], likewise.
    pub fn metrics_from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Option<Otlp>, OtlpError> {
        // The rules are the same; the signal's name is the only difference.
        let of_metrics = |name: &str| name.replace("_TRACES_", "_METRICS_");
        variables::read(&|name| read(&of_metrics(name))).map_err(|error| match error {
            OtlpError::Variable { variable, problem } => {
                OtlpError::Variable { variable: of_metrics(&variable), problem }
            }
            error => error,
        })
    }

    fn new(protocol: Protocol, endpoint: String) -> Otlp {
        Otlp {
            protocol,
            endpoint,
            exact: false,
            headers: Vec::new(),
            timeout: OTLP_TIMEOUT_DEFAULT,
            gzip: false,
            certificate: None,
            service_name: SERVICE_NAME_DEFAULT.to_owned(),
            resource: Vec::new(),
        }
    }

    /// Sends to the endpoint as it stands, for a backend with an address of its own for spans; over HTTP only.
    #[must_use]
    pub fn exact(mut self) -> Otlp {
        self.exact = true;
        self
    }

    /// Adds a header to every request, such as an API key. It is never shown.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Otlp {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how long a request may take, connecting included; 10 seconds unless told, at most 10 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Otlp {
        self.timeout = timeout;
        self
    }

    /// Compresses requests; off unless told, as the standard has it.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Otlp {
        self.gzip = gzip;
        self
    }

    /// Believes the certificate authorities of this PEM text, and no others; the machine's unless told.
    #[must_use]
    pub fn certificate(mut self, pem: impl Into<Vec<u8>>) -> Otlp {
        self.certificate = Some(pem.into());
        self
    }

    /// Names the service that backends show the spans under; `runlog` unless told. Every process that exports the same runs
    /// has to give the same name: another one makes another span of the same id.
    #[must_use]
    pub fn service_name(mut self, name: impl Into<String>) -> Otlp {
        self.service_name = name.into();
        self
    }

    /// Adds an attribute to all that is exported, such as `deployment.environment.name`; the same in every process.
    #[must_use]
    pub fn resource(mut self, key: impl Into<String>, value: impl Into<String>) -> Otlp {
        self.resource.push((key.into(), value.into()));
        self
    }

    /// Returns how requests travel.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns where they go, as it was given.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn traces_url(&self) -> Result<Url, OtlpError> {
        self.url("v1/traces")
    }

    pub(super) fn metrics_url(&self) -> Result<Url, OtlpError> {
        self.url("v1/metrics")
    }

    /// Makes the address of a signal, and checks it.
    fn url(&self, path: &str) -> Result<Url, OtlpError> {
        let wrong = |problem: String| OtlpError::Endpoint { endpoint: self.endpoint.clone(), problem };
        let mut url = Url::parse(&self.endpoint)
            .map_err(|error| wrong(format!("{error}; it begins with http:// or https://")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it begins with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a name and a password go into a header".to_owned()));
        }
        if self.protocol == Protocol::Http && !self.exact {
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{base}/{path}"));
        }
        Ok(url)
    }

    pub(super) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn is_gzip(&self) -> bool {
        self.gzip
    }

    pub(super) fn pem(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// Returns the attributes of the service, its name first.
    pub(super) fn resource_attributes(&self) -> Vec<(String, String)> {
        let name = ("service.name".to_owned(), self.service_name.clone());
        std::iter::once(name).chain(self.resource.iter().cloned()).collect()
    }

    /// Checks what both protocols need.
    pub(super) fn check(&self) -> Result<(), OtlpError> {
        if self.timeout < Duration::from_millis(1) || self.timeout > OTLP_TIMEOUT_MAX {
            return Err(OtlpError::Timeout { timeout: self.timeout });
        }
        for (key, _) in &self.resource {
            let problem = match key.as_str() {
                "" => "it has no name",
                "service.name" => "service_name sets it",
                key if is_the_logs(key) => "a span exported twice would be two: the log says it",
                _ => continue,
            };
            return Err(OtlpError::Resource { key: key.clone(), problem: problem.to_owned() });
        }
        if self.certificate.is_some() {
            roots::tls(self.pem())?;
        }
        Ok(())
    }
}

/// Says whether an attribute differs between processes that export the same run.
pub(super) fn is_the_logs(key: &str) -> bool {
    key == "service.instance.id" || key.starts_with("host.") || key.starts_with("process.")
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Otlp")
            .field("protocol", &self.protocol)
            .field("endpoint", &self.endpoint)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("gzip", &self.gzip)
            .field("service_name", &self.service_name)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
