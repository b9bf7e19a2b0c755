//! An axum handler that does nothing, as a process: what HTTP alone costs here.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use rustix::process::Signal;

use super::holdfast::Single;
use super::{Load, Round};
use crate::drive::{Until, connect, talk};
use crate::process::Server;

/// The argument that makes this program the handler.
pub(crate) const ARGUMENT: &str = "empty-handler";

/// One round.
pub(crate) async fn round(load: Load) -> Round {
    let this = std::env::current_exe().expect("this is a process");
    let port = crate::process::free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(this);
    command
        .args([ARGUMENT, &port.to_string()])
        .stdin(Stdio::null());
    let server = Server::start(&mut command, Signal::KILL);
    crate::process::wait_for(address);
    let streams = connect(address, load.connections).await;
    let before = server.cpu();
    let until = Until::Time(load.time);
    let (run, _) = talk(
        streams,
        |number| Single::new(1, number, super::HOT),
        load.depth,
        until,
    )
    .await;
    Round::new(run, before, server.cpu(), "nothing to check".to_owned())
}

/// Serves nothing until it is killed.
pub(crate) fn serve(port: u16) {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    threads.expect("threads").block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.expect("the port is free").tap_io(|stream| {
            stream.set_nodelay(true).expect("it is TCP");
        });
        let created = async || StatusCode::CREATED;
        let routes = Router::new().route("/v1/reservations", post(created));
        axum::serve(listener, routes).await.expect("it serves");
    });
}
