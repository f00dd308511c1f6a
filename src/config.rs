//! The daemon's configuration: defaults < file < environment < command line.
//!
//! The keys and their defaults are the daemon's own; here they are only
//! brought together. An unknown key or a wrong value is named with where it
//! came from.

use std::path::Path;

use anyhow::Result;
use figment::error::Error;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::input;

const PREFIX: &str = "PIECEWORK_";
/// Variables of other commands, which are not keys of the daemon.
const NOT_OURS: [&str; 5] = ["server", "lease", "project", "content_type", "instructions"];

/// Brings a configuration together. `C`: with `deny_unknown_fields`, and its
/// defaults; `flags`: what was given on the command line and nothing else.
pub(crate) fn load<C>(file: Option<&Path>, flags: &impl Serialize) -> Result<C>
where
    C: Serialize + DeserializeOwned + Default,
{
    let mut figment = Figment::from(Serialized::defaults(C::default()));
    if let Some(file) = file {
        if !file.is_file() {
            return Err(input(format!("configuration file {} not found", file.display())));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    figment
        .merge(Env::prefixed(PREFIX).ignore(&NOT_OURS).split("__"))
        .merge(Serialized::globals(flags))
        .extract()
        .map_err(|error| input(format!("configuration: {}", in_full(error))))
}

/// Names the file as it was given, wherever the command was started.
fn in_full(mut error: Error) -> Error {
    if let Some(metadata) = &mut error.metadata
        && let Some(Source::File(path)) = &metadata.source
    {
        metadata.source = Some(Source::Custom(path.display().to_string()));
    }
    error
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        listen: String,
        cache_bytes: u64,
        log: Log,
    }

    #[derive(Debug, Default, Serialize, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Log {
        filter: String,
    }

    impl Default for Config {
        fn default() -> Self {
            Self { listen: "127.0.0.1:7420".into(), cache_bytes: 256, log: Log::default() }
        }
    }

    #[derive(Serialize)]
    struct Flags {
        #[serde(skip_serializing_if = "Option::is_none")]
        listen: Option<String>,
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_defaults() {
        let file = file("listen = \"127.0.0.1:1\"\n[log]\nfilter = \"debug\"\n");
        let given = |listen| load::<Config>(Some(file.path()), &Flags { listen }).unwrap();
        let config = given(None);
        assert_eq!((config.listen.as_str(), config.log.filter.as_str()), ("127.0.0.1:1", "debug"));
        assert_eq!(config.cache_bytes, 256);
        assert_eq!(given(Some("127.0.0.1:2".into())).listen, "127.0.0.1:2");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file() {
        let file = file("listn = \"127.0.0.1:1\"\n");
        let error = load::<Config>(Some(file.path()), &Flags { listen: None }).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("listn") && text.contains(file.path().to_str().unwrap()), "{text}");
        assert!(load::<Config>(Some(Path::new("/nowhere.toml")), &Flags { listen: None }).is_err());
    }
}
