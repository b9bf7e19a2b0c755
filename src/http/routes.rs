//! Mounting handlers: an axum router, and a table of the same templates for counts and lanes.
//!
//! The table is asked before the router, so that a request's route is known without an extension
//! in every request and a layer around every handler. The calls that come by the thousand are
//! reached from the table itself: axum's way to a handler costs them about as much as parsing.

use std::convert::Infallible;
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use http_body_util::BodyExt;

use super::call::Call;
use super::pieces::Pieces;
use super::problem::{Code, Problem};

/// Which bound on requests in flight counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// `http.in_flight_max`.
    Checkout,
    /// `http.in_flight_config_max`: works while buyers fill the other.
    Config,
}

/// The answer of a handler that is called from the table.
type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler of `POST`, from its state and from the whole call.
type Handler<S> = Box<dyn Fn(S, Call) -> Answer + Send + Sync>;

/// The same with its state.
type Direct = Box<dyn Fn(Call) -> Answer + Send + Sync>;

/// A handler of `POST` that takes its body in pieces.
type Streamed<S> = Box<dyn Fn(S, Parts, Pieces) -> Answer + Send + Sync>;

/// The same with its state.
type Stream = Box<dyn Fn(Parts, Pieces) -> Answer + Send + Sync>;

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
    /// By the template's index.
    handlers: Vec<Option<Handler<S>>>,
    streamed: Vec<Option<Streamed<S>>>,
}

/// Routes ready to serve.
pub struct Mounted {
    router: Router,
    table: matchit::Router<Entry>,
    templates: Vec<&'static str>,
    direct: Vec<Option<Direct>>,
    streams: Vec<Option<Stream>>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            table: matchit::Router::new(),
            templates: Vec::new(),
            handlers: Vec::new(),
            streamed: Vec::new(),
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

    /// Adds a path without parts whose `POST` is called from the table; `others` are its other
    /// methods.
    ///
    /// # Panics
    /// If the path is there already.
    #[must_use]
    pub(crate) fn direct_route<F, A>(
        self,
        template: &'static str,
        handler: F,
        others: MethodRouter<S>,
    ) -> Self
    where
        F: Fn(State<S>, Call) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let direct = handler.clone();
        // Axum knows it too: it is what lists the path's methods.
        let mut routes = self.route(template, others.merge(post(handler)));
        let last = routes.handlers.last_mut().expect("it was just added");
        *last = Some(Box::new(move |state, call| {
            let answer = direct(State(state), call);
            Box::pin(async { answer.await.into_response() })
        }));
        routes
    }

    /// Adds a path whose writes are configuration or receipts; its reads are in the checkout lane.
    ///
    /// # Panics
    /// If the path is there already.
    #[must_use]
    pub fn config_route(self, template: &'static str, handlers: MethodRouter<S>) -> Self {
        self.add(template, Lane::Config, handlers)
    }

    /// Adds a path without parts whose `POST` takes its body in pieces, as they come; its lane is
    /// configuration.
    ///
    /// # Panics
    /// If the path is there already.
    #[must_use]
    pub(crate) fn streamed_route<F, A>(self, template: &'static str, handler: F) -> Self
    where
        F: Fn(State<S>, Parts, Pieces) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let whole = handler.clone();
        // Axum knows it too: it is what lists the path's methods.
        let known = post(move |state: State<S>, request: Request| async move {
            let (head, body) = request.into_parts();
            let collected = body.collect().await;
            let unreadable = |_| Problem::invalid("", "the body can't be read");
            let bytes = collected.map_err(unreadable)?.to_bytes();
            whole(state, head, Pieces::whole(bytes)).await
        });
        let mut routes = self.config_route(template, known);
        let last = routes.streamed.last_mut().expect("it was just added");
        *last = Some(Box::new(move |state, head, pieces| {
            let answer = handler(State(state), head, pieces);
            Box::pin(async { answer.await.into_response() })
        }));
        routes
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
        self.handlers.push(None);
        self.streamed.push(None);
        self.router = self.router.route(template, handlers);
        self
    }

    /// Closes the list: other paths answer 404, other methods 405 with `Allow`.
    pub fn with_state(self, state: S) -> Mounted {
        let with_state = |handler: Option<Handler<S>>| {
            let (handler, state) = (handler?, state.clone());
            let direct: Direct = Box::new(move |call| handler(state.clone(), call));
            Some(direct)
        };
        let direct = self.handlers.into_iter().map(with_state).collect();
        let streamed = |handler: Option<Streamed<S>>| {
            let (handler, state) = (handler?, state.clone());
            let stream: Stream = Box::new(move |head, pieces| handler(state.clone(), head, pieces));
            Some(stream)
        };
        let streams = self.streamed.into_iter().map(streamed).collect();
        let router = self
            .router
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(state);
        Mounted {
            router,
            table: self.table,
            templates: self.templates,
            direct,
            streams,
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

    /// Whether a request's body goes to its handler in pieces.
    pub(crate) fn is_streamed(&self, route: usize, method: &Method) -> bool {
        *method == Method::POST && self.streams[route].is_some()
    }

    /// Runs the handler of a route that [`Self::is_streamed`].
    pub(crate) async fn stream(&self, route: usize, head: Parts, pieces: Pieces) -> Response {
        let stream = self.streams[route].as_ref();
        stream.expect("the route is streamed")(head, pieces).await
    }

    /// Runs the handler of the route that [`Self::find`] found.
    pub(crate) async fn call(&self, route: Option<usize>, head: Parts, body: Bytes) -> Response {
        let direct = route.and_then(|route| self.direct[route].as_ref());
        if let Some(direct) = direct
            && head.method == Method::POST
        {
            return match Call::new(head, body) {
                Ok(call) => direct(call).await,
                Err(problem) => problem.into_response(),
            };
        }
        let body = if body.is_empty() {
            Body::empty()
        } else {
            Body::from(body)
        };
        let request = Request::from_parts(head, body);
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
