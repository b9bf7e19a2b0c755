//! Where a webhook may go: an URL, and addresses that the whole world may reach.
//!
//! A name is resolved for every connection, and the connection is made to the address that was
//! looked at, so that a name can't be another address the second time. Ranges: the IANA special
//! purpose registries for IPv4 and IPv6.

use hyper::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest URL.
const URL_BYTES_MAX: usize = 2_000;

/// Which addresses webhooks may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that anybody may reach.
    Public,
    /// All of them.
    Any,
}

/// Where a webhook goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether by TLS.
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What goes into `Host`.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// Why a text is no URL of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is none at all.
    #[error("this is no URL; send one such as https://example.com/holdfast")]
    Malformed,
    /// It is one of another scheme.
    #[error("webhooks go to https:// or http:// URLs")]
    Scheme,
    /// It carries a name or a password.
    #[error("the URL carries a name or password, which would be told to whoever reads it")]
    Credentials,
}

/// Why there is no address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// The name has only addresses that webhooks may not go to.
    #[error(
        "{host} is at {address}, which is not public; webhooks go to public addresses unless \
         events.webhooks_private allows others"
    )]
    Forbidden {
        /// The name.
        host: String,
        /// One of its addresses.
        address: IpAddr,
    },
    /// The name is not known.
    #[error("{host} can't be resolved: {error}")]
    Unknown {
        /// The name.
        host: String,
        /// Why.
        error: String,
    },
}

impl Target {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        if URL_BYTES_MAX < url.len() || url.contains('#') {
            return Err(BadUrl::Malformed);
        }
        let uri: Uri = url.parse().map_err(|_| BadUrl::Malformed)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(BadUrl::Scheme),
            None => return Err(BadUrl::Malformed),
        };
        let authority = uri.authority().ok_or(BadUrl::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(BadUrl::Credentials);
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = match (authority.port(), is_tls) {
            // A colon without a number, or with one beyond 65535, is no port.
            (None, _) if authority.as_str().len() != authority.host().len() => {
                return Err(BadUrl::Malformed);
            }
            (Some(port), _) => port.as_u16(),
            (None, true) => 443,
            (None, false) => 80,
        };
        if host.is_empty() || port == 0 {
            return Err(BadUrl::Malformed);
        }
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    /// The addresses it may be reached at, now.
    pub async fn addresses(&self, reach: Reach) -> Result<Vec<SocketAddr>, NoAddress> {
        let host = &self.host;
        let unknown = |error: String| NoAddress::Unknown {
            host: host.clone(),
            error,
        };
        let found = if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, self.port)]
        } else {
            let looked_up = tokio::net::lookup_host((host.as_str(), self.port)).await;
            looked_up
                .map_err(|error| unknown(error.to_string()))?
                .collect()
        };
        let is_allowed = |found: &&SocketAddr| reach == Reach::Any || is_public(found.ip());
        let allowed: Vec<SocketAddr> = found.iter().filter(is_allowed).copied().collect();
        match (allowed.is_empty(), found.first()) {
            (false, _) => Ok(allowed),
            (true, Some(first)) => Err(NoAddress::Forbidden {
                host: host.clone(),
                address: first.ip(),
            }),
            (true, None) => Err(unknown("it has no address".to_owned())),
        }
    }
}

/// Whether anybody on the internet may reach it.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match a {
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..=127).contains(&b),
        169 => b == 254,
        172 => (16..=31).contains(&b),
        192 => matches!((b, c), (168, _) | (0, 0 | 2) | (88, 99)),
        198 => matches!((b, c), (18..=19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Translated by NAT64, what it stands for counts; 6to4 names an IPv4 address as its gateway.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments and Teredo, documentation, and more of that.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast is assigned from here alone: no loopback, mapped, local or multicast ones.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_all_others() {
        for public in [
            "1.1.1.1",
            "93.184.215.14",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for other in [
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(other.parse().expect("an address")), "{other}");
        }
    }

    #[test]
    fn urls_are_taken_apart_and_odd_ones_refused() {
        let target = Target::parse("https://shop.example:8443/in?x=1").expect("a URL");
        assert_eq!(
            (target.is_tls, &*target.host, target.port, &*target.path),
            (true, "shop.example", 8443, "/in?x=1")
        );
        let target = Target::parse("http://[::1]").expect("a URL");
        assert_eq!(
            (&*target.host, target.port, &*target.path),
            ("::1", 80, "/")
        );
        for (url, why) in [
            ("", BadUrl::Malformed),
            ("/in", BadUrl::Malformed),
            ("shop.example", BadUrl::Malformed),
            ("https://", BadUrl::Malformed),
            ("https://shop.example:/", BadUrl::Malformed),
            ("https://shop.example:0/", BadUrl::Malformed),
            ("https://shop.example:99999/", BadUrl::Malformed),
            ("https://shop.example/#a", BadUrl::Malformed),
            ("https://shop example/", BadUrl::Malformed),
            ("ftp://shop.example/", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("https://me:pass@shop.example/", BadUrl::Credentials),
        ] {
            let refused = Target::parse(url).expect_err(url);
            assert!(
                refused == why || url.starts_with("file"),
                "{url}: {refused:?}"
            );
        }
    }

    #[tokio::test]
    async fn names_and_odd_spellings_of_private_addresses_are_found_out_when_resolved() {
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "127.1",
            "0x7f.1",
        ] {
            let target = Target::parse(&format!("http://{host}:9/")).expect("a URL");
            let refused = target.addresses(Reach::Public).await.expect_err(host);
            let is_unknown = matches!(refused, NoAddress::Unknown { .. });
            let is_forbidden = matches!(refused, NoAddress::Forbidden { .. });
            assert!(
                is_forbidden || (is_unknown && host.starts_with("0x")),
                "{host}: {refused}"
            );
        }
        let target = Target::parse("http://127.0.0.1:9/").expect("a URL");
        let allowed = target.addresses(Reach::Any).await.expect("it is allowed");
        assert_eq!(allowed, ["127.0.0.1:9".parse().expect("an address")]);
    }
}
