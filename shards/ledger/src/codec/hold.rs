//! Holds: records and changes.
//!
//! Where a reservation is made on the shard of its lines, its holds follow from it, and an effect
//! is one byte. [`Basis`] is what they follow from: the reservation or the change that came before
//! in the same event, and how far its lines are used up.

use holdfast_core::{
    Effect, HoldChange, HoldPhase, HoldRecord, HomeChange, HomeRecord, LineRecord, Timestamp,
};

use super::Fault;
use super::names::{PLACE_BITS, Place};
use super::wire::{Decoder, Encoder, Read, flag, totals_fit};

/// Flags of a hold that entered, in the upper half of an effect's head: all of it follows.
const CREATED_FOLLOWS: u8 = 1 << 4;
/// It counts for the reservation's customer.
const CREATED_COUNTED: u8 = 1 << 5;
/// Since another time than the id's.
const CREATED_SINCE: u8 = 1 << 6;

/// Flags of a whole record; the place comes first.
const HOLD_ID: u16 = 1 << PLACE_BITS;
const HOLD_NUMBER: u16 = 1 << 4;
const HOLD_ATTEMPT: u16 = 1 << 5;
const HOLD_PHASE_SHIFT: u16 = 6;
const HOLD_PHASE: u16 = 0b11 << HOLD_PHASE_SHIFT;
const HOLD_REQUESTED: u16 = 1 << 8;
const HOLD_UNITS: u16 = 1 << 9;
const HOLD_TOTALS: u16 = 1 << 10;
const HOLD_VERSION: u16 = 1 << 11;
const HOLD_TTL: u16 = 1 << 12;
const HOLD_COUNTED: u16 = 1 << 13;
const HOLD_SINCE: u16 = 1 << 14;
const HOLD_GRACED: u16 = 1 << 15;

/// Flags of a change, in the upper half of an effect's head: as the reservation's change.
const CHANGE_VERSION: u8 = 1 << 4;
const CHANGE_DEADLINE: u8 = 1 << 5;
const CHANGE_TOTALS: u8 = 1 << 6;
const CHANGE_PHASE: u8 = 1 << 7;

/// In place of the phase of a whole record: bound or local, and what became of its units follows at
/// the end, the phase with it.
const PHASE_AFTER: u16 = 3;

/// Its place in this list is a phase's number.
const PHASES: [HoldPhase; 3] = [HoldPhase::Local, HoldPhase::Tentative, HoldPhase::Bound];

/// What the holds of an event may follow from, by the places of effects.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Basis {
    home: Option<usize>,
    /// The first line of `home` that no hold has followed from.
    line: usize,
    change: Option<usize>,
    /// The first line of `change` that no hold's change has followed from.
    total: usize,
}

impl Basis {
    /// Takes note of `effect`, the one at `place`.
    #[inline]
    pub(super) fn note(&mut self, place: usize, effect: &Effect) {
        match effect {
            Effect::HomeCreated(_) => (self.home, self.line) = (Some(place), 0),
            Effect::HomeChanged(_) => (self.change, self.total) = (Some(place), 0),
            Effect::Reserved(_)
            | Effect::HomeForgotten(_)
            | Effect::HoldCreated(_)
            | Effect::HoldChanged(_)
            | Effect::HoldForgotten(_)
            | Effect::Stock(_)
            | Effect::Sku(_)
            | Effect::Resumed(_)
            | Effect::KeysForgotten(_)
            | Effect::HoldAfter(_)
            | Effect::HomeLines(_)
            | Effect::Location(_)
            | Effect::Stream(_)
            | Effect::StreamForgotten(_)
            | Effect::Counted(_)
            | Effect::Drift(_)
            | Effect::DriftForgotten(_)
            | Effect::Message(_)
            | Effect::MessagesForgotten(_)
            | Effect::Supply(_) => {}
        }
    }

