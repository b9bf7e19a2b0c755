//! `holdfast webhook`: for those who write receivers: one that verifies and prints, a check of one
//! signature, and a delivery on demand.

use std::io::Read;
use std::path::PathBuf;

use serde_json::json;

use super::ask::{Server, number, word};
use super::sku::escaped;
use super::webhook_listen::{self, Listened};
use super::{Exit, fail, print};
use crate::client::Call;
use crate::events::webhooks::Secret;

/// The flags of `holdfast webhook`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  holdfast webhook listen --port 9000 --secret whsec_…
  holdfast webhook verify --secret whsec_… --id ID --timestamp 1795361400 --signature v1,… body.json
  holdfast webhook test 019b0000-0000-8000-8000-000000000000")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Receive webhooks on this machine, verify them and print their events, one a line
    Listen(Listened),
    /// Check the signature of a message; exit code 0 is genuine, 1 is not
    Verify(Verified),
    /// Let a server send one event that says nothing; exit code 0 if it was taken
    Test(Tested),
}

#[derive(Debug, clap::Args)]
struct Verified {
    /// The webhook's secret
    #[arg(long, value_name = "SECRET", env = "HOLDFAST_WEBHOOK_SECRET", hide_env_values = true,
        value_parser = secret)]
    secret: Secret,
    /// The header webhook-id
    #[arg(long, value_name = "ID")]
    id: String,
    /// The header webhook-timestamp; how long ago that is, is not looked at
    #[arg(long, value_name = "SECONDS")]
    timestamp: u64,
    /// The header webhook-signature
    #[arg(long, value_name = "SIGNATURES")]
    signature: String,
    /// The body as it came; `-` for stdin
    #[arg(value_name = "FILE")]
    body: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Tested {
    /// The webhook
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    server: Server,
}

/// Reads a secret.
pub(super) fn secret(text: &str) -> Result<Secret, String> {
    Secret::parse(text).map_err(|no| no.to_string())
}

/// Runs it.
pub async fn run(args: Args) -> Exit {
    match args.what {
        What::Listen(listened) => webhook_listen::run(listened).await,
        What::Verify(verified) => verify(&verified),
        What::Test(tested) => test(&tested).await.unwrap_or_else(|exit| exit),
    }
}

fn verify(verified: &Verified) -> Exit {
    let mut body = Vec::new();
    let read = if verified.body.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut body).map(|_| ())
    } else {
        std::fs::read(&verified.body).map(|bytes| body = bytes)
    };
    if let Err(error) = read {
        let file = verified.body.display();
        return fail(Exit::Failure, format!("{file} can't be read: {error}"));
    }
    let Verified {
        secret,
        id,
        timestamp,
        signature,
        ..
    } = verified;
    match secret.verify(id, *timestamp, signature, &body) {
        Ok(()) => print(Exit::Success, "genuine\n"),
        Err(not) => {
            let advice = "the body must be byte for byte as it came, without a new line at its end";
            fail(Exit::Failure, format!("{not}; {advice}"))
        }
    }
}

async fn test(tested: &Tested) -> Result<Exit, Exit> {
    let path = format!("/v1/webhooks/{}/test", escaped(&tested.id));
    let key = format!("test-{}", std::process::id());
    let delivery = tested
        .server
        .ask(&Call::post(path, key, &json!({})))
        .await?;
    let is_taken = delivery["error"].is_null();
    let text = if tested.server.json {
        format!("{delivery}\n")
    } else if is_taken {
        let (status, took) = (
            number(&delivery, "status"),
            number(&delivery, "duration_ms"),
        );
        format!("taken with {status} after {took} ms\n")
    } else {
        format!("not taken: {}\n", word(&delivery, "error"))
    };
    let exit = if is_taken {
        Exit::Success
    } else {
        Exit::Failure
    };
    Ok(print(exit, text))
}
