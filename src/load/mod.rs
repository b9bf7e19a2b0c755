//! The load laboratory: what a sale does to a stock, rehearsed from outside, measured and proved.
//!
//! A [`scenario`] says who comes, a [`plan`] draws them from a seed, [`drive`] plays them over a
//! [`wire`] (or into the engine, see [`targets`]), [`record`] notes what happens, [`proof`] holds
//! what buyers were told against what the server says, [`results`] and [`compare`] write it down.
//!
//! Like any other client it knows the HTTP contract alone; the engine in process is the one target
//! that does not. Deliberately absent: several machines. Generator and server may share one, and
//! the results say when the generator was the limit.

pub mod compare;
mod conduct;
pub mod drive;
pub mod plan;
pub mod proof;
pub mod record;
pub mod results;
pub mod run;
pub mod scenario;
pub mod targets;
pub mod text;
pub mod threshold;
pub mod view;
pub mod wire;
