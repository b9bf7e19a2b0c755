//! A server with short retries, whose webhooks may go to this machine, and what is asked of it.

use crate::server::{Server, Talk};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// A server, and somebody who asks it.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) talk: Talk,
    pub(crate) keys: u64,
}

/// Short retries, and receivers on this machine.
const QUICK: [(&str, &str); 4] = [
    ("EVENTS_WEBHOOKS_PRIVATE", "true"),
    ("EVENTS_WEBHOOKS_RETRY_MS", "200,200,200,200,200,200"),
    ("EVENTS_WEBHOOKS_ANSWER_MS", "500"),
    ("DATA_DURABILITY", "os"),
];

impl Scene {
    pub(crate) fn new(more: &[(&str, &str)]) -> Self {
        let mut settings = QUICK.to_vec();
        settings.extend(more);
        Self::of(Server::start_with(&settings))
    }

    /// A server whose time is moved by hand, with retries as they are if nobody says otherwise.
    pub(crate) fn rehearsing() -> Self {
        let settings = [("EVENTS_WEBHOOKS_PRIVATE", "true")];
        Self::of(Server::start_as(&["--test-clock"], &settings))
    }

    fn of(server: Server) -> Self {
        let talk = Talk::new(server.address());
        Self {
            server,
            talk,
            keys: 0,
        }
    }

    /// Moves time.
    pub(crate) fn advance(&mut self, ms: u64) {
        let mut admin = Talk::new(self.server.admin());
        let body = json!({"advance_ms": ms});
        let (status, moved) = admin.until_answered("POST", "/v1/admin/clock", None, &body);
        assert_eq!(status, 200, "{moved}");
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        self.talk.until_answered(method, path, Some(&key), body)
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn receive(&mut self, sku: &str) {
        let path = format!("/v1/skus/{sku}/movements");
        let (status, body) = self.ask("POST", &path, &json!({"kind": "receive", "qty": 1}));
        assert_eq!(status, 201, "{body}");
    }

    pub(crate) fn receive_many(&mut self, sku: &str, count: u64) {
        self.keys += count;
        let keys = self.keys - count..self.keys;
        let operation = |key: u64| {
            json!({"op": "movement", "key": format!("m-{key}"), "sku": sku, "kind": "receive",
                "qty": 1})
        };
        let operations: Vec<Value> = keys.map(operation).collect();
        let (status, body) = self.ask("POST", "/v1/batch", &json!({"operations": operations}));
        assert_eq!((status, &body["results"][0]["status"]), (200, &json!(201)));
    }

    pub(crate) fn skus(&mut self, skus: &[&str]) {
        for sku in skus {
            let (status, body) = self.ask("PUT", &format!("/v1/skus/{sku}"), &json!({}));
            assert_eq!(status, 201, "{body}");
        }
    }

    pub(crate) fn webhook(&mut self, body: &Value) -> (String, String) {
        let (status, made) = self.ask("POST", "/v1/webhooks", body);
        assert_eq!(status, 201, "{made}");
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        (text("id"), text("secret"))
    }

    pub(crate) fn seen(&mut self, id: &str, name: &str) -> Value {
        self.get(&format!("/v1/webhooks/{id}"))[name].clone()
    }

    pub(crate) fn until_seen(&mut self, id: &str, name: &str, value: &Value) {
        self.until_so(id, name, &value.to_string(), |seen| seen == value);
    }

    pub(crate) fn until_so(
        &mut self,
        id: &str,
        name: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) {
        for _ in 0..1_500 {
            if is_so(&self.seen(id, name)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "{name} never is {what}: {}",
            self.get(&format!("/v1/webhooks/{id}"))
        );
    }

    /// What the ledger told of a SKU: its sequences, in order.
    pub(crate) fn told_of(&mut self, sku: &str, kind: &str) -> Vec<String> {
        let path = format!("/v1/events?limit=1000&sku={sku}&types={kind}");
        let page = self.get(&path);
        let items = page["items"].as_array().expect("a list");
        let sequence = |event: &Value| event["sequence"].as_str().expect("a text").to_owned();
        items.iter().map(sequence).collect()
    }
}
