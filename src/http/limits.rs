//! What one connection and one request may cost, from the configuration's `[http]`.

use std::time::Duration;

use crate::config;

/// Bounds of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, per socket.
    pub connections_max: usize,
    /// Requests in flight in the checkout lane.
    pub in_flight_max: u64,
    /// Requests in flight in the configuration lane.
    pub in_flight_config_max: u64,
    /// From a head's first byte to its end.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Without a request.
    pub idle_timeout: Duration,
    /// Without the client taking a byte.
    pub write_timeout: Duration,
    /// From the end of the body to the answer.
    pub request_timeout: Duration,
    /// Length of a head.
    pub head_bytes_max: usize,
    /// Length of a body.
    pub body_bytes_max: u64,
    /// Bodies that are still arriving, together; those that come in one piece don't count.
    pub body_buffer_bytes_max: u64,
}

impl Limits {
    /// The data listener's.
    pub fn of_data(http: &config::Http) -> Self {
        Self {
            connections_max: http.connections_max as usize,
            in_flight_max: http.in_flight_max,
            in_flight_config_max: http.in_flight_config_max,
            header_timeout: http.header_timeout_ms.duration(),
            body_timeout: http.body_timeout_ms.duration(),
            idle_timeout: http.idle_timeout_ms.duration(),
            write_timeout: http.write_timeout_ms.duration(),
            request_timeout: http.request_timeout_ms.duration(),
            head_bytes_max: http.head_bytes_max.0 as usize,
            body_bytes_max: http.body_bytes_max.0,
            body_buffer_bytes_max: http.body_buffer_bytes_max.0,
        }
    }

    /// The admin listener's: few connections, and time for slow operations.
    pub fn of_admin(http: &config::Http) -> Self {
        Self {
            connections_max: http.connections_max.min(256) as usize,
            in_flight_max: 256,
            in_flight_config_max: 256,
            ..Self::of_data(http)
        }
    }

    /// The shortest time any stage of a connection has.
    pub(crate) fn shortest(&self) -> Duration {
        let reading = self.header_timeout.min(self.body_timeout);
        reading.min(self.request_timeout).min(self.idle_timeout)
    }
}
