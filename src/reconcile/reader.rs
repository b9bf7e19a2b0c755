//! Reading a file row by row, CSV or NDJSON, with the numbers of its lines.
//!
//! A row that can't be used is a fault with its line, and the next one is read. A file is whole if
//! it ends with the end of a line: the last line of one that was cut off might say 12 for 120.
//! Deliberately absent: keeping rows. Whoever reads keeps what it needs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;

use super::row::Raw;

/// A row that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// Its line in the file; the first is 1.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// A file that is not compared at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It can't be read.
    #[error("the file can't be read: {0}")]
    Io(#[from] io::Error),
    /// It has nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Its last line has no end.
    #[error("the file is cut off: its last line has no end")]
    CutOff,
    /// Its first line does not name a column.
    #[error("the first line names no column {0:?}")]
    Column(&'static str),
    /// It has more rows than may be compared at once.
    #[error("the file has more than {0} rows; see reconcile.rows_max")]
    TooLong(u64),
    /// It has another number of rows than its sender says.
    #[error("the file has {found} rows, and its sender says {told}")]
    Rows {
        /// Rows in it.
        found: u64,
        /// Rows there should be.
        told: u64,
    },
    /// It says what was not yet.
    #[error("line {0} tells of a moment in the future")]
    Future(u64),
}

/// The rows of a file.
pub(super) struct Rows<R: Raw> {
    form: Form,
    raw: PhantomData<fn() -> R>,
}

enum Form {
    Csv {
        reader: Box<csv::Reader<File>>,
        headers: csv::StringRecord,
        record: csv::StringRecord,
    },
    Ndjson {
        reader: BufReader<File>,
        line: u64,
        text: Vec<u8>,
    },
}

/// Read ahead of the parser.
const BUFFER: usize = 256 << 10;

impl<R: Raw> Rows<R> {
    /// Opens a file, which must be whole.
    pub(super) fn open(path: &Path) -> Result<Self, Unusable> {
        let mut file = File::open(path)?;
        let first = check_ends(&mut file)?;
        let form = if first == b'{' {
            Form::Ndjson {
                reader: BufReader::with_capacity(BUFFER, file),
                line: 0,
                text: Vec::new(),
            }
        } else {
            let mut builder = csv::ReaderBuilder::new();
            builder.buffer_capacity(BUFFER).trim(csv::Trim::All);
            let mut reader = Box::new(builder.from_reader(file));
            let headers = reader.headers().map_err(io_error)?.clone();
            let missing = |column: &&&str| !headers.iter().any(|header| header == **column);
            if let Some(column) = R::COLUMNS.iter().find(missing) {
                return Err(Unusable::Column(column));
            }
            Form::Csv {
                reader,
                headers,
                record: csv::StringRecord::new(),
            }
        };
        let raw = PhantomData;
        Ok(Self { form, raw })
    }

    /// The next row, or what is wrong with it; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<R::Row, Fault>>, Unusable> {
        let (line, raw) = match &mut self.form {
            Form::Csv {
                reader,
                headers,
                record,
            } => {
                let line = reader.position().line();
                let raw = match reader.read_record(record) {
                    Ok(false) => return Ok(None),
                    Ok(true) => record.deserialize::<R>(Some(headers)),
                    Err(error) if error.is_io_error() => return Err(io_error(error).into()),
                    Err(error) => Err(error),
                };
                let line = record.position().map_or(line, csv::Position::line);
                (line, raw.map_err(|error| in_csv(&error)))
            }
            Form::Ndjson { reader, line, text } => loop {
                text.clear();
                if reader.read_until(b'\n', text)? == 0 {
                    return Ok(None);
                }
                *line += 1;
                if text.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let raw = serde_json::from_slice(text).map_err(|error| in_json(&error));
                break (*line, raw);
            },
        };
        let checked = raw.and_then(|raw: R| raw.check(line));
        Ok(Some(checked.map_err(|reason| Fault { line, reason })))
    }
}

