//! SKUs and locations: written out once in a body, then by number.
//!
//! The encoder finds a name it has written through a small table of places in the body. Where two
//! names want the same place the younger has it, and the other is written out once more when it
//! comes again: the table never grows, and costs nothing to clear. The decoder numbers the names
//! as they are written out, so it need not know about the table.

use holdfast_core::{Location, Sku};

use super::Fault;
use super::wire::{Decoder, Encoder, Read, flag};

/// The location that is known from the beginning.
const MAIN: &str = "main";

/// A name is written out.
const SKU_LITERAL: u64 = 0;
/// From here on they are numbers of SKUs.
const SKU_FIRST: u64 = 1;
const LOCATION_LITERAL: u64 = 0;
const LOCATION_MAIN: u64 = 1;
/// From here on they are numbers of locations.
const LOCATION_FIRST: u64 = 2;

/// In the flags of a [`Place`]: the SKU is not the last one.
const PLACE_SKU: u8 = 1;
const PLACE_LOCATION: u8 = 0b11 << 1;
const PLACE_LOCATION_MAIN: u8 = 0;
const PLACE_LOCATION_SAME: u8 = 1 << 1;
const PLACE_LOCATION_OTHER: u8 = 2 << 1;

/// How many bits [`Encoder::place_flags`] takes.
pub(super) const PLACE_BITS: u8 = 3;

/// A SKU at a location, as lines, holds and counters have it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) sku: Sku,
    pub(super) location: Location,
}

/// Where in a body a name is written out.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    generation: u32,
    number: u32,
    offset: u32,
    length: u32,
}

/// The names written in a body, as far as they are remembered.
#[derive(Debug)]
pub(super) struct NameTable<const SIZE: usize> {
    entries: Box<[Entry; SIZE]>,
    /// The name that came last, if its generation is this one.
    last: Entry,
    generation: u32,
    count: u32,
}

impl<const SIZE: usize> NameTable<SIZE> {
    pub(super) fn new() -> Self {
        let entries = Box::new([Entry::default(); SIZE]);
        Self {
            entries,
            last: Entry::default(),
            generation: 1,
            count: 0,
        }
    }

    /// Forgets all names: what is of an older generation is not there.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            *self = Self::new();
        }
    }

    #[inline]
    fn is_last(&self, out: &[u8], name: &[u8]) -> bool {
        self.is_at(&self.last, out, name)
    }

    #[inline]
    fn is_at(&self, entry: &Entry, out: &[u8], name: &[u8]) -> bool {
        let offset = entry.offset as usize;
        entry.generation == self.generation
            && entry.length as usize == name.len()
            && is_same(&out[offset..offset + name.len()], name)
    }

    /// The number of a name that was written out before.
    fn find(&mut self, out: &[u8], name: &[u8]) -> Option<u64> {
        let entry = self.entries[Self::home(name)];
        if !self.is_at(&entry, out, name) {
            return None;
        }
        self.last = entry;
        Some(u64::from(entry.number))
    }

    /// Remembers a name that is about to be written at `offset`.
    fn enter(&mut self, name: &[u8], offset: usize) {
        let offset = u32::try_from(offset).expect("a body is far below 4 GiB");
        let (generation, number) = (self.generation, self.count);
        self.last = Entry {
            generation,
            number,
            offset,
            length: name.len() as u32,
        };
        self.entries[Self::home(name)] = self.last;
        self.count += 1;
    }

    #[inline]
    fn home(name: &[u8]) -> usize {
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let (words, tail) = name.as_chunks::<8>();
        let mut rest = [0; 8];
        rest[..tail.len()].copy_from_slice(tail);
        let mut hash = u64::from_le_bytes(rest) ^ name.len() as u64;
        for word in words {
            hash = (hash.wrapping_mul(MIX)).rotate_left(32) ^ u64::from_le_bytes(*word);
        }
        (hash.wrapping_mul(MIX) >> 40) as usize % SIZE
    }
}

/// Whether two names of the same length are equal. Most are short, and a call for the comparison
/// would cost more than the comparison.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (Some(one_end), Some(other_end)) = (one.last_chunk::<8>(), other.last_chunk::<8>()) else {
        return one == other;
    };
    let (one_words, _) = one.as_chunks::<8>();
    let (other_words, _) = other.as_chunks::<8>();
    u64::from_le_bytes(*one_end) == u64::from_le_bytes(*other_end)
        && one_words
            .iter()
            .zip(other_words)
            .all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
}

