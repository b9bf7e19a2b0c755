//! Where the server is: `http://host:port`, `host:port` or `unix:/path`.

use std::{fmt, path::PathBuf, str::FromStr};

/// An address a client connects to. Parsed by [`FromStr`]; only that makes one from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A TCP address, as `host:port`.
    Tcp(String),
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Text that names no server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no server; write http://HOST:PORT or unix:/PATH")]
pub struct BadTarget(String);

impl Target {
    /// What goes into the `Host` header.
    pub fn authority(&self) -> &str {
        match self {
            Self::Tcp(authority) => authority,
            Self::Unix(_) => "localhost",
        }
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let bad = || BadTarget(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(bad())
            };
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = authority.rsplit_once(':').ok_or_else(bad)?;
        let visible = host
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if host.is_empty() || !visible || port.parse::<u16>().is_err() {
            return Err(bad());
        }
        Ok(Self::Tcp(authority.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(out, "http://{authority}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_an_address_and_a_socket_path_are_understood() {
        for text in [
            "http://127.0.0.1:7070",
            "127.0.0.1:7070",
            "http://127.0.0.1:7070/",
        ] {
            assert_eq!(
                text.parse(),
                Ok(Target::Tcp("127.0.0.1:7070".to_owned())),
                "{text}"
            );
        }
        assert_eq!(
            "http://[::1]:7070".parse(),
            Ok(Target::Tcp("[::1]:7070".to_owned()))
        );
        for text in ["unix:/run/hf.sock", "unix:///run/hf.sock"] {
            assert_eq!(
                text.parse(),
                Ok(Target::Unix("/run/hf.sock".into())),
                "{text}"
            );
        }
    }

    #[test]
    fn what_names_no_server_is_refused_with_what_to_write_instead() {
        for text in [
            "",
            "7070",
            "https://a:1",
            "http://a",
            "http://a:99999",
            "unix:",
            "a b:1",
        ] {
            let refused = text.parse::<Target>().expect_err(text);
            assert!(
                refused.to_string().contains("http://HOST:PORT"),
                "{refused}"
            );
        }
    }
}
