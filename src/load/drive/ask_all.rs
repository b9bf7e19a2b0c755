//! Asking the same of many: reading every reservation back, repeating a sample of the reserves.
//! Nothing of it is measured; what is not answered is asked again for a while.

use std::time::{Duration, Instant};

use super::{Ask, Reply, Transport};

/// What came of one question of many.
#[derive(Debug)]
pub struct Asked {
    /// Its place among them.
    pub place: usize,
    /// The answer; `again` is set where none came within the patience.
    pub reply: Reply,
}

/// Between two tries of one question.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks questions 0 to below `count`, as many at once as the transport carries, and hands every
/// answer to `hear`. `ask` sends the question of a place.
pub fn ask_all<T: Transport>(
    transport: &mut T,
    count: usize,
    patience: Duration,
    mut ask: impl FnMut(usize, &mut dyn FnMut(&Ask<'_>)),
    mut hear: impl FnMut(Asked),
) {
    let until = Instant::now() + patience;
    let mut next = 0;
    let mut open = 0;
    let mut again: Vec<u32> = Vec::new();
    let mut again_from = Instant::now();
    let mut heard = Vec::new();
    while next < count || open > 0 || !again.is_empty() {
        let now = Instant::now();
        while transport.free() > 0 {
            let place = if now >= again_from
                && let Some(place) = again.pop()
            {
                place as usize
            } else if next < count {
                next += 1;
                next - 1
            } else {
                break;
            };
            open += 1;
            ask(place, &mut |ask| transport.send(place as u32, ask));
        }
        transport.wait(now + PAUSE, &mut heard);
        for heard in heard.drain(..) {
            open -= 1;
            if heard.reply.again && heard.done < until {
                again.push(heard.ticket);
                again_from = heard.done + PAUSE;
            } else {
                hear(Asked {
                    place: heard.ticket as usize,
                    reply: heard.reply,
                });
            }
        }
    }
}
