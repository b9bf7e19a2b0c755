//! The admin listener: probes, metrics, the contract, the shards.

use crate::harness::Service;
use crate::talk::Talk;

#[tokio::test]
async fn probes_answer_and_the_shards_are_shown() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 1).await;
    talk.post(
        "/v1/reservations",
        "k-1",
        r#"{"lines":[{"sku":"TEE","qty":2}]}"#,
    )
    .quietly()
    .await;
    let mut talk = Talk::tcp(service.admin).await;
    for path in ["/startup", "/live", "/ready", "/v1/admin/shards"] {
        talk.get(path).said().await;
    }
    talk.note("a call of the data listener");
    talk.get("/v1/skus").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn a_service_that_starts_or_drains_is_not_ready() {
    use holdfast::http::probes::Stage;
    let service = Service::start().await;
    service.health.enter(Stage::Draining);
    let mut talk = Talk::tcp(service.admin).await;
    talk.get("/ready").said().await;
    talk.get("/live").said().await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn metrics_have_what_a_sale_needs_and_no_names() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("SECRET-SKU", 1).await;
    for number in 0..2 {
        let body = r#"{"customer":"secret-customer","lines":[{"sku":"SECRET-SKU","qty":1}]}"#;
        talk.post("/v1/reservations", &format!("k-{number}"), body)
            .quietly()
            .await;
    }
    let body = r#"{"operations":[{"op":"reserve","key":"b-1","lines":[{"sku":"X","qty":1}]}]}"#;
    talk.ask(hyper::Method::POST, "/v1/batch")
        .json(body)
        .quietly()
        .await;
    let mut talk = Talk::tcp(service.admin).await;
    let metrics = talk.get("/metrics").quietly().await.body;
    let metrics = metrics.as_str().expect("metrics are text");
    let expected = [
        r#"holdfast_http_answers_total{listener="data",method="POST",route="/v1/reservations",status="201",code="ok"} 1"#,
        r#"holdfast_http_answers_total{listener="data",method="POST",route="/v1/reservations",status="409",code="insufficient-stock"} 1"#,
        r#"holdfast_batch_operations_total{op="reserve",status="404",code="unknown-sku"} 1"#,
        r#"holdfast_permits_max{shard="0",lane="checkout"} 8192"#,
        r#"holdfast_shard_state{shard="0",state="serving"} 1"#,
        r#"holdfast_expiry_backlog{shard="0"} 0"#,
        r#"holdfast_invariant_violations_total{shard="0"} 0"#,
        "holdfast_commit_duration_seconds_bucket",
        "holdfast_commit_events_count",
        r#"holdfast_table_entries_max{shard="0",table="reservations"} 5000"#,
        "holdfast_skus 1",
        "holdfast_ready 1",
    ];
    for line in expected {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    for name in ["SECRET", "secret"] {
        assert!(!metrics.contains(name), "{name} is in the metrics");
    }
}