    /// The reservation and the next of its lines that has its hold here.
    fn next_line<'e>(&mut self, effects: &'e [Effect]) -> Option<(&'e HomeRecord, &'e LineRecord)> {
        let Some(Effect::HomeCreated(home)) = self.home.and_then(|place| effects.get(place)) else {
            return None;
        };
        let skipped = home
            .lines
            .get(self.line..)?
            .iter()
            .position(|line| !line.foreign)?;
        self.line += skipped + 1;
        Some((home, &home.lines[self.line - 1]))
    }

    /// The reservation's change and the totals of its next line.
    fn next_totals<'e>(
        &mut self,
        effects: &'e [Effect],
    ) -> Option<(&'e HomeChange, Option<[u32; 3]>)> {
        let Some(Effect::HomeChanged(change)) = self.change.and_then(|place| effects.get(place))
        else {
            return None;
        };
        let totals = change.totals.get(self.total).copied();
        self.total += 1;
        Some((change, totals))
    }
}

/// Whether all but `counted` of `hold` is as it follows from a line.
fn follows(hold: &HoldRecord, home: &HomeRecord, line: &LineRecord) -> bool {
    hold.number == line.hold
        && hold.id == home.id
        && hold.attempt == 0
        && hold.phase == HoldPhase::Local
        && hold.requested == line.requested
        && hold.units == line.units
        && hold.version == home.version
        && hold.deadline == home.expires_at
        && hold.totals == line.totals
        && !hold.graced
        && hold.after == [0; 2]
        && hold.sku == line.sku
        && hold.location == line.location
}

impl Encoder {
    /// Writes a hold that entered, with the effect's head. `before` are the event's effects before
    /// this one.
    pub(super) fn hold_created(
        &mut self,
        tag: u8,
        hold: &HoldRecord,
        basis: &mut Basis,
        before: &[Effect],
    ) {
        let mut next = *basis;
        let Some((home, _)) = next
            .next_line(before)
            .filter(|(home, line)| follows(hold, home, line))
        else {
            self.byte(tag);
            return self.hold(hold);
        };
        let flags = match &hold.counted {
            None => CREATED_FOLLOWS,
            Some((customer, since)) if Some(customer) == home.customer.as_ref() => {
                CREATED_FOLLOWS | CREATED_COUNTED | flag(*since != hold.id.at(), CREATED_SINCE)
            }
            Some(_) => {
                self.byte(tag);
                return self.hold(hold);
            }
        };
        *basis = next;
        self.byte(tag | flags);
        if let Some((_, since)) = &hold.counted
            && flags & CREATED_SINCE != 0
        {
            self.delta(since.ms(), hold.id.at().ms());
        }
    }

    pub(super) fn hold(&mut self, hold: &HoldRecord) {
        assert!(
            totals_fit(&hold.totals, hold.units),
            "INV-5: totals of a hold are within its units"
        );
        let born = hold.id.at().ms();
        let ttl = hold.deadline.ms().wrapping_sub(born);
        let number = hold.number.wrapping_sub(self.recent.hold);
        let place = self.place_flags(&hold.sku, &hold.location);
        let when = |set: bool, bit: u16| if set { bit } else { 0 };
        let since = hold.counted.as_ref().map(|(_, since)| since.ms());
        let has_after = hold.after != [0; 2] || hold.told != 0;
        assert!(
            !has_after || hold.phase != HoldPhase::Tentative,
            "INV-5: nothing became of a hold that its home has not decided"
        );
        let phase = if has_after {
            PHASE_AFTER
        } else {
            hold.phase as u16
        };
        let flags = u16::from(place)
            | when(Some(hold.id) != self.recent.id, HOLD_ID)
            | when(number != 1, HOLD_NUMBER)
            | when(hold.attempt != 0, HOLD_ATTEMPT)
            | phase << HOLD_PHASE_SHIFT
            | when(hold.requested != 1, HOLD_REQUESTED)
            | when(hold.units != hold.requested, HOLD_UNITS)
            | when(hold.totals != [0; 3], HOLD_TOTALS)
            | when(hold.version != 1, HOLD_VERSION)
            | when(ttl != self.recent.ttl, HOLD_TTL)
            | when(since.is_some(), HOLD_COUNTED)
            | when(since.is_some_and(|since| since != born), HOLD_SINCE)
            | when(hold.graced, HOLD_GRACED);
        self.array(flags.to_le_bytes());
        self.place(place, &hold.sku, &hold.location);
        if flags & HOLD_ID != 0 {
            self.id(hold.id);
        }
        if flags & HOLD_NUMBER != 0 {
            self.signed(number as i64);
        }
        for (bit, value) in [
            (HOLD_ATTEMPT, hold.attempt),
            (HOLD_REQUESTED, hold.requested),
            (HOLD_UNITS, hold.units),
            (HOLD_VERSION, hold.version),
        ] {
            if flags & bit != 0 {
                self.varint(u64::from(value));
            }
        }
        if flags & HOLD_TOTALS != 0 {
            self.totals(&hold.totals);
        }
        if flags & HOLD_TTL != 0 {
            self.signed(ttl as i64);
        }
        if let Some((customer, since)) = &hold.counted {
            self.text(customer);
            if flags & HOLD_SINCE != 0 {
                self.delta(since.ms(), born);
            }
        }
        if has_after {
            self.after(hold.after);
            let is_local = u64::from(hold.phase == HoldPhase::Local);
            self.varint(u64::from(hold.told) << 1 | is_local);
        }
        self.recent.ttl = ttl;
        self.recent.hold = hold.number;
    }

