//! How much of a SKU there is, and since when: a byte, and its moments.

use holdfast_core::{Band, Supply, SupplyEffect};

use super::Fault;
use super::reserved::follow;
use super::wire::{Decoder, Encoder, Read, flag};

const SUPPLY_BAND: u8 = 0b11;
const SUPPLY_DEPLETED: u8 = 1 << 2;
const SUPPLY_SOLD_OUT: u8 = 1 << 3;
/// Of an effect: its versions are the last ones, one event on.
const SUPPLY_FOLLOWS: u8 = 1 << 4;
/// Of an effect: its versions are the last ones.
const SUPPLY_SAME: u8 = 1 << 5;
const SUPPLY_MOMENTS: u8 = SUPPLY_BAND | SUPPLY_DEPLETED | SUPPLY_SOLD_OUT;
const SUPPLY_ALL: u8 = SUPPLY_MOMENTS | SUPPLY_FOLLOWS | SUPPLY_SAME;

impl Encoder {
    pub(super) fn supply_effect(&mut self, effect: &SupplyEffect) {
        let (last, versions) = (self.recent.versions, effect.versions);
        let (is_same, follows) = (versions == last, versions == follow(last));
        self.sku(&effect.sku);
        self.supply_with(
            effect.supply,
            flag(is_same, SUPPLY_SAME) | flag(follows, SUPPLY_FOLLOWS),
        );
        if !is_same && !follows {
            self.versions(versions);
        }
        self.recent.versions = versions;
    }

    pub(super) fn supply(&mut self, supply: Supply) {
        self.supply_with(supply, 0);
    }

    fn supply_with(&mut self, supply: Supply, flags: u8) {
        self.byte(
            flags
                | supply.band as u8
                | flag(supply.depleted_at.is_some(), SUPPLY_DEPLETED)
                | flag(supply.sold_out_at.is_some(), SUPPLY_SOLD_OUT),
        );
        for at in [supply.depleted_at, supply.sold_out_at]
            .into_iter()
            .flatten()
        {
            self.time(at);
        }
    }
}

impl Decoder<'_> {
    pub(super) fn supply_effect(&mut self) -> Read<SupplyEffect> {
        let sku = self.sku()?;
        let flags = self.byte()?;
        if flags & !SUPPLY_ALL != 0 {
            return Err(Fault::Unknown);
        }
        let supply = self.supply_of(flags & SUPPLY_MOMENTS)?;
        let versions = match flags & !SUPPLY_MOMENTS {
            SUPPLY_SAME => self.recent.versions,
            SUPPLY_FOLLOWS => follow(self.recent.versions),
            0 => self.versions()?,
            _ => return Err(Fault::Unknown),
        };
        self.recent.versions = versions;
        Ok(SupplyEffect {
            sku,
            supply,
            versions,
        })
    }

    pub(super) fn supply(&mut self) -> Read<Supply> {
        let flags = self.byte()?;
        self.supply_of(flags)
    }

    fn supply_of(&mut self, flags: u8) -> Read<Supply> {
        let band = usize::from(flags & SUPPLY_BAND);
        if flags & !SUPPLY_MOMENTS != 0 {
            return Err(Fault::Unknown);
        }
        let mut supply = Supply {
            band: *Band::ALL.get(band).ok_or(Fault::Unknown)?,
            ..Supply::default()
        };
        if flags & SUPPLY_DEPLETED != 0 {
            supply.depleted_at = Some(self.time()?);
        }
        if flags & SUPPLY_SOLD_OUT != 0 {
            supply.sold_out_at = Some(self.time()?);
        }
        Ok(supply)
    }
}
