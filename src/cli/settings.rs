//! The flags that set configuration keys, shared by every command that reads the configuration.

use std::path::PathBuf;

use super::{Exit, fail};
use crate::config::{Config, FlagValue, Loaded, Sources};

/// Flags over the environment, the file and the defaults.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Settings {
    /// The configuration file; without it `./config/holdfast.toml`, if it is there
    #[arg(long, env = "HOLDFAST_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data listener's address (`http.listen`)
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The admin listener's address (`http.admin_listen`)
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// A Unix socket for the data listener's calls (`http.uds`)
    #[arg(long, value_name = "PATH")]
    pub uds: Option<String>,
    /// The data directory (`data.dir`)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// How many shards; a data directory keeps the number it was made with (`shards.count`)
    #[arg(long, value_name = "N")]
    pub shards: Option<String>,
}

impl Settings {
    /// The configuration with these flags over the process's environment.
    pub fn load(&self) -> Result<Loaded, Exit> {
        let sources = Sources {
            file: self.config.clone(),
            flags: self.flags(),
            ..Sources::from_environment()
        };
        Config::load(&sources).map_err(|error| fail(Exit::Usage, error))
    }

    fn flags(&self) -> Vec<FlagValue> {
        let flags = [
            ("http.listen", "--listen", &self.listen),
            ("http.admin_listen", "--admin-listen", &self.admin_listen),
            ("http.uds", "--uds", &self.uds),
            ("data.dir", "--data-dir", &self.data_dir),
            ("shards.count", "--shards", &self.shards),
        ];
        flags
            .into_iter()
            .filter_map(|(key, flag, text)| {
                Some(FlagValue {
                    key,
                    flag,
                    text: text.clone()?,
                })
            })
            .collect()
    }
}
