//! Writing and reading the smallest pieces: bytes, varints, times, texts, ids.
//!
//! [`Encoder`] and [`Decoder`] mirror each other; both keep a [`Recent`], and it must be the same
//! on both sides after every piece. The other modules of the codec add the larger pieces to them.

use holdfast_core::{Counter, Opening, ReservationId, Slot, Text, Timestamp, Versions};

use super::names::{NameTable, Names};
use super::{CodecError, Fault, VERSION};

/// What a piece came to, or why it could not be read.
pub(super) type Read<T> = Result<T, Fault>;

/// Room for one event of the usual kind.
const BODY_BYTES_MIN: usize = 256;

const ID_TIME: u8 = 1;
const ID_SLOT: u8 = 1 << 1;
const ID_OPENING: u8 = 1 << 2;
const ID_STEP_SHIFT: u8 = 3;
const ID_STEP_FAR: u8 = 15;
const ID_SAME: u8 = 1 << 7;

/// What was last written or read in a body: the base of what comes next.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    /// Time of the event, or of the record of a chunk before.
    pub(super) at: u64,
    pub(super) id: Option<ReservationId>,
    /// A key's index.
    pub(super) key: u64,
    /// A hold's number on this shard.
    pub(super) hold: u64,
    /// A hold's number on another.
    pub(super) hold_foreign: u64,
    /// From an id's time to its deadline.
    pub(super) ttl: u64,
    /// Of a stock effect.
    pub(super) versions: Versions,
    /// Of stock effects, each counter for itself.
    pub(super) counters: [i64; Counter::ALL.len()],
}

