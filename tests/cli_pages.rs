//! The pages of the command line that ask a server, against the real one: with something to show,
//! with nothing, with bad input, without a server, without a reader, and on a terminal.

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "the tests of crashes need more of it")]
mod server;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use server::{Server, Talk};
use tempfile::TempDir;

/// A server with a SKU of some history, and files to send to it.
struct Stage {
    server: Server,
    files: TempDir,
}

const COUNT: &str = "sku,counted\nTEE-RED-LONGSLEEVE-XXL,5\nNOBODY,3\nTEE-RED-LONGSLEEVE-XXL,x\n";

impl Stage {
    fn set() -> Self {
        let stage = Self {
            server: Server::start(),
            files: tempfile::tempdir().expect("a directory"),
        };
        let mut talk = Talk::new(stage.server.address());
        let mut call = |path: &str, key: &str, body: &Value| {
            let (status, answer) = talk.until_answered("POST", path, Some(key), body);
            assert!(status < 300, "{answer}");
        };
        let receive = json!({"kind": "receive", "qty": 120, "source": "wms", "epoch": 1,
            "sequence": 4, "document": "LS-7781", "reason": "a delivery that was announced late"});
        stage.write("sku.csv", "sku,kind\nTEE-RED-LONGSLEEVE-XXL,sku\n");
        assert_eq!(
            stage.holdfast(&["import", "sku.csv"]).status.code(),
            Some(0)
        );
        call("/v1/skus/TEE-RED-LONGSLEEVE-XXL/movements", "m-1", &receive);
        let reserve = json!({"order_ref": "O-1001",
            "lines": [{"sku": "TEE-RED-LONGSLEEVE-XXL", "qty": 7}]});
        call("/v1/reservations", "r-1", &reserve);
        stage.write("count.csv", COUNT);
        stage.write("empty.csv", "");
        stage.write(
            "rows.csv",
            "sku,kind,qty\nTEE-RED-LONGSLEEVE-XXL,receive,x\n",
        );
        stage
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).expect("the directory is ours");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(self.files.path(), &self.server.address(), arguments)
    }

    fn holdfast(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Until the statement and the lists have caught up.
    fn holdfast_with(&self, arguments: &[&str], wanted: &str) -> String {
        for _ in 0..200 {
            let output = self.holdfast(arguments);
            if text(&output.stdout).contains(wanted) {
                return text(&output.stdout);
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{arguments:?} never said {wanted}");
    }

    /// What a command prints on a terminal of so many columns.
    fn on_terminal(&self, columns: u16, arguments: &[&str]) -> String {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("it is ours");
        unlockpt(&terminal).expect("it is ours");
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).expect("it has a size");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("it is ASCII");
        let other = || {
            let opened = File::options().read(true).write(true).open(name);
            Stdio::from(opened.expect("it can be opened"))
        };
        let mut child = self
            .command(arguments)
            .stdin(other())
            .stdout(other())
            .stderr(other())
            .spawn()
            .expect("the binary runs");
        let reader = thread::spawn(move || {
            let (mut master, mut printed) = (File::from(terminal), Vec::new());
            // A terminal whose other side has gone ends with an error.
            let _ = master.read_to_end(&mut printed);
            printed
        });
        child.wait().expect("it ends");
        plain(&reader.join().expect("it reads"))
    }
}

fn command(directory: &Path, server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command
        .current_dir(directory)
        .args(arguments)
        .env("HOLDFAST_SERVER", server)
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// Lines as they stand at last, without what moves the cursor.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\u{1b}' => {
                let is_end = |letter: &char| letter.is_ascii_alphabetic();
                let _ = rest.by_ref().find(is_end);
            }
            // A bar is drawn over itself.
            '\r' if rest.peek() != Some(&'\n') => plain.push('\n'),
            '\r' => {}
            letter => plain.push(letter),
        }
    }
    plain
}

const PAGES: [&[&str]; 6] = [
    &["ledger", "TEE-RED-LONGSLEEVE-XXL"],
    &["drifts", "list"],
    &["feeds", "wms"],
    &["import", "rows.csv", "--again"],
    &["reconcile", "warehouse", "count.csv", "--by", "berlin"],
    &["sku", "show", "TEE-RED-LONGSLEEVE-XXL"],
];

#[test]
fn no_page_is_wider_than_the_terminal() {
    let stage = Stage::set();
    stage.holdfast(&["reconcile", "warehouse", "count.csv", "--by", "berlin"]);
    stage.holdfast_with(PAGES[0], "reservation.created");
    for columns in [80, 120] {
        for page in PAGES {
            let printed = stage.on_terminal(columns, page);
            let wide = |line: &&str| usize::from(columns) < line.chars().count();
            let wide: Vec<&str> = printed.lines().filter(wide).collect();
            assert_eq!(wide, Vec::<&str>::new(), "{page:?} on {columns}\n{printed}");
            assert!(!printed.trim().is_empty(), "{page:?} says something");
        }
    }
    let help = stage.on_terminal(80, &["import", "--help"]);
    assert!(
        help.lines().all(|line| line.chars().count() <= 80),
        "{help}"
    );
}

#[test]
fn an_import_on_a_terminal_shows_how_far_it_is() {
    let stage = Stage::set();
    let rows = "TEE-RED-LONGSLEEVE-XXL,receive,1\n".repeat(30_000);
    stage.write("long.csv", &format!("sku,kind,qty\n{rows}"));
    let printed = stage.on_terminal(80, &["import", "long.csv"]);
    assert!(printed.contains("/30,001"), "{printed}");
    let last: Vec<&str> = printed
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = last[last.len() - 3..].join("\n");
    assert!(last.contains("✓ importing"), "{last}");
    assert!(last.contains("30,000 rows\n"), "{last}");
}

