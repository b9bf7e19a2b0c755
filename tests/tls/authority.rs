//! A certificate authority of a test's own, and what it signs.
//!
//! Deliberately absent: anything that outlives the test, and anything that a real client trusts.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How many there are.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Who signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Whether a certificate is still good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    Running,
    Over,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of one name would be taken for each other.
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority {number} of a test");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("the system has randomness");
        let own = params.self_signed(&key).expect("it can sign");
        Self {
            pem: own.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate, for those who are to trust it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// … in a file.
    pub(crate) fn file(&self, directory: &Path) -> PathBuf {
        written(directory, "authority.pem", &self.pem)
    }

    /// A certificate for a server of this name.
    pub(crate) fn sign(&self, name: &str, term: Term) -> Signed {
        let params = CertificateParams::new([name.to_owned()]);
        let mut params = params.expect("it is a name");
        params.distinguished_name.push(DnType::CommonName, name);
        if term == Term::Over {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("the system has randomness");
        let signed = params.signed_by(&key, &self.issuer);
        Signed {
            certificate: signed.expect("it can sign").pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Signed {
    /// Certificate and key in files.
    pub(crate) fn files(&self, directory: &Path) -> (PathBuf, PathBuf) {
        (
            written(directory, "server.pem", &self.certificate),
            written(directory, "server.key", &self.key),
        )
    }

    /// A server's side of TLS.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("it is a key");
        let chain = vec![certificate.expect("it is a certificate")];
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(chain, key);
        Arc::new(config.expect("they fit each other"))
    }
}

fn written(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("it is ours");
    path
}
