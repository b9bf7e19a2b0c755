//! The codec: what goes in comes out, whatever comes in does no harm, and the bytes of a version
//! stay what they are.

mod arbitrary;
mod arbitrary_chunk;
mod arbitrary_life;
mod damage;
mod golden;
mod round_trip;
mod samples;
mod samples_chunks;
mod samples_life;
mod size;
