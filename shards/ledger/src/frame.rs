//! The header in front of every value stored: `[format][kind][length][crc32c]`, then the body.
//!
//! The checksum covers the row's key, the header before it and the body, so that a row found
//! under another key, or cut short, does not pass. All integers are little-endian.
//!
//! Deliberately absent: what the body means, and any leniency. A format this version does not
//! know is an error, not a guess.

use crate::error::{LedgerError, Place};

/// The format every row is written in. Reading understands every format ever released.
pub const FORMAT: u8 = 1;

/// Bytes in front of a body.
pub const FRAME_BYTES: usize = 10;

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The head of a journal record.
    Record = 1,
    /// A further part of a journal record.
    Part = 2,
    /// A chunk of the snapshot.
    Chunk = 3,
    /// A chunk that is empty from its sequence on.
    Tombstone = 4,
    /// Whose ledger this is.
    Identity = 5,
    /// How often it was opened.
    Opening = 6,
    /// Where replay starts and what was trimmed.
    Progress = 7,
    /// Records of an archive file, compressed.
    ArchiveBlock = 8,
    /// The end of an archive file.
    ArchiveEnd = 9,
    /// A journal record in the write-ahead log.
    Logged = 10,
    /// The head of several journal records that were settled together.
    Sheaf = 11,
}

/// Writes the header of `row`, whose body is in place already, for the row's `key`.
///
/// # Panics
/// Where the row is shorter than a header or its body longer than 4 GiB.
pub(crate) fn seal(row: &mut [u8], kind: Kind, key: u64) {
    let body_len = row
        .len()
        .checked_sub(FRAME_BYTES)
        .expect("a row is made with its header");
    let length = u32::try_from(body_len).expect("bodies are bounded far below 4 GiB");
    row[0] = FORMAT;
    row[1] = kind as u8;
    row[2..6].copy_from_slice(&length.to_le_bytes());
    let crc = checksum(key, &row[..6], &row[FRAME_BYTES..]);
    row[6..FRAME_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// A row of `kind` with `body`, sealed for `key`.
pub(crate) fn sealed(kind: Kind, key: u64, body: &[u8]) -> Vec<u8> {
    let mut row = vec![0; FRAME_BYTES];
    row.extend_from_slice(body);
    seal(&mut row, kind, key);
    row
}

/// Whether a row says that it is of this kind; [`open`] checks it.
pub(crate) fn is_of(row: &[u8], kind: Kind) -> bool {
    row.get(1) == Some(&(kind as u8))
}

/// Checks a row and returns its body, or what is wrong with it.
pub(crate) fn open(row: &[u8], kind: Kind, key: u64) -> Result<&[u8], String> {
    let Some((header, body)) = row.split_at_checked(FRAME_BYTES) else {
        return Err(format!("it has {} bytes, fewer than a header", row.len()));
    };
    if header[0] != FORMAT {
        return Err(format!(
            "its format is {}, this version reads {FORMAT}",
            header[0]
        ));
    }
    if header[1] != kind as u8 {
        return Err(format!(
            "its kind is {}, expected {} ({kind:?})",
            header[1], kind as u8
        ));
    }
    let length = u32_at(header, 2);
    if length as usize != body.len() {
        return Err(format!(
            "its length is {length}, but {} bytes are stored",
            body.len()
        ));
    }
    let (stored, found) = (u32_at(header, 6), checksum(key, &header[..6], body));
    if stored != found {
        return Err(format!(
            "its checksum is {found:#010x}, {stored:#010x} was written"
        ));
    }
    Ok(body)
}

/// Like [`open`], with the error of `shard` at `place`.
pub(crate) fn open_at(
    row: &[u8],
    kind: Kind,
    key: u64,
    shard: u16,
    place: Place,
) -> Result<&[u8], LedgerError> {
    open(row, kind, key).map_err(|detail| LedgerError::Corrupt {
        shard,
        place,
        detail,
    })
}

/// The `u32` at `at`, which the caller has checked to be inside.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(
        bytes[at..at + 4]
            .try_into()
            .expect("a slice of 4 is 4 bytes"),
    )
}

/// The `u64` at `at`, which the caller has checked to be inside.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(
        bytes[at..at + 8]
            .try_into()
            .expect("a slice of 8 is 8 bytes"),
    )
}

fn checksum(key: u64, header: &[u8], body: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&key.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, header), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_frame_are_pinned() {
        let row = sealed(Kind::Record, 7, b"holdfast");
        assert_eq!(row[..6], [1, 1, 8, 0, 0, 0]);
        assert_eq!(row[6..10], GOLDEN_CRC.to_le_bytes());
        assert_eq!(&row[10..], b"holdfast");
    }

    /// Computed by another implementation over key 7, the header before it and the body.
    const GOLDEN_CRC: u32 = 0x9bf8_5c00;

    #[test]
    fn a_frame_opens_only_as_what_it_is() {
        let row = sealed(Kind::Chunk, 7, b"holdfast");
        assert_eq!(open(&row, Kind::Chunk, 7), Ok(&b"holdfast"[..]));
        let refused = |row: &[u8], kind, key| open(row, kind, key).expect_err("it is damaged");
        assert!(refused(&row, Kind::Record, 7).contains("kind is 3"));
        assert!(refused(&row, Kind::Chunk, 8).contains("checksum"));
        assert!(refused(&row[..17], Kind::Chunk, 7).contains("length is 8"));
        assert!(refused(&row[..9], Kind::Chunk, 7).contains("fewer than a header"));
    }

    #[test]
    fn every_single_flipped_bit_is_noticed() {
        let row = sealed(Kind::Chunk, 7, b"holdfast");
        for bit in 0..row.len() * 8 {
            let mut damaged = row.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                open(&damaged, Kind::Chunk, 7).is_err(),
                "bit {bit} went unnoticed"
            );
        }
    }
}