/// Writes one body.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) out: Vec<u8>,
    pub(super) recent: Recent,
    pub(super) skus: NameTable<256>,
    pub(super) locations: NameTable<64>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            out: Vec::new(),
            recent: Recent::default(),
            skus: NameTable::new(),
            locations: NameTable::new(),
        }
    }

    /// Begins a body in `buffer`, whose content goes.
    pub(super) fn begin(&mut self, buffer: Vec<u8>) {
        self.out = buffer;
        self.out.clear();
        self.recent = Recent::default();
        self.skus.clear();
        self.locations.clear();
    }

    /// Writes the version, first of all.
    pub(super) fn version(&mut self) {
        self.out.reserve(BODY_BYTES_MIN);
        self.byte(VERSION);
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out.extend_from_slice(&bytes);
    }

    #[inline]
    pub(super) fn varint(&mut self, mut value: u64) {
        while 0x80 <= value {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    pub(super) fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// `value` as its distance from `base`, either way.
    #[inline]
    pub(super) fn delta(&mut self, value: u64, base: u64) {
        self.signed(value.wrapping_sub(base) as i64);
    }

    #[inline]
    pub(super) fn time(&mut self, time: Timestamp) {
        self.delta(time.ms(), self.recent.at);
    }

    pub(super) fn text(&mut self, text: &Text) {
        let bytes = text.as_str().as_bytes();
        self.byte(u8::try_from(bytes.len()).expect("a text has at most 128 bytes"));
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn totals(&mut self, totals: &[u32; 3]) {
        for total in totals {
            self.varint(u64::from(*total));
        }
    }

    pub(super) fn versions(&mut self, versions: Versions) {
        self.varint(versions.all);
        self.varint(versions.stock);
        self.varint(versions.config);
    }

    #[inline]
    pub(super) fn id(&mut self, id: ReservationId) {
        if self.recent.id == Some(id) {
            return self.byte(ID_SAME);
        }
        let (slot, opening, counter) = id_parts(self.recent.id);
        let step = id.counter().wrapping_sub(counter);
        let near = step < u64::from(ID_STEP_FAR);
        let head = flag(id.at().ms() != self.recent.at, ID_TIME)
            | flag(id.slot().index() != slot, ID_SLOT)
            | flag(id.opening().number() != opening, ID_OPENING)
            | (if near { step as u8 } else { ID_STEP_FAR }) << ID_STEP_SHIFT;
        self.array([head, id.random()]);
        if head & ID_TIME != 0 {
            self.time(id.at());
        }
        if head & ID_SLOT != 0 {
            self.varint(u64::from(id.slot().index()));
        }
        if head & ID_OPENING != 0 {
            self.varint(u64::from(id.opening().number()));
        }
        if !near {
            self.signed(step as i64);
        }
        self.recent.id = Some(id);
    }
}

/// Reads one body.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    length: usize,
    pub(super) recent: Recent,
    pub(super) names: Names,
}

impl<'a> Decoder<'a> {
    /// Begins a body; its version is read and known.
    pub(super) fn begin(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut decoder = Self {
            rest: body,
            length: body.len(),
            recent: Recent::default(),
            names: Names::new(),
        };
        match decoder.byte() {
            Ok(VERSION) => Ok(decoder),
            Ok(_) => Err(decoder.error(Fault::Version)),
            Err(fault) => Err(decoder.error(fault)),
        }
    }

    /// The fault with the place it was met at.
    #[cold]
    pub(super) fn error(&self, fault: Fault) -> CodecError {
        CodecError {
            fault,
            offset: self.length - self.rest.len(),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Read<u8> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Read<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Read<u64> {
        let byte = self.byte()?;
        if byte < 0x80 {
            Ok(u64::from(byte))
        } else {
            self.varint_long(byte)
        }
    }

    fn varint_long(&mut self, first: u8) -> Read<u64> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        match self.byte()? {
            last @ 0..=1 => Ok(value | u64::from(last) << 63),
            _ => Err(Fault::Overflow),
        }
    }

    #[inline]
    pub(super) fn varint_u32(&mut self) -> Read<u32> {
        u32::try_from(self.varint()?).map_err(|_| Fault::Overflow)
    }

    /// What follows if it was written, else what stands for it.
    #[inline]
    pub(super) fn or<T>(
        &mut self,
        is_there: bool,
        absent: T,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        if is_there { read(self) } else { Ok(absent) }
    }

    /// How many of something follow, each of which takes a byte or more.
    #[inline]
    pub(super) fn count(&mut self) -> Read<usize> {
        let count = self.varint()?;
        if count > self.rest.len() as u64 {
            return Err(Fault::Truncated);
        }
        Ok(count as usize)
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Read<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    #[inline]
    pub(super) fn delta(&mut self, base: u64) -> Read<u64> {
        Ok(base.wrapping_add(self.signed()? as u64))
    }

    #[inline]
    pub(super) fn time(&mut self) -> Read<Timestamp> {
        Ok(Timestamp::from_ms(self.delta(self.recent.at)?))
    }

    pub(super) fn text(&mut self) -> Read<Text> {
        let length = self.byte()?;
        let bytes = self.bytes(usize::from(length))?;
        Text::parse(str::from_utf8(bytes).map_err(|_| Fault::Name)?).map_err(|_| Fault::Name)
    }

    #[inline]
    pub(super) fn totals(&mut self) -> Read<[u32; 3]> {
        Ok([self.varint_u32()?, self.varint_u32()?, self.varint_u32()?])
    }

    pub(super) fn versions(&mut self) -> Read<Versions> {
        Ok(Versions {
            all: self.varint()?,
            stock: self.varint()?,
            config: self.varint()?,
        })
    }

    #[inline]
    pub(super) fn id(&mut self) -> Read<ReservationId> {
        let head = self.byte()?;
        if head & ID_SAME != 0 {
            return if head == ID_SAME {
                self.id_same()
            } else {
                Err(Fault::Unknown)
            };
        }
        let (slot, opening, counter) = id_parts(self.recent.id);
        let random = self.byte()?;
        let at = if head & ID_TIME == 0 {
            self.recent.at
        } else {
            self.time()?.ms()
        };
        let slot = if head & ID_SLOT == 0 {
            u64::from(slot)
        } else {
            self.varint()?
        };
        let opening = if head & ID_OPENING == 0 {
            opening
        } else {
            self.varint_u32()?
        };
        let counter = match head >> ID_STEP_SHIFT {
            ID_STEP_FAR => self.delta(counter)?,
            step => counter.wrapping_add(u64::from(step)),
        };
        let slot = u16::try_from(slot)
            .ok()
            .and_then(Slot::new)
            .ok_or(Fault::Id)?;
        let opening = Opening::new(opening).ok_or(Fault::Id)?;
        if ReservationId::COUNTER_COUNT <= counter || 1 << 48 <= at {
            return Err(Fault::Id);
        }
        let id = ReservationId::mint(Timestamp::from_ms(at), slot, opening, counter, random);
        self.recent.id = Some(id);
        Ok(id)
    }

    /// The id that came last.
    pub(super) fn id_same(&self) -> Read<ReservationId> {
        self.recent.id.ok_or(Fault::Reference)
    }
}

/// `bit` where `set`.
#[inline]
pub(super) fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// INV-5 as far as one hold or line goes: what ended was held.
#[inline]
pub(super) fn totals_fit(totals: &[u32; 3], units: u32) -> bool {
    totals.iter().map(|total| u64::from(*total)).sum::<u64>() <= u64::from(units)
}

/// Slot, opening and counter; zeros where there is no id yet.
fn id_parts(id: Option<ReservationId>) -> (u16, u32, u64) {
    id.map_or((0, 0, 0), |id| {
        (id.slot().index(), id.opening().number(), id.counter())
    })
}