impl Encoder {
    pub(super) fn sku(&mut self, sku: &Sku) {
        let name = sku.as_str().as_bytes();
        if let Some(number) = self.skus.find(&self.out, name) {
            return self.varint(SKU_FIRST + number);
        }
        self.varint(SKU_LITERAL);
        self.skus.enter(name, self.out.len() + 1);
        self.name(name);
    }

    pub(super) fn location(&mut self, location: &Location) {
        let name = location.as_str();
        if name == MAIN {
            return self.varint(LOCATION_MAIN);
        }
        if let Some(number) = self.locations.find(&self.out, name.as_bytes()) {
            return self.varint(LOCATION_FIRST + number);
        }
        self.varint(LOCATION_LITERAL);
        self.locations.enter(name.as_bytes(), self.out.len() + 1);
        self.name(name.as_bytes());
    }

    fn name(&mut self, name: &[u8]) {
        self.byte(u8::try_from(name.len()).expect("a name has at most 64 bytes"));
        self.out.extend_from_slice(name);
    }

    /// Says in [`PLACE_BITS`] how the place relates to the last one; [`Encoder::place`] writes
    /// what they leave open.
    #[inline]
    pub(super) fn place_flags(&self, sku: &Sku, location: &Location) -> u8 {
        let known = self.skus.is_last(&self.out, sku.as_str().as_bytes());
        let name = location.as_str();
        let location = if name == MAIN {
            PLACE_LOCATION_MAIN
        } else if self.locations.is_last(&self.out, name.as_bytes()) {
            PLACE_LOCATION_SAME
        } else {
            PLACE_LOCATION_OTHER
        };
        flag(!known, PLACE_SKU) | location
    }

    #[inline]
    pub(super) fn place(&mut self, flags: u8, sku: &Sku, location: &Location) {
        if flags & PLACE_SKU != 0 {
            self.sku(sku);
        }
        if flags & PLACE_LOCATION == PLACE_LOCATION_OTHER {
            self.location(location);
        }
    }
}

/// The names read in a body, by number.
#[derive(Debug)]
pub(super) struct Names {
    skus: Vec<Sku>,
    locations: Vec<Location>,
    main: Location,
    /// Number of the SKU that came last.
    sku_last: usize,
    /// Number of the location that came last, `main` aside.
    location_last: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            skus: Vec::new(),
            locations: Vec::new(),
            main: Location::main(),
            sku_last: 0,
            location_last: 0,
        }
    }
}

impl Decoder<'_> {
    pub(super) fn sku(&mut self) -> Read<Sku> {
        let code = self.varint()?;
        if code == SKU_LITERAL {
            let sku = Sku::parse(self.name()?).map_err(|_| Fault::Name)?;
            self.names.sku_last = self.names.skus.len();
            self.names.skus.push(sku.clone());
            return Ok(sku);
        }
        self.names.sku_last = usize::try_from(code - SKU_FIRST).map_err(|_| Fault::Reference)?;
        self.sku_same()
    }

    #[inline]
    fn sku_same(&self) -> Read<Sku> {
        self.names
            .skus
            .get(self.names.sku_last)
            .cloned()
            .ok_or(Fault::Reference)
    }

    pub(super) fn location(&mut self) -> Read<Location> {
        let number = match self.varint()? {
            LOCATION_MAIN => return Ok(self.names.main.clone()),
            LOCATION_LITERAL => {
                let location = Location::parse(self.name()?).map_err(|_| Fault::Name)?;
                self.names.location_last = self.names.locations.len();
                self.names.locations.push(location.clone());
                return Ok(location);
            }
            code => code - LOCATION_FIRST,
        };
        self.names.location_last = usize::try_from(number).map_err(|_| Fault::Reference)?;
        self.location_same()
    }

    fn location_same(&self) -> Read<Location> {
        self.names
            .locations
            .get(self.names.location_last)
            .cloned()
            .ok_or(Fault::Reference)
    }

    fn name(&mut self) -> Read<&str> {
        let length = self.byte()?;
        str::from_utf8(self.bytes(usize::from(length))?).map_err(|_| Fault::Name)
    }

    /// The place that flags of [`Encoder::place_flags`] and what follows name.
    #[inline]
    pub(super) fn place(&mut self, flags: u8) -> Read<Place> {
        let sku = if flags & PLACE_SKU == 0 {
            self.sku_same()
        } else {
            self.sku()
        }?;
        let location = match flags & PLACE_LOCATION {
            PLACE_LOCATION_MAIN => self.names.main.clone(),
            PLACE_LOCATION_SAME => self.location_same()?,
            PLACE_LOCATION_OTHER => self.location()?,
            _ => return Err(Fault::Unknown),
        };
        Ok(Place { sku, location })
    }
}
