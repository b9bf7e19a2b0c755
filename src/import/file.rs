//! The file: packed or not, what form its rows have, what it is called, and reading from a place.
//!
//! It is read once before anything is sent: for its hash, its length, and to learn that a packed
//! one is whole. A packed file that was cut off is refused, since its rest would come under
//! another name one day and do every row a second time.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use hyper::body::Bytes;
use tokio::sync::mpsc;
use xxhash_rust::xxh3::Xxh3;

/// How much is read and sent at once.
const PIECE_BYTES: usize = 64 << 10;

/// A file of rows.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    is_packed: bool,
    /// How its rows are written.
    pub format: Format,
    /// A hash of its content.
    pub identity: String,
    /// Its line ends.
    pub lines: u64,
    /// The first line with its end: the header of a CSV.
    header: Vec<u8>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A header, then cells.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// Why a file can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ends within its packing.
    #[error("{}: the file is cut off in the middle; nothing was sent, get it whole", .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
    },
}

impl Source {
    /// Looks through a file.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        Self::look(path).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::UnexpectedEof => SourceError::CutOff { path },
                _ => SourceError::Io { path, source },
            }
        })
    }

    fn look(path: &Path) -> io::Result<Self> {
        let is_packed = is_packed(path)?;
        let mut reader = reader(path, is_packed, 0)?;
        let (mut hash, mut lines) = (Xxh3::new(), 0);
        let (mut header, mut has_header, mut first) = (Vec::new(), false, None);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &piece[..count];
            hash.update(bytes);
            lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
            // A file of text may begin with three bytes that only say so.
            let is_mark = |byte: &u8| b"\xef\xbb\xbf".contains(byte);
            let is_blank = |byte: &&u8| byte.is_ascii_whitespace() || is_mark(byte);
            first = first.or_else(|| bytes.iter().find(|byte| !is_blank(byte)).copied());
            if !has_header {
                let end = memchr::memchr(b'\n', bytes);
                header.extend_from_slice(end.map_or(bytes, |end| &bytes[..=end]));
                // No header is longer than what a server takes as one.
                has_header = end.is_some() || header.len() > 16 * PIECE_BYTES;
            }
        }
        let format = if first == Some(b'{') {
            Format::Ndjson
        } else {
            Format::Csv
        };
        Ok(Self {
            path: path.to_owned(),
            is_packed,
            format,
            identity: format!("xxh3-{:032x}", hash.digest128()),
            lines,
            header,
        })
    }

    /// Sends the file from `offset` on, in pieces, the last one empty; a CSV's header goes first.
    pub(super) fn pieces(&self, offset: u64) -> mpsc::Receiver<io::Result<Bytes>> {
        let (to, from) = mpsc::channel(2);
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = source.send(offset, &to) {
                // Whoever received has gone, or hears why there is no more.
                let _ = to.blocking_send(Err(error));
            }
        });
        from
    }

    fn send(&self, offset: u64, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        if self.format == Format::Csv && offset > 0 {
            let header = Bytes::from(self.header.clone());
            to.blocking_send(Ok(header)).map_err(gone)?;
        }
        let mut reader = reader(&self.path, self.is_packed, offset)?;
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            match reader.read(&mut piece) {
                Ok(count) => {
                    piece.truncate(count);
                    to.blocking_send(Ok(piece.into())).map_err(gone)?;
                    if count == 0 {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_packed(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut magic)?;
    Ok(magic == [0x1f, 0x8b])
}

/// The content from `offset` on.
fn reader(path: &Path, is_packed: bool, offset: u64) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    if is_packed {
        let mut content = MultiGzDecoder::new(BufReader::new(file));
        io::copy(&mut (&mut content).take(offset), &mut io::sink())?;
        return Ok(Box::new(content));
    }
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(file))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const TEXT: &[u8] = b"sku,kind,qty\nTEE,receive,1\nMUG,receive,2\n";

    fn packed() -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(TEXT).expect("memory takes all");
        packer.finish().expect("memory takes all")
    }

    #[test]
    fn a_packed_file_is_the_same_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let (plain, gz) = (directory.path().join("a"), directory.path().join("b"));
        std::fs::write(&plain, TEXT).expect("written");
        std::fs::write(&gz, packed()).expect("written");
        let (plain, gz) = (Source::open(&plain), Source::open(&gz));
        let (plain, gz) = (plain.expect("good"), gz.expect("good"));
        assert_eq!(plain.identity, gz.identity);
        assert_eq!((plain.lines, gz.lines), (3, 3));
        assert_eq!(gz.format, Format::Csv);
    }

    #[test]
    fn a_packed_file_that_is_cut_off_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("cut.csv.gz");
        let whole = packed();
        std::fs::write(&path, &whole[..whole.len() - 9]).expect("written");
        let refused = Source::open(&path).expect_err("it is cut off");
        assert!(matches!(refused, SourceError::CutOff { .. }), "{refused}");
    }
}
