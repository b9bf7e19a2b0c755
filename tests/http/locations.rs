//! Locations as such, and shortfalls.

use crate::harness::Service;
use crate::talk::Talk;

async fn reserved(talk: &mut Talk, key: &str, qty: u32) {
    let body = format!(r#"{{"order_ref":"{key}","lines":[{{"sku":"TEE","qty":{qty}}}]}}"#);
    let answer = talk.post("/v1/reservations", key, &body).quietly().await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[tokio::test]
async fn a_location_is_closed_for_selling_and_opened_again() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 5).await;
    talk.put(
        "/v1/locations/main",
        r#"{"selling":false,"reason":"stocktaking"}"#,
    )
    .said()
    .await;
    let named = r#"{"lines":[{"sku":"TEE","qty":1,"location":"main"}]}"#;
    talk.post("/v1/reservations", "r-1", named).said().await;
    talk.get("/v1/locations").said().await;
    talk.put("/v1/locations/main", r#"{"selling":true}"#)
        .said()
        .await;
    reserved(&mut talk, "r-2", 1).await;
    talk.note("not declared, and not a name");
    talk.get("/v1/locations/moon").said().await;
    talk.put("/v1/locations/main", r#"{"open":true}"#)
        .said()
        .await;
    insta::assert_snapshot!(talk.transcript());
}

#[tokio::test]
async fn stock_comes_in_where_it_was_declared_if_the_configuration_demands_it() {
    let service = Service::start_with(|config| config.stock.locations_declared = true).await;
    let mut talk = service.talk().await;
    talk.configured("TEE", "{}").await;
    let receive = r#"{"kind":"receive","qty":1,"location":"store-7"}"#;
    let path = "/v1/skus/TEE/movements";
    let answer = talk.post(path, "r-1", receive).quietly().await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    assert_eq!(answer.body["code"], "unknown-location");
    talk.put("/v1/locations/store-7", "{}").quietly().await;
    let answer = talk.post(path, "r-1", receive).quietly().await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[tokio::test]
async fn a_shortfall_lists_whom_it_leaves_without_the_newest_last() {
    let service = Service::start().await;
    let mut talk = service.talk().await;
    talk.stocked("TEE", 6).await;
    for (key, qty) in [("first", 3), ("second", 2), ("third", 1)] {
        reserved(&mut talk, key, qty).await;
    }
    let adjust = r#"{"kind":"adjust","qty":-4,"force":true,"reason":"burst pipe"}"#;
    let answer = talk
        .post("/v1/skus/TEE/movements", "m-1", adjust)
        .quietly()
        .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    talk.get("/v1/shortfalls").said().await;
    talk.get("/v1/shortfalls?limit=0").said().await;
    talk.get("/v1/shortfalls?cursor=ff").said().await;
    insta::assert_snapshot!(talk.transcript());
}
