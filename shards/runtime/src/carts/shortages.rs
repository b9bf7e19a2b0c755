//! What best effort could not grant, line by line, from what the parts said.

use super::attempt::{Attempt, Part, PartAnswer};
use crate::peer::ShortWhy;
use holdfast_core::{CreateCart, HeldLine, Shortage, ShortageReason};

/// The cart with what its parts hold, and for best effort what they don't; or why that is no cart.
pub(super) fn with_parts(
    cart: &CreateCart,
    attempt: &Attempt,
) -> Result<Box<CreateCart>, ShortWhy> {
    if let Some(refusal) = attempt.refusal(|refusal| refusal.as_shortage().is_none()) {
        return Err(ShortWhy::Refused(refusal));
    }
    let mut cart = cart.clone();
    cart.held = attempt.held();
    for part in &attempt.parts {
        let (held, told, reason) = match &part.answer {
            Some(PartAnswer::Held(held, told)) => {
                (&held[..], &told[..], ShortageReason::InsufficientStock)
            }
            Some(PartAnswer::Short(why)) => (&[][..], &[][..], short_reason(why)?),
            None => (&[][..], &[][..], ShortageReason::Unavailable),
        };
        cart.shortages.extend(shortages(part, held, told, reason));
    }
    Ok(Box::new(cart))
}

/// The shortage that best effort makes of a part's answer.
fn short_reason(why: &ShortWhy) -> Result<ShortageReason, ShortWhy> {
    match why {
        ShortWhy::Undecided => Ok(ShortageReason::InsufficientStock),
        ShortWhy::Refused(refusal) => refusal.as_shortage().ok_or_else(|| why.clone()),
        ShortWhy::Full(_) => Err(why.clone()),
    }
}

/// What a part was asked for and does not hold. It tells why with its first answer only: one that
/// comes again names the holds alone, so home counts for itself, and then `reason` is why.
fn shortages(
    part: &Part,
    held: &[HeldLine],
    told: &[Shortage],
    reason: ShortageReason,
) -> Vec<Shortage> {
    let mut shortages: Vec<Shortage> = Vec::new();
    for line in &part.lines {
        let requested = line.units.get();
        let same = |shortage: &&mut Shortage| shortage.sku == line.sku;
        if let Some(shortage) = shortages.iter_mut().find(same) {
            shortage.requested = shortage.requested.saturating_add(requested);
            continue;
        }
        let granted = held.iter().filter(|held| held.sku == line.sku);
        let told = told.iter().find(|told| told.sku == line.sku);
        shortages.push(Shortage {
            sku: line.sku.clone(),
            requested,
            granted: granted.map(|held| held.units).sum(),
            reason: told.map_or(reason, |told| told.reason),
        });
    }
    shortages.retain(|shortage| shortage.granted < shortage.requested);
    shortages
}
