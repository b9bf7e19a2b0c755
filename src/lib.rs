//! holdfast: the service around the engine.
//!
//! The binary is a thin shell over this library, so that tests can start the pieces one by one.

pub mod cli;
