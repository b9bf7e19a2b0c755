//! Each claim seen broken by evidence that speaks against it.
