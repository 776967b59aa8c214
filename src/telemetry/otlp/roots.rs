//! Whose certificates are believed, over HTTP; gRPC's library does the same by itself.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::OtlpError;

/// Makes TLS by ring that believes the authorities of `pem` alone, or those of the machine. No provider of the process is
/// installed: that is the host's to choose.
pub(super) fn tls(pem: Option<&[u8]>) -> Result<ClientConfig, OtlpError> {
    let mut roots = RootCertStore::empty();
    match pem {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"no certificate is in it"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(wrong(&"this machine knows no certificate authority: give one"));
            }
        }
    }
    with(roots)
}

/// Makes TLS that believes nobody.
pub(super) fn none() -> Result<ClientConfig, OtlpError> {
    with(RootCertStore::empty())
}

fn with(roots: RootCertStore) -> Result<ClientConfig, OtlpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn wrong(problem: &dyn std::fmt::Display) -> OtlpError {
    OtlpError::Certificate { problem: problem.to_string() }
}
