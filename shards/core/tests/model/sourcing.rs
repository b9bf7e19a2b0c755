//! Which places serve the lines that name none.

use super::Model;
use super::reserve::{Ask, Shelf};
use holdfast_core::{Location, Sku, Sourcing};
use std::cmp::Reverse;

impl Model {
    /// What unnamed lines take from where.
    pub(super) fn spread(
        &self,
        (ask, units): (&Ask, u64),
        cart: Option<&Location>,
        shelf: &mut Shelf,
    ) -> Vec<(Location, u64)> {
        let free =
            |shelf: &Shelf, place: &Location| shelf[&(ask.sku.clone(), place.clone())].recorded;
        let mut places = match &ask.location {
            Some(location) => vec![location.clone()],
            None => self.selling_order(&ask.sku),
        };
        let covering = |place: &&Location| free(shelf, place) >= units;
        match self.skus[&ask.sku].config.sourcing {
            Sourcing::WholeLine => {
                if let Some(place) = places.iter().find(covering) {
                    places = vec![place.clone()];
                }
            }
            Sourcing::WholeCart => {
                let first = places.iter().find(covering);
                let chosen = cart.filter(|_| ask.location.is_none()).or(first);
                if let Some(place) = chosen {
                    places = vec![place.clone()];
                }
            }
            Sourcing::Priority => {}
            Sourcing::MostAvailable => places.sort_by_key(|place| Reverse(free(shelf, place))),
        }
        let mut takes = Vec::new();
        let mut wanted = units;
        for place in places {
            let here = shelf
                .get_mut(&(ask.sku.clone(), place.clone()))
                .expect("known places only");
            let take = wanted.min(here.recorded);
            if take > 0 {
                here.recorded -= take;
                here.alive -= take;
                wanted -= take;
                takes.push((place, take));
            }
        }
        takes
    }

    /// The place that has what every SKU still wants that is to come from one place for the cart.
    pub(super) fn place_for_all(&self, wants: &[(Sku, u64)], shelf: &Shelf) -> Option<Location> {
        let (first, _) = wants.first()?;
        let has = |place: &Location, (sku, units): &(Sku, u64)| {
            let sells = self.selling_order(sku).contains(place);
            sells && shelf[&(sku.clone(), place.clone())].recorded >= *units
        };
        let mut places = self.selling_order(first).into_iter();
        places.find(|place| wants.iter().all(|want| has(place, want)))
    }
}
