//! The configuration: layers, errors, and the explained file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use holdfast::config::{Config, FlagValue, Loaded, Origin, Shown, Sources};

/// Sources with a file of this content; the directory lives as long as the first value.
fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("holdfast.toml");
    fs::write(&path, text).expect("the directory is ours");
    (
        directory,
        Sources {
            file: Some(path),
            ..Sources::default()
        },
    )
}

fn with_environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (directory, sources) = with_file("");
    let _kept = directory.keep();
    Sources {
        environment,
        ..sources
    }
}

fn flag(key: &'static str, flag: &'static str, text: &str) -> FlagValue {
    FlagValue {
        key,
        flag,
        text: text.to_owned(),
    }
}

fn faults(sources: &Sources) -> Vec<String> {
    let error = Config::load(sources).expect_err("the configuration is wrong");
    let directory = sources.file.as_ref().and_then(|path| path.parent());
    let prefix = directory
        .map(|path| format!("{}/", path.display()))
        .unwrap_or_default();
    error
        .faults
        .iter()
        .map(|fault| fault.replace(&prefix, ""))
        .collect()
}

fn value(loaded: &Loaded, key: &str) -> (Shown, Origin) {
    let row = loaded
        .rows()
        .into_iter()
        .find(|row| row.key == key)
        .expect("the key is known");
    (row.value, row.origin)
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let (_directory, mut sources) = with_file(
        "[http]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\nlines_max = 3\n",
    );
    sources.environment = vec![
        ("HOLDFAST_HTTP_LISTEN".to_owned(), "127.0.0.1:4".to_owned()),
        (
            "HOLDFAST_HTTP_ADMIN_LISTEN".to_owned(),
            "127.0.0.1:5".to_owned(),
        ),
        ("PATH".to_owned(), "/bin".to_owned()),
    ];
    sources.flags = vec![flag("http.listen", "--listen", "127.0.0.1:6")];
    let loaded = Config::load(&sources).expect("the configuration is right");
    let text = |text: &str| Shown::Text(text.to_owned());
    assert_eq!(
        value(&loaded, "http.listen"),
        (text("127.0.0.1:6"), Origin::Flag("--listen".to_owned()))
    );
    assert_eq!(
        value(&loaded, "http.admin_listen"),
        (
            text("127.0.0.1:5"),
            Origin::Environment("HOLDFAST_HTTP_ADMIN_LISTEN".to_owned())
        )
    );
    let path = sources.file.clone().expect("it was given");
    assert_eq!(
        value(&loaded, "http.lines_max"),
        (Shown::Integer(3), Origin::File { path, line: 4 })
    );
    assert_eq!(
        value(&loaded, "http.batch_max"),
        (Shown::Integer(1_000), Origin::Default)
    );
}

