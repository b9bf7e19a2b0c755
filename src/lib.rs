//! holdfast: the service around the engine.