/// The first byte of a file that begins and ends as one does.
fn check_ends(file: &mut File) -> Result<u8, Unusable> {
    let mut opening = [0; 64];
    let read = file.read(&mut opening)?;
    let first = opening[..read]
        .iter()
        .find(|byte| !byte.is_ascii_whitespace());
    let first = *first.ok_or(Unusable::Empty)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.seek(SeekFrom::Start(0))?;
    if last == *b"\n" {
        Ok(first)
    } else {
        Err(Unusable::CutOff)
    }
}

fn io_error(error: csv::Error) -> io::Error {
    io::Error::other(error)
}

fn in_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => match err.field() {
            Some(field) => format!("column {}: {}", field + 1, in_words(err.kind())),
            None => in_words(err.kind()),
        },
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("{len} fields, and the first line names {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "no UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

fn in_words(kind: &csv::DeserializeErrorKind) -> String {
    match kind {
        csv::DeserializeErrorKind::ParseInt(_) => "not a whole number".to_owned(),
        _ => kind.to_string(),
    }
}

fn in_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The line is told beside it.
    let place = text.rfind(" at line ").unwrap_or(text.len());
    text[..place].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::row::{RawCount, RawOrder, RawSeller};
    use super::*;
    use std::io::Write;

    fn read<R: Raw>(content: &str) -> Result<Vec<Result<R::Row, Fault>>, Unusable> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(content.as_bytes()).expect("written");
        let mut rows = Rows::<R>::open(file.path())?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row);
        }
        Ok(all)
    }

    fn faults<R: Raw>(content: &str) -> Vec<(u64, String)> {
        let rows = read::<R>(content).expect("a usable file");
        let faults = rows.into_iter().filter_map(Result::err);
        faults.map(|fault| (fault.line, fault.reason)).collect()
    }

    #[test]
    fn a_malformed_row_is_told_by_its_line_and_the_others_are_read() {
        let file =
            "sku,location,counted,measure\nA,x,1,\nB,x,-1,\nC,x\n*,x,1,\nD,,4,sellable\nE,,1,q\n";
        let told = faults::<RawCount>(file);
        let lines: Vec<u64> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5, 7], "{told:?}");
        assert_eq!(told[0].1, "column 3: not a whole number");
        let rows = read::<RawCount>(file).expect("a usable file");
        let good: Vec<_> = rows.into_iter().filter_map(Result::ok).collect();
        assert_eq!(good.len(), 2);
        assert_eq!((good[1].line, good[1].units), (6, 4));
        assert_eq!(good[1].location, Location::main());
    }

    #[test]
    fn lines_of_json_say_the_same_as_lines_of_csv() {
        let csv = "sku,location,available,on_hand\nA,x,3,\nB,x,,4\n";
        let json = "{\"sku\":\"A\",\"location\":\"x\",\"available\":3}\n\
                    {\"sku\":\"B\",\"location\":\"x\",\"on_hand\":4}\n";
        let rows = |text| -> Vec<_> {
            let rows = read::<RawSeller>(text).expect("a usable file");
            let row = |row: Result<super::super::row::StockRow, Fault>| {
                let row = row.expect("a good row");
                (row.sku, row.location, row.units, row.against)
            };
            rows.into_iter().map(row).collect()
        };
        assert_eq!(rows(csv), rows(json));
    }

    #[test]
    fn a_file_that_is_cut_off_or_empty_or_of_another_kind_is_not_read() {
        let kind = |text| read::<RawOrder>(text).err().map(|error| error.to_string());
        assert!(kind("").is_some());
        assert!(
            kind("order_ref,state,sku,qty\nO-1,paid,A,1").is_some_and(|e| e.contains("cut off"))
        );
        assert!(kind("sku,counted\nA,1\n").is_some_and(|e| e.contains("order_ref")));
        assert!(kind("order_ref,state,sku,qty\nO-1,paid,A,1\n").is_none());
    }

    use holdfast_core::Location;
}