#[test]
fn unknown_keys_of_the_file_are_errors_with_their_line_and_a_guess() {
    let (_directory, sources) = with_file(
        "[http]\nin_flight_mx = 3\n\n[htpp]\nlisten = \"x\"\n[carts]\ncolour = 1\n[ledgr]\n[data]\n",
    );
    insta::assert_snapshot!(faults(&sources).join("\n"), @r"
    holdfast.toml:2: http.in_flight_mx is no key; did you mean http.in_flight_max?
    holdfast.toml:5: htpp.listen is no key; did you mean http.listen?
    holdfast.toml:7: carts.colour is no key; `holdfast config show` lists them all
    holdfast.toml:8: ledgr is no key; `holdfast config show` lists them all
    ");
}

#[test]
fn unknown_variables_are_errors_but_those_of_kubernetes_are_not() {
    let sources = with_environment(&[
        ("HOLDFAST_HTTP_LISTEM", "127.0.0.1:1"),
        ("HOLDFAST_CONFIG", "somewhere"),
        ("HOLDFAST_SERVICE_HOST", "10.0.0.1"),
        ("HOLDFAST_SERVICE_PORT_HTTP", "7070"),
        ("HOLDFAST_PORT", "tcp://10.0.0.1:7070"),
        ("HOLDFAST_PORT_7070_TCP_ADDR", "10.0.0.1"),
    ]);
    insta::assert_snapshot!(
        faults(&sources).join("\n"),
        @"HOLDFAST_HTTP_LISTEM names no key; did you mean HOLDFAST_HTTP_LISTEN?"
    );
}

#[test]
fn values_of_a_wrong_kind_name_the_key_the_value_and_what_to_write() {
    let (_directory, mut sources) = with_file(
        "[http]\nlisten = 7070\nin_flight_max = 2.5\nkeys_required = \"yes\"\nuds_mode = \"0999\"\n\
         [data]\ndurability = \"sometimes\"\ndir = \"\"\n[shards]\ncount = -1\n",
    );
    sources.environment = vec![(
        "HOLDFAST_HTTP_DRAIN_MS".to_owned(),
        "ten seconds".to_owned(),
    )];
    insta::assert_snapshot!(faults(&sources).join("\n"), @r#"
    holdfast.toml:2: http.listen is 7070; set it to an address and a port, such as "127.0.0.1:7070"
    holdfast.toml:3: http.in_flight_max is 2.5; set it to a whole number
    holdfast.toml:4: http.keys_required is "yes"; set it to true or false
    holdfast.toml:5: http.uds_mode is "0999"; set it to permission bits in octal, such as "0660"
    holdfast.toml:7: data.durability is "sometimes"; set it to "fsync" or "os"
    holdfast.toml:8: data.dir is ""; set it to a path
    holdfast.toml:10: shards.count is -1; set it to a whole number or "auto"
    HOLDFAST_HTTP_DRAIN_MS: http.drain_ms is "ten seconds"; set it to a whole number of milliseconds
    "#);
}

#[test]
fn values_out_of_range_or_at_odds_with_each_other_are_named() {
    let (_directory, mut sources) = with_file(
        "[http]\nin_flight_max = 0\nadmin_listen = \"127.0.0.1:7070\"\n\
         [shards]\ncount = 5000\n[reservations]\nttl_max_ms = 5000\n[log]\nfilter = \"info=nonsense\"\n",
    );
    sources.flags = vec![flag("http.lines_max", "--lines", "0")];
    insta::assert_snapshot!(faults(&sources).join("\n"), @r#"
    holdfast.toml:2: http.in_flight_max is 0; set it to at least 1
    --lines: http.lines_max is 0; set it to at least 1
    holdfast.toml:5: shards.count is 5000; set it to at most 4096
    holdfast.toml:3: http.admin_listen is 127.0.0.1:7070, as http.listen; set it to another port
    reservations.ttl_default_ms is 600000, more than reservations.ttl_max_ms (5000); lower it or raise reservations.ttl_max_ms
    holdfast.toml:9: log.filter is "info=nonsense" (error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5); set it to a level such as "info", or levels by module
    "#);
}

#[test]
fn binding_beyond_loopback_is_refused() {
    let (_directory, sources) =
        with_file("[http]\nlisten = \"0.0.0.0:7070\"\nadmin_listen = \"[::]:7071\"\n");
    insta::assert_snapshot!(faults(&sources).join("\n"), @r"
    holdfast.toml:2: http.listen is 0.0.0.0:7070, which other machines can reach, and callers can't be told apart yet; set it to 127.0.0.1:7070 (neighbours on the machine may use a Unix socket, http.uds)
    holdfast.toml:3: http.admin_listen is [::]:7071, which other machines can reach, and callers can't be told apart yet; set it to 127.0.0.1:7071 (a container's probe runs `holdfast probe live` or `probe ready`)
    ");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_an_error() {
    let (_directory, sources) = with_file("[http]\nlisten = \n");
    insta::assert_snapshot!(
        faults(&sources).join("\n"),
        @"holdfast.toml:2: string values must be quoted, expected literal string"
    );
    let missing = Sources {
        file: Some(PathBuf::from("no/such.toml")),
        ..Sources::default()
    };
    insta::assert_snapshot!(
        faults(&missing).join("\n"),
        @"such.toml can't be read: No such file or directory (os error 2)"
    );
}

/// Operators read the file, not the code: it must list every key with exactly its default.
#[test]
fn the_explained_file_lists_every_key_with_exactly_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/holdfast.toml");
    let explained = fs::read_to_string(path).expect("the file is part of the repository");
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let uncommented: String = explained
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|_| is_setting(&line))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let (_directory, sources) = with_file(&uncommented);
    let loaded = Config::load(&sources).expect("the file is right with every line uncommented");
    assert_eq!(loaded.config, Config::default());

    let rows = loaded.rows();
    let absent: Vec<&str> = rows
        .iter()
        .filter(|row| row.origin == Origin::Default)
        .map(|row| row.key.as_str())
        .collect();
    assert_eq!(
        absent,
        Vec::<&str>::new(),
        "keys that config/holdfast.toml doesn't list"
    );

    let lines: BTreeMap<usize, &str> = rows
        .iter()
        .filter_map(|row| match row.origin {
            Origin::File { line, .. } => Some((line, row.key.as_str())),
            _ => None,
        })
        .collect();
    let in_file: Vec<&str> = lines.into_values().collect();
    assert_eq!(in_file, Config::keys(), "the file's order is the code's");
}

#[test]
fn every_setting_of_the_explained_file_has_a_comment_above_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/holdfast.toml");
    let explained = fs::read_to_string(path).expect("the file is part of the repository");
    let lines: Vec<&str> = explained.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = pair[1].starts_with('#') && !pair[1].starts_with("# ") && pair[1] != "#";
        assert!(
            !is_setting || pair[0].starts_with("# "),
            "{} has no comment",
            pair[1]
        );
    }
}

#[test]
fn names_are_written_with_commas_between_them() {
    let gapless = |text: &str| {
        let (_directory, sources) = with_file(&format!("[feeds]\ngapless = {text}\n"));
        let loaded = Config::load(&sources);
        loaded.map(|loaded| value(&loaded, "feeds.gapless").0.to_string())
    };
    let shown = |text: &str| gapless(text).expect("the configuration is right");
    assert_eq!(shown("\"wms-1, Lager Süd\""), "\"wms-1,Lager Süd\"");
    assert_eq!(shown("\"\""), "\"\"");
    for wrong in ["\"wms,,erp\"", "\"wms,\"", "7", "[\"wms\"]"] {
        gapless(wrong).expect_err(wrong);
    }
    let loaded = Config::load(&with_environment(&[("HOLDFAST_FEEDS_GAPLESS", "wms,erp")]));
    let names = loaded.expect("the configuration is right").config;
    assert_eq!(names.feeds.gapless.0.len(), 2);
}
