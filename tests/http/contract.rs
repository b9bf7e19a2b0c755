//! The `OpenAPI` document and the mounted routes are the same calls.

use std::collections::BTreeSet;

use holdfast::http::openapi;
use hyper::Method;

use crate::harness::Service;
use crate::talk::Talk;

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
];

#[tokio::test]
async fn every_mounted_route_is_in_the_document_and_the_reverse() {
    let service = Service::start().await;
    let documented: BTreeSet<(&str, &str, &str)> = openapi::calls().collect();
    let paths: BTreeSet<&str> = documented.iter().map(|(_, _, path)| *path).collect();
    assert_eq!(
        paths,
        service.templates().into_iter().collect::<BTreeSet<_>>()
    );
    for (listener, address) in [("data", service.data), ("admin", service.admin)] {
        for path in &paths {
            let concrete = path
                .replace("{id}", "x")
                .replace("{sku}", "-")
                .replace("{source}", "%00");
            for method in METHODS {
                // Of its own: some answers close theirs.
                let mut talk = Talk::tcp(address).await;
                let answer = talk.ask(method.clone(), &concrete).unchecked().await;
                let is_nothing = answer.body["code"] == "not-found";
                let is_mounted = !is_nothing && answer.status != 405;
                let is_documented = documented.contains(&(listener, method.as_str(), path));
                assert_eq!(
                    is_mounted, is_documented,
                    "{listener} {method} {path}: {}",
                    answer.status
                );
            }
        }
    }
}

#[tokio::test]
async fn the_document_is_served_as_it_is() {
    let service = Service::start().await;
    let mut talk = Talk::tcp(service.admin).await;
    let served = talk.get("/openapi.json").quietly().await.body;
    let document = serde_json::to_value(openapi::document()).expect("the document is JSON");
    assert_eq!(served, document);
    assert_eq!(served["openapi"], "3.1.0");
}
