//! The commands for those who write receivers.

use crate::scene::Scene;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_command_lines_receiver_and_its_check_take_what_is_signed_and_nothing_else() {
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let body = r#"{"email":"test@example.com","username":"test_user"}"#;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("body.json");
    std::fs::write(&file, body).expect("it is ours");
    let verify = |signature: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(["webhook", "verify", "--secret", secret]);
        command.args([
            "--id",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "--timestamp",
            "1649367553",
        ]);
        let output = command.args(["--signature", signature]).arg(&file).output();
        output.expect("it runs").status.code()
    };
    assert_eq!(
        verify("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        Some(0)
    );
    assert_eq!(
        verify("v1,AZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        Some(1)
    );
    // A server sends to the command's receiver, which knows its secret and then another.
    let mut scene = Scene::new(&[]);
    let mut heard = |with: &str| {
        let mut listen = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        listen.args([
            "webhook", "listen", "--port", "0", "--count", "1", "--secret", with,
        ]);
        let child = listen.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where it listens");
        let address = line
            .split(' ')
            .nth(2)
            .expect("an address")
            .trim_end_matches(';');
        let (id, _) = scene.webhook(&json!({"url": address, "secret": secret}));
        let server = format!("http://{}", scene.server.address());
        let test = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["webhook", "test", &id, "--server", &server])
            .output()
            .expect("it runs");
        let output = child.wait_with_output().expect("it ends after one");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        (test.status.code(), printed)
    };
    let (code, printed) = heard(secret);
    assert_eq!(code, Some(0));
    assert!(printed.contains("holdfast.webhook.test.v1"), "{printed}");
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_eq!(heard(other), (Some(1), String::new()));
}
