//! Signatures of webhooks, as Standard Webhooks 1.0 has them: HMAC-SHA256 over
//! `id.timestamp.body`, in base64, under a secret that begins with `whsec_`.
//!
//! Deliberately absent: asymmetric signatures (`v1a`); receivers share the secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification recommends.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// What a symmetric signature begins with.
const VERSION: &str = "v1,";

/// How far a timestamp may be from the receiver's clock.
const TOLERANCE_S: u64 = 300;

/// What a webhook is signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret is `whsec_` and 24 to 64 random bytes in base64")]
pub struct NoSecret;

/// Why a message is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGenuine {
    /// No signature is one of this message under this secret.
    #[error("no signature fits the message and the secret")]
    Signature,
    /// It was signed too long ago, or in the future.
    #[error("the timestamp is more than 5 minutes from now")]
    Time,
}

impl Secret {
    /// Reads a secret; the prefix may be left out.
    pub fn parse(text: &str) -> Result<Self, NoSecret> {
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = STANDARD.decode(text).map_err(|_| NoSecret)?;
        if BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(NoSecret)
        }
    }

    /// A new one.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// As receivers get it.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of a message.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let tag = self.mac(id, timestamp_s, body).finalize().into_bytes();
        format!("{VERSION}{}", STANDARD.encode(tag))
    }

    /// Whether one of several signatures, with blanks between, is that of the message; compared in
    /// constant time.
    pub fn verify(
        &self,
        id: &str,
        timestamp_s: u64,
        signatures: &str,
        body: &[u8],
    ) -> Result<(), NotGenuine> {
        let ours = signatures.split_whitespace();
        let ours = ours.filter_map(|signature| signature.strip_prefix(VERSION));
        let mut tags = ours.filter_map(|tag| STANDARD.decode(tag).ok());
        let is_it = |tag: Vec<u8>| self.mac(id, timestamp_s, body).verify_slice(&tag).is_ok();
        if tags.any(is_it) {
            Ok(())
        } else {
            Err(NotGenuine::Signature)
        }
    }

    fn mac(&self, id: &str, timestamp_s: u64, body: &[u8]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0);
        let mut mac = mac.expect("a key of any length will do");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        mac
    }
}

/// Secrets stay out of logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether a message was signed lately.
pub fn check_time(timestamp_s: u64, now_s: u64) -> Result<(), NotGenuine> {
    if timestamp_s.abs_diff(now_s) <= TOLERANCE_S {
        Ok(())
    } else {
        Err(NotGenuine::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test suites of the specification's reference libraries.
    const VECTORS: [(&str, &str, u64, &str, &str); 2] = [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ];

    #[test]
    fn signatures_are_those_of_the_specification() {
        for (secret, id, at, body, signature) in VECTORS {
            let own = Secret::parse(secret).expect("a good secret");
            assert_eq!(own.text(), secret);
            assert_eq!(own.sign(id, at, body.as_bytes()), signature);
        }
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_nothing_else_is() {
        let [(secret, id, at, body, signature), (other, ..)] = VECTORS;
        let own = Secret::parse(secret).expect("a good secret");
        let another = Secret::parse(other).expect("a good secret");
        let body = body.as_bytes();
        let several = format!("v1a,AAAA {} {signature}", another.sign(id, at, body));
        assert_eq!(own.verify(id, at, &several, body), Ok(()));
        let bad = Err(NotGenuine::Signature);
        assert_eq!(own.verify("other", at, signature, body), bad);
        assert_eq!(own.verify(id, at + 1, signature, body), bad);
        assert_eq!(own.verify(id, at, signature, b"{}"), bad);
        assert_eq!(another.verify(id, at, signature, body), bad);
        for signatures in ["", "v1,", "v1,é", &signature["v1,".len()..]] {
            assert_eq!(own.verify(id, at, signatures, body), bad, "{signatures}");
        }
        assert_eq!(check_time(1_000, 1_300), Ok(()));
        assert_eq!(check_time(1_301, 1_000), Err(NotGenuine::Time));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_new_ones_differ() {
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!", &"A".repeat(400)] {
            assert_eq!(Secret::parse(bad), Err(NoSecret), "{bad}");
        }
        let [one, other] = [Secret::random(), Secret::random()];
        assert_ne!(one, other);
        let text = one.expect("the system has randomness").text();
        assert!(Secret::parse(&text).is_ok());
    }
}
