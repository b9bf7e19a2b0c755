//! The data listener's calls about locations, as the contract describes them.

use super::openapi_calls::{ANY, BODY, CURSOR, Call, Form, LIMIT, Parameter, Place, SHARD, json};
use super::problem::Code;

const NAME: Parameter = Parameter {
    name: "name",
    place: Place::Path,
    required: true,
    description: "The location.",
    form: Form::Named("LocationName"),
};

/// The calls about locations.
pub(super) const LOCATIONS: &[Call] = &[
    Call {
        listener: "data",
        method: "PUT",
        path: "/v1/locations/{name}",
        id: "configureLocation",
        summary: "Declare a location, or open or close it for selling",
        parameters: &[&NAME],
        body: Some(("ConfigureLocation", false)),
        answers: &[json(200, "Location", "Every shard has it.")],
        problems: &[ANY, BODY, SHARD],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/locations/{name}",
        id: "readLocation",
        summary: "A location that was declared",
        parameters: &[&NAME],
        body: None,
        answers: &[json(200, "Location", "The location.")],
        problems: &[ANY, SHARD, &[Code::UnknownLocation]],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/locations",
        id: "listLocations",
        summary: "The locations that were declared, by name",
        parameters: &[&LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "LocationPage", "A page.")],
        problems: &[ANY, SHARD],
    },
    Call {
        listener: "data",
        method: "GET",
        path: "/v1/shortfalls",
        id: "listShortfalls",
        summary: "Where less is on hand than is held, and which reservations that leaves without",
        parameters: &[&LIMIT, &CURSOR],
        body: None,
        answers: &[json(200, "ShortfallPage", "A page, by SKU and location.")],
        problems: &[ANY, SHARD],
    },
];
