//! Mounting handlers: an axum router, and a table of the same templates for counts and lanes.
//!
//! The table is asked before the router, so that a request's route is known without an extension
//! in every request and a layer around every handler.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::routing::MethodRouter;

use super::problem::{Code, Problem};

/// Which bound on requests in flight counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// `http.in_flight_max`.
    Checkout,
    /// `http.in_flight_config_max`: works while buyers fill the other.
    Config,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    index: usize,
    /// The lane of methods other than GET and HEAD.
    writes: Lane,
}

/// Routes under construction, for handlers with state `S`.
pub struct Routes<S> {
    router: Router<S>,
    table: matchit::Router<Entry>,
    templates: Vec<&'static str>,
}

/// Routes ready to serve.
pub struct Mounted {
    router: Router,
    table: matchit::Router<Entry>,
    templates: Vec<&'static str>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            table: matchit::Router::new(),
            templates: Vec::new(),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path, such as `/v1/skus/{sku}`; all its methods are in the checkout lane.
    ///
    /// # Panics
    /// If the path is there already.
    #[must_use]
    pub fn route(self, template: &'static str, handlers: MethodRouter<S>) -> Self {
        self.add(template, Lane::Checkout, handlers)
    }

    /// Adds a path whose writes are configuration or receipts; its reads are in the checkout lane.
    ///
    /// # Panics
    /// If the path is there already.
    #[must_use]
    pub fn config_route(self, template: &'static str, handlers: MethodRouter<S>) -> Self {
        self.add(template, Lane::Config, handlers)
    }

    fn add(mut self, template: &'static str, writes: Lane, handlers: MethodRouter<S>) -> Self {
        let entry = Entry {
            index: self.templates.len(),
            writes,
        };
        self.table
            .insert(template, entry)
            .expect("every path is mounted once");
        self.templates.push(template);
        self.router = self.router.route(template, handlers);
        self
    }

    /// Closes the list: other paths answer 404, other methods 405 with `Allow`.
    pub fn with_state(self, state: S) -> Mounted {
        let router = self
            .router
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(state);
        Mounted {
            router,
            table: self.table,
            templates: self.templates,
        }
    }
}

impl Mounted {
    /// The templates, in the order of their indices.
    pub fn templates(&self) -> &[&'static str] {
        &self.templates
    }

    /// The template's index and the lane of a request; nothing matches in the checkout lane.
    pub(crate) fn find(&self, method: &Method, path: &str) -> (Option<usize>, Lane) {
        let Ok(found) = self.table.at(path) else {
            return (None, Lane::Checkout);
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let lane = if reads {
            Lane::Checkout
        } else {
            found.value.writes
        };
        (Some(found.value.index), lane)
    }

    /// Runs the handler.
    pub(crate) async fn call(&self, request: Request) -> axum::response::Response {
        let answer: Result<_, Infallible> =
            tower_service::Service::call(&mut self.router.clone(), request).await;
        match answer {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

async fn not_found(request: Request) -> Problem {
    Problem::new(
        Code::NotFound,
        "no call has this path; /openapi.json lists them",
    )
    .with("path", request.uri().path())
}

async fn method_not_allowed(request: Request) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "the header Allow lists this path's methods",
    )
    .with("method", request.method().as_str())
}