    /// Writes a hold's change, with the effect's head.
    pub(super) fn hold_changed(
        &mut self,
        tag: u8,
        hold: &HoldChange,
        basis: &mut Basis,
        before: &[Effect],
    ) {
        let follows = basis.next_totals(before).map_or(0, |(change, totals)| {
            flag(hold.version == change.version, CHANGE_VERSION)
                | flag(hold.deadline == change.expires_at, CHANGE_DEADLINE)
                | flag(totals == Some(hold.totals), CHANGE_TOTALS)
        });
        self.byte(tag | follows | flag(hold.phase != HoldPhase::Local, CHANGE_PHASE));
        self.hold_number(hold.number);
        if follows & CHANGE_VERSION == 0 {
            self.varint(u64::from(hold.version));
        }
        if follows & CHANGE_DEADLINE == 0 {
            self.time(hold.deadline);
        }
        if follows & CHANGE_TOTALS == 0 {
            self.totals(&hold.totals);
        }
        if hold.phase != HoldPhase::Local {
            self.byte(hold.phase as u8);
        }
    }

    pub(super) fn hold_number(&mut self, number: u64) {
        self.delta(number, self.recent.hold);
        self.recent.hold = number;
    }
}

impl Decoder<'_> {
    pub(super) fn hold_created(
        &mut self,
        flags: u8,
        basis: &mut Basis,
        before: &[Effect],
    ) -> Read<HoldRecord> {
        if flags & CREATED_FOLLOWS == 0 {
            return if flags == 0 {
                self.hold()
            } else {
                Err(Fault::Unknown)
            };
        }
        let (home, line) = basis.next_line(before).ok_or(Fault::Reference)?;
        let counted = match flags & !CREATED_FOLLOWS {
            0 => None,
            CREATED_COUNTED => Some(home.id.at()),
            counted if counted == CREATED_COUNTED | CREATED_SINCE => {
                Some(Timestamp::from_ms(self.delta(home.id.at().ms())?))
            }
            _ => return Err(Fault::Unknown),
        };
        let counted = match (counted, &home.customer) {
            (None, _) => None,
            (Some(since), Some(customer)) => Some((customer.clone(), since)),
            (Some(_), None) => return Err(Fault::Reference),
        };
        Ok(HoldRecord {
            number: line.hold,
            id: home.id,
            attempt: 0,
            phase: HoldPhase::Local,
            sku: line.sku.clone(),
            location: line.location.clone(),
            requested: line.requested,
            units: line.units,
            version: home.version,
            deadline: home.expires_at,
            totals: line.totals,
            counted,
            graced: false,
            after: [0; 2],
            told: 0,
        })
    }

    pub(super) fn hold(&mut self) -> Read<HoldRecord> {
        let flags = u16::from_le_bytes(self.array()?);
        let has = |bit| flags & bit != 0;
        let number = (flags & HOLD_PHASE) >> HOLD_PHASE_SHIFT;
        let has_after = number == PHASE_AFTER;
        let phase = if has_after {
            HoldPhase::Bound
        } else {
            phase(number as u8)?
        };
        if has(HOLD_SINCE) && !has(HOLD_COUNTED) {
            return Err(Fault::Unknown);
        }
        let Place { sku, location } = self.place(flags as u8)?;
        let id = if has(HOLD_ID) {
            self.id()
        } else {
            self.id_same()
        }?;
        let step = self.or(has(HOLD_NUMBER), 1, Self::signed)? as u64;
        let attempt = self.or(has(HOLD_ATTEMPT), 0, Self::varint_u32)?;
        let requested = self.or(has(HOLD_REQUESTED), 1, Self::varint_u32)?;
        let units = self.or(has(HOLD_UNITS), requested, Self::varint_u32)?;
        let version = self.or(has(HOLD_VERSION), 1, Self::varint_u32)?;
        let totals = self.or(has(HOLD_TOTALS), [0; 3], Self::totals)?;
        if !totals_fit(&totals, units) {
            return Err(Fault::Totals);
        }
        let ttl = self.or(has(HOLD_TTL), self.recent.ttl as i64, Self::signed)? as u64;
        let born = id.at().ms();
        let counted = self.or(has(HOLD_COUNTED), None, |from| {
            let customer = from.text()?;
            let since = from.or(has(HOLD_SINCE), born, |from| from.delta(born))?;
            Ok(Some((customer, Timestamp::from_ms(since))))
        })?;
        let (after, told, is_local) = self.or(has_after, ([0; 2], 0, false), |from| {
            let (after, told) = (from.after()?, from.varint()?);
            let units = u32::try_from(told >> 1).map_err(|_| Fault::Overflow)?;
            Ok((after, units, told & 1 != 0))
        })?;
        let phase = if is_local { HoldPhase::Local } else { phase };
        let deadline = Timestamp::from_ms(born.wrapping_add(ttl));
        let number = self.recent.hold.wrapping_add(step);
        let graced = has(HOLD_GRACED);
        self.recent.ttl = ttl;
        self.recent.hold = number;
        Ok(HoldRecord {
            number,
            id,
            attempt,
            phase,
            sku,
            location,
            requested,
            units,
            version,
            deadline,
            totals,
            counted,
            graced,
            after,
            told,
        })
    }

    pub(super) fn hold_changed(
        &mut self,
        flags: u8,
        basis: &mut Basis,
        before: &[Effect],
    ) -> Read<HoldChange> {
        let (change, following) = basis.next_totals(before).unzip();
        let number = self.hold_number()?;
        let version = if flags & CHANGE_VERSION == 0 {
            self.varint_u32()?
        } else {
            change.ok_or(Fault::Reference)?.version
        };
        let deadline = if flags & CHANGE_DEADLINE == 0 {
            self.time()?
        } else {
            change.ok_or(Fault::Reference)?.expires_at
        };
        let totals = if flags & CHANGE_TOTALS == 0 {
            self.totals()?
        } else {
            following.flatten().ok_or(Fault::Reference)?
        };
        let phase = if flags & CHANGE_PHASE == 0 {
            HoldPhase::Local
        } else {
            phase(self.byte()?)?
        };
        Ok(HoldChange {
            number,
            version,
            deadline,
            phase,
            totals,
        })
    }

    pub(super) fn hold_number(&mut self) -> Read<u64> {
        self.recent.hold = self.delta(self.recent.hold)?;
        Ok(self.recent.hold)
    }
}

fn phase(number: u8) -> Read<HoldPhase> {
    PHASES
        .get(usize::from(number))
        .copied()
        .ok_or(Fault::Unknown)
}
