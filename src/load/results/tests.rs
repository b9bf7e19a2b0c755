//! Tests of the results.
