//! The buyers' life against a server that is a script.
