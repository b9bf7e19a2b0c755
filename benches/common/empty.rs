//! An axum handler that does nothing, as a process: what figures of HTTP are set against.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;

/// Serves it on a free port, says where, and does not come back.
pub(crate) fn serve(status: StatusCode, body: &'static str) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    tokio.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        println!("empty serves http://{address}");
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).expect("it is TCP");
        });
        let made = async move || (status, body);
        let routes = Router::new().route("/v1/reservations", post(made));
        axum::serve(listener, routes).await.expect("it serves");
    });
}
