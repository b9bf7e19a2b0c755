//! Receivers behind TLS: whom a server trusts, and what it says of those it does not.

use crate::authority::{Authority, Signed, Term};
use crate::receiver::{Receiver, until};
use crate::scene::Scene;
use serde_json::{Value, json};

const NAME: &str = "localhost";

/// A scene that trusts this authority alone.
fn trusting(authority: &Authority) -> (Scene, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = authority.file(directory.path());
    let scene = Scene::new(&[
        ("SSL_CERT_FILE", &file.display().to_string()),
        // Soon, and then long enough for a receiver to be mended before its events are given up.
        (
            "EVENTS_WEBHOOKS_RETRY_MS",
            &["200", "200", &["5000"; 48].join(",")].join(","),
        ),
    ]);
    (scene, directory)
}

#[test]
fn a_receiver_with_a_certificate_of_a_trusted_authority_gets_its_events_by_tls() {
    let authority = Authority::new();
    let (mut scene, _directory) = trusting(&authority);
    scene.skus(&["TEE"]);
    let receiver = Receiver::kind();
    let url = receiver.speak_tls(authority.sign(NAME, Term::Running).config());
    let (id, secret) = scene.webhook(&json!({"url": url, "types": ["stock.received"]}));
    for _ in 0..5 {
        scene.receive("TEE");
    }
    until("nothing comes by TLS", || receiver.got().len() == 5);
    let told = scene.told_of("TEE", "stock.received");
    assert_eq!(receiver.taken_of("TEE"), told);
    assert!(receiver.got().iter().all(|got| got.is_signed_with(&secret)));
    scene.until_seen(&id, "lag", &json!(0));
    assert_eq!(scene.seen(&id, "failed"), 0);
}

/// It is sent nothing, however often it is tried, and all of it once its certificate is right.
fn is_refused_until_it_is_mended(authority: &Authority, wrong: &Signed, why: &str) {
    let (mut scene, _directory) = trusting(authority);
    scene.skus(&["TEE"]);
    let (receiver, other) = (Receiver::kind(), Receiver::kind());
    let url = receiver.speak_tls(wrong.config());
    let good = other.speak_tls(authority.sign(NAME, Term::Running).config());
    let (id, _) = scene.webhook(&json!({"url": url, "types": ["stock.received"]}));
    scene.webhook(&json!({"url": good, "types": ["stock.received"]}));
    scene.receive("TEE");
    scene.receive("TEE");
    scene.until_so(&id, "failed", "2 or more", |failed| {
        failed.as_u64().is_some_and(|failed| 2 <= failed)
    });
    let log = scene.get(&format!("/v1/webhooks/{id}/deliveries"));
    let last = &log["items"][0];
    let error = last["error"].as_str().expect("why it was not taken");
    assert!(
        error.contains("there is no TLS with it") && error.contains(why),
        "{error}"
    );
    assert_ne!(last["next_at"], Value::Null, "{last}");
    let waiting = scene.seen(&id, "waiting");
    assert_eq!(waiting[0]["error"], last["error"]);
    let (_, tested) = scene.ask("POST", &format!("/v1/webhooks/{id}/test"), &Value::Null);
    assert_eq!(tested["error"], last["error"]);
    assert_eq!(receiver.got().len(), 0, "it was sent something");
    until("another receiver waits for it", || other.got().len() == 2);
    receiver.speak_tls(authority.sign(NAME, Term::Running).config());
    scene.until_seen(&id, "lag", &json!(0));
    let told = scene.told_of("TEE", "stock.received");
    assert_eq!(receiver.taken_of("TEE"), told);
    assert_eq!(scene.seen(&id, "dead_letters"), 0);
}

#[test]
fn a_receiver_with_a_certificate_of_anybody_else_is_sent_nothing() {
    let stranger = Authority::new().sign(NAME, Term::Running);
    is_refused_until_it_is_mended(&Authority::new(), &stranger, "UnknownIssuer");
}

#[test]
fn a_receiver_with_a_certificate_for_another_name_is_sent_nothing() {
    let authority = Authority::new();
    let other = authority.sign("shop.example", Term::Running);
    is_refused_until_it_is_mended(&authority, &other, "not valid for name \"localhost\"");
}

#[test]
fn a_receiver_with_a_certificate_that_has_expired_is_sent_nothing() {
    let authority = Authority::new();
    let old = authority.sign(NAME, Term::Over);
    is_refused_until_it_is_mended(&authority, &old, "expired");
}

#[test]
fn a_server_that_trusts_nobody_says_so_until_it_is_told_whom_to_trust() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("trusted.pem");
    std::fs::write(&file, "").expect("it is ours");
    let mut scene = Scene::new(&[("SSL_CERT_FILE", &file.display().to_string())]);
    let authority = Authority::new();
    let receiver = Receiver::kind();
    let url = receiver.speak_tls(authority.sign(NAME, Term::Running).config());
    let (id, _) = scene.webhook(&json!({"url": url}));
    let path = format!("/v1/webhooks/{id}/test");
    let (_, refused) = scene.ask("POST", &path, &Value::Null);
    let why = refused["error"].as_str().expect("why it was not taken");
    assert!(why.contains("no certificates to trust"), "{why}");
    // No restart is needed for that.
    std::fs::write(&file, authority.pem()).expect("it is ours");
    let (_, taken) = scene.ask("POST", &path, &Value::Null);
    assert_eq!(
        (&taken["error"], &taken["status"]),
        (&Value::Null, &json!(204))
    );
}