#[test]
fn a_page_about_what_is_unknown_is_an_error_and_no_heading() {
    let stage = Stage::set();
    for page in [&["ledger", "NOBODY"][..], &["sku", "show", "NOBODY"]] {
        let output = stage.holdfast(page);
        assert_eq!(output.status.code(), Some(1), "{page:?}");
        assert_eq!(text(&output.stdout), "", "{page:?}");
        assert!(
            text(&output.stderr).starts_with("error: NOBODY is unknown to "),
            "{page:?}"
        );
    }
}

#[test]
fn where_there_is_nothing_a_page_says_so_to_people_and_nothing_to_programs() {
    let stage = Stage::set();
    for (page, nothing) in [
        (&["drifts", "list"][..], "no drifts wait for a decision\n"),
        (&["drifts", "list", "--state", "any"], "no drifts\n"),
        (&["feeds", "nobody"], "no streams of nobody\n"),
    ] {
        let output = stage.holdfast(page);
        assert_eq!(output.status.code(), Some(0), "{page:?}");
        assert_eq!(text(&output.stdout), nothing, "{page:?}");
        let as_json = stage.holdfast(&[page, &["--json"]].concat());
        assert_eq!(as_json.status.code(), Some(0), "{page:?}");
        assert_eq!(text(&as_json.stdout), "", "{page:?}");
    }
}

#[test]
fn bad_input_is_told_with_what_was_expected_and_a_code() {
    let stage = Stage::set();
    let sku = "TEE-RED-LONGSLEEVE-XXL";
    for (page, code, said) in [
        (
            &["ledger", sku, "--as-of", "yesterday"][..],
            1,
            "neither a time (RFC 3339, UTC) nor",
        ),
        (
            &["ledger", sku, "--as-of", "2099-01-01T00:00:00Z"],
            1,
            "lies in the future",
        ),
        (&["ledger", sku, "--limit", "0"], 2, "--limit <N>"),
        (
            &["drifts", "list", "--kind", "colour"],
            1,
            "expected one of",
        ),
        (&["drifts", "approve", "d-1"], 1, "is not an id"),
        (&["feeds", "wms", "--lift", "main"], 2, "--sku <SKU>"),
        (
            &["feeds", "wms", "--sku", sku, "--lift", "main"],
            1,
            "no quarantined stream",
        ),
        (&["import", "none.csv"], 2, "none.csv: No such file"),
        (&["import", "empty.csv"], 1, "the file is empty"),
        (
            &["reconcile", "warehouse", "none.csv"],
            2,
            "none.csv: No such file",
        ),
        (
            &["reconcile", "warehouse", "empty.csv"],
            1,
            "error: empty.csv: the file is empty",
        ),
        (
            &["reconcile", "warehouse", "count.csv", "--as-of", "x"],
            1,
            "neither a time",
        ),
    ] {
        let output = stage.holdfast(page);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{page:?}: {told}");
        assert!(told.contains(said), "{page:?}: {told}");
    }
    let refused = stage.holdfast(&["reconcile", "warehouse", "empty.csv"]);
    assert!(text(&refused.stderr).contains("✗ comparing"));
    assert_eq!(text(&refused.stdout).lines().count(), 1);
}

#[test]
fn a_count_with_bad_rows_names_them_in_the_order_of_the_file() {
    let stage = Stage::set();
    let output = stage.holdfast(&["reconcile", "warehouse", "count.csv"]);
    let told = text(&output.stdout);
    let lines: Vec<&str> = told.lines().skip(1).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    rows: 3 read, 1 compared, 2 left out
    drifts: 1 opened, 0 known before, 0 approved, 1 waiting
      line 3: the SKU is unknown
      line 4: column 2: not a whole number
      warehouse TEE-RED-LONGSLEEVE-XXL at main: expected 120, found 5 (adjust -115; open)
    ");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn without_a_server_every_page_ends_with_7_and_a_hint() {
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("rows.csv"), "sku,kind\nA,sku\n").expect("ours");
    std::fs::write(files.path().join("count.csv"), COUNT).expect("ours");
    let patience = ["import", "rows.csv", "--patience", "0"];
    for page in PAGES {
        let page = if page[0] == "import" {
            &patience[..]
        } else {
            page
        };
        let output = command(files.path(), "127.0.0.1:1", page)
            .output()
            .expect("it runs");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{page:?}: {told}");
        assert!(
            told.contains("is the server running there? --server names another"),
            "{told}"
        );
        assert_eq!(text(&output.stdout), "", "{page:?}");
    }
}

/// `holdfast import rows.csv | head -0` ended in a panic and a backtrace.
#[test]
fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is_one() {
    let stage = Stage::set();
    stage.holdfast_with(PAGES[0], "reservation.created");
    for page in PAGES {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let output = stage
            .command(page)
            .stdout(writer)
            .output()
            .expect("it runs");
        let expected = if page[0] == "import" { 8 } else { 0 };
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{page:?}: {told}");
        assert!(!told.contains("panicked"), "{page:?}: {told}");

        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let output = stage.command(page).stdout(full).output().expect("it runs");
        let told = text(&output.stderr);
        assert!(told.contains("stdout can't be written"), "{page:?}: {told}");
        assert_ne!(output.status.code(), Some(0), "{page:?}");
    }
}
