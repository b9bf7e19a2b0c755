//! Which values make sense together. Ranges of single keys stand beside the keys.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::Config;
use super::value::Millis;

/// What is wrong with a configuration whose values are well formed: key, and message after it.
pub(crate) fn faults(config: &Config) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    check_listeners(config, &mut faults);
    check_orders(config, &mut faults);
    check_sinks(config, &mut faults);
    if let Err(error) = EnvFilter::builder().parse(&config.log.filter) {
        let filter = &config.log.filter;
        let advice = "set it to a level such as \"info\", or levels by module";
        faults.push(("log.filter", format!("is {filter:?} ({error}); {advice}")));
    }
    faults
}

fn check_listeners(config: &Config, faults: &mut Vec<(&'static str, String)>) {
    let http = &config.http;
    for (key, address) in [
        ("http.listen", http.listen),
        ("http.admin_listen", http.admin_listen),
    ] {
        if !address.ip().is_loopback() {
            faults.push((key, beyond_loopback(key, address)));
        }
    }
    if http.listen == http.admin_listen && http.listen.port() != 0 {
        let address = http.listen;
        faults.push((
            "http.admin_listen",
            format!("is {address}, as http.listen; set it to another port"),
        ));
    }
}

fn beyond_loopback(key: &str, address: SocketAddr) -> String {
    let port = address.port();
    let instead = match key {
        "http.admin_listen" => "a container's probe runs `holdfast probe live` or `probe ready`",
        _ => "neighbours on the machine may use a Unix socket, http.uds",
    };
    format!(
        "is {address}, which other machines can reach, and callers can't be told apart yet; \
         set it to 127.0.0.1:{port} ({instead})"
    )
}

/// What is carried is read behind the statements.
fn check_sinks(config: &Config, faults: &mut Vec<(&'static str, String)>) {
    let sinks = &config.sinks;
    let asked_for = [
        ("sinks.ndjson_dir", sinks.ndjson_dir.is_some()),
        ("sinks.nats_url", !sinks.nats_url.0.is_empty()),
        ("sinks.redis_url", !sinks.redis_url.0.is_empty()),
        ("sinks.kafka_brokers", !sinks.kafka_brokers.is_empty()),
        ("export.dir", config.export.dir.is_some()),
    ];
    let first = asked_for.iter().find(|(_, is_asked_for)| *is_asked_for);
    if let (Some((key, _)), false) = (first, config.statement.enabled) {
        let advice = "is set, and events need statement.enabled; set that to true";
        faults.push((key, advice.to_owned()));
    }
}

/// Pairs of which the first must not exceed the second.
fn check_orders(config: &Config, faults: &mut Vec<(&'static str, String)>) {
    let lives = &config.reservations;
    let (shards, carts, http) = (&config.shards, &config.carts, &config.http);
    let pairs: [(&'static str, Millis, &'static str, Millis); 8] = [
        (
            "reservations.ttl_min_ms",
            lives.ttl_min_ms,
            "reservations.ttl_max_ms",
            lives.ttl_max_ms,
        ),
        (
            "reservations.ttl_min_ms",
            lives.ttl_min_ms,
            "reservations.ttl_default_ms",
            lives.ttl_default_ms,
        ),
        (
            "reservations.ttl_default_ms",
            lives.ttl_default_ms,
            "reservations.ttl_max_ms",
            lives.ttl_max_ms,
        ),
        (
            "reservations.ttl_max_ms",
            lives.ttl_max_ms,
            "reservations.lifetime_max_ms",
            lives.lifetime_max_ms,
        ),
        (
            "shards.restart_backoff_ms",
            shards.restart_backoff_ms,
            "shards.restart_backoff_max_ms",
            shards.restart_backoff_max_ms,
        ),
        (
            "carts.resend_ms",
            carts.resend_ms,
            "carts.resend_max_ms",
            carts.resend_max_ms,
        ),
        (
            "carts.try_timeout_ms",
            carts.try_timeout_ms,
            "http.request_timeout_ms",
            http.request_timeout_ms,
        ),
        (
            "sinks.retry_ms",
            config.sinks.retry_ms,
            "sinks.retry_max_ms",
            config.sinks.retry_max_ms,
        ),
    ];
    for (low_key, Millis(low), high_key, Millis(high)) in pairs {
        if low > high {
            faults.push((
                low_key,
                format!("is {low}, more than {high_key} ({high}); lower it or raise {high_key}"),
            ));
        }
    }
}
