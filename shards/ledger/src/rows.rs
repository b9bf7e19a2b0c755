//! How a record is cut into rows so that little of the file is wasted.
//!
//! redb stores a value in 2ⁿ pages of 4 KiB: 33 KiB would occupy 64. So a record is cut
//! greedily into rows that fill 2ⁿ pages to the last byte, largest first, and one row for the
//! rest; what is wasted is less than a page a record. A row's key is the record's first sequence
//! and the row's place in it.
//!
//! Deliberately absent: redb itself.

use crate::frame::FRAME_BYTES;

/// Bits of a key that number the rows of a record.
const ROW_BITS: u32 = 8;

/// The greatest sequence a key can hold.
pub(crate) const SEQUENCE_MAX: u64 = u64::MAX >> ROW_BITS;

/// redb's page, and what a leaf page with a single row of a `u64` key needs besides the value.
const PAGE: usize = 4096;
const LEAF_BYTES: usize = 16;

/// No row is larger than this many pages (1 MiB).
const ROW_PAGES_MAX: usize = 256;

/// The key of row `row` of the record that begins at `first`.
pub(crate) fn key(first: u64, row: u8) -> u64 {
    debug_assert!(first <= SEQUENCE_MAX, "a sequence fits in 56 bits");
    (first << ROW_BITS) | u64::from(row)
}

/// The record's first sequence and the row's place, from its key.
pub(crate) fn unkey(key: u64) -> (u64, u8) {
    (key >> ROW_BITS, key as u8)
}

/// The sizes of the rows (without their frames) that `payload` bytes are cut into.
pub(crate) fn cut(mut payload: usize) -> Vec<usize> {
    let mut rows = Vec::new();
    loop {
        let pages = (payload + FRAME_BYTES + LEAF_BYTES).div_ceil(PAGE);
        if pages <= ROW_PAGES_MAX && pages.is_power_of_two() {
            rows.push(payload);
            return rows;
        }
        let whole = (1 << pages.ilog2()).min(ROW_PAGES_MAX);
        let taken = whole * PAGE - LEAF_BYTES - FRAME_BYTES;
        rows.push(taken);
        payload -= taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_and_waste_less_than_a_page() {
        for payload in (1..3 << 20).step_by(997) {
            let rows = cut(payload);
            assert_eq!(rows.iter().sum::<usize>(), payload);
            assert!(rows.len() <= 12, "{payload} bytes in {} rows", rows.len());
            let stored: usize = rows
                .iter()
                .map(|row| {
                    PAGE * (row + FRAME_BYTES + LEAF_BYTES)
                        .div_ceil(PAGE)
                        .next_power_of_two()
                })
                .sum();
            let overhead = rows.len() * (FRAME_BYTES + LEAF_BYTES);
            assert!(
                stored < payload + overhead + PAGE,
                "{payload} bytes took {stored}"
            );
        }
    }

    #[test]
    fn the_longest_body_fits_in_the_rows_a_key_can_number() {
        assert!(cut(crate::Batch::BODY_BYTES_MAX + 64).len() < 256);
    }

    #[test]
    fn keys_sort_by_sequence_and_then_by_row() {
        assert!(key(1, 255) < key(2, 0));
        assert_eq!(unkey(key(77, 3)), (77, 3));
    }
}
