//! The import table: what each room may not name, and which crates each package may depend on.
//!
//! It is the table of ARCHITECTURE.md in a form that can fail. Lists are words between spaces.

/// A part of the tree and the paths that may not be named there.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// Files and folders; a folder ends with `/`.
    pub(crate) at: &'static str,
    pub(crate) except: &'static str,
    /// Paths, each with all that lies below it; one that ends with `::` stands anywhere in a path.
    pub(crate) never: &'static str,
    pub(crate) because: &'static str,
}

/// A package and the crates it may depend on.
pub(crate) struct Package {
    pub(crate) manifest: &'static str,
    pub(crate) may: &'static str,
    /// What not even its tests may depend on.
    pub(crate) never: &'static str,
    pub(crate) because: &'static str,
}

/// Crates that do I/O, read clocks, make random numbers, run tasks or log.
const IMPURE: &str = "axum chrono dashmap fastrand futures getrandom holdfast_ledger \
    holdfast_runtime hyper jiff log parking_lot rand ractor redb rustix tokio tracing";

pub(crate) const ROOMS: &[Room] = &[
    Room {
        name: "shards/core",
        at: "shards/core/src/",
        except: "",
        never: IMPURE,
        because: "the core is pure: no I/O, clock, randomness, async or logging",
    },
    Room {
        name: "shards/core",
        at: "shards/core/src/",
        except: "",
        never: "async await std::env std::fs std::io std::net std::process std::thread std::time \
            std::hash::RandomState println eprintln",
        because: "the core is pure: what it needs comes in as a parameter",
    },
    Room {
        name: "shards/core",
        at: "shards/core/src/",
        except: "",
        never: "std::collections::HashMap std::collections::HashSet",
        because: "their order is random; use a BTreeMap or the engine's sub-tables",
    },
    Room {
        name: "shards/ledger",
        at: "shards/ledger/src/",
        except: "",
        never: "async await axum dashmap holdfast_runtime hyper ractor rand tokio std::time \
            println eprintln",
        because: "a ledger blocks, has a thread of its own, and a batch brings its time",
    },
    Room {
        name: "shards/runtime",
        at: "shards/runtime/src/",
        except: "",
        never: "axum clap hyper toml std::env println eprintln",
        because: "the runtime knows neither HTTP nor configuration files; settings come in",
    },
    Room {
        name: "shards/runtime",
        at: "shards/runtime/src/",
        except: "shards/runtime/src/lookup/ shards/runtime/src/projection.rs \
            shards/runtime/src/projection/ shards/runtime/src/statement/",
        never: "redb",
        because: "ledgers are reached through holdfast_ledger; projections alone have files",
    },
    Room {
        name: "runtime/shard.rs",
        at: "shards/runtime/src/shard.rs shards/runtime/src/shard/ shards/runtime/src/carts/",
        except: "",
        never: "async await ractor tokio std::thread std::time Instant::now SystemTime::now \
            crate::actor crate::clock::Clock crate::clock::instant crate::clock::seed \
            clock::instant clock::seed crate::ledger_thread crate::links crate::router",
        because: "a shard is synchronous and is told the time, so that simulations can own it",
    },
    Room {
        name: "shards/runtime",
        at: "shards/runtime/src/",
        except: "shards/runtime/src/clock.rs",
        never: "Instant::now SystemTime std::time::Instant::now std::time::SystemTime \
            tokio::time::Instant::now",
        because: "clocks are read in clock.rs alone",
    },
    Room {
        name: "src/http",
        at: "src/http/",
        except: "",
        never: "holdfast_core::Decision holdfast_core::Effect holdfast_core::Engine \
            holdfast_core::Event holdfast_core::Outcome holdfast_core::Request holdfast_ledger",
        because: "the listeners know the runtime's handles and the core's vocabulary, neither \
            engine nor ledger",
    },
    Room {
        name: "src",
        at: "src/",
        except: "src/events/store.rs",
        never: "dashmap ractor redb",
        because: "the service stands on the runtime; what lies below is the runtime's. What \
            deliveries remember is no ledger, and has a small file of its own",
    },
    Room {
        name: "src",
        at: "src/",
        except: "src/backend.rs src/cli/verify.rs src/verify/",
        never: "holdfast_ledger",
        because: "the runtime opens ledgers; only verify, and the mapping of settings and errors, \
            know them",
    },
    Room {
        name: "src/client, src/demo, src/import, src/replay",
        at: "src/client/ src/demo/ src/import/ src/replay/",
        except: "",
        never: "axum crate::config crate::http crate::service crate::telemetry holdfast_core \
            holdfast_ledger holdfast_runtime",
        because: "a client knows the HTTP contract alone, as any other program would; else its \
            proof would be worth little",
    },
    Room {
        name: "src/reconcile",
        at: "src/reconcile/",
        except: "",
        never: "axum crate::http holdfast_core::Decision holdfast_core::Effect \
            holdfast_core::Engine holdfast_core::Event holdfast_core::Request holdfast_ledger hyper",
        because: "what compares asks the runtime as any caller does, and knows no transport",
    },
    Room {
        name: "src/events",
        at: "src/events/",
        except: "src/events/store.rs",
        never: "axum redb crate::http holdfast_core::Decision holdfast_core::Effect \
            holdfast_core::Engine holdfast_core::Event holdfast_core::Request holdfast_ledger",
        because: "what is told is read as any caller reads it, and knows nothing of calls",
    },
    Room {
        name: "src/load",
        at: "src/load/",
        except: "src/load/targets/in_process.rs",
        never: "axum crate::backend crate::config crate::http crate::service crate::telemetry \
            holdfast_core holdfast_ledger holdfast_runtime",
        because: "the load laboratory knows the HTTP contract alone; only its engine in process is \
            the engine",
    },
    Room {
        name: "status codes",
        at: "src/http/ src/service.rs src/telemetry/ shards/",
        except: "src/http/problem.rs src/http/render.rs src/http/render_refusal.rs",
        never: "StatusCode::",
        because: "only problem.rs and render*.rs choose status codes; return a problem or a view",
    },
    Room {
        name: "benches/compare",
        at: "benches/compare/src/",
        except: "",
        never: "holdfast_core holdfast_ledger holdfast_runtime",
        because: "what is compared is the binary, as anybody would run it",
    },
    Room {
        name: "examples",
        at: "examples/",
        except: "",
        never: "holdfast holdfast_core holdfast_ledger holdfast_runtime",
        because: "a read model is anybody's program, and can be copied: it knows the contract alone",
    },
    Room {
        name: "everything",
        at: "src/ shards/ tests/ benches/ examples/",
        except: "",
        never: "dbg todo unimplemented unsafe",
        because: "nothing is left half done, and nothing is unsafe",
    },
];

pub(crate) const PACKAGES: &[Package] = &[
    Package {
        manifest: "shards/core/Cargo.toml",
        may: "hashbrown serde smallvec smol_str uuid xxhash-rust",
        never: IMPURE,
        because: "the core depends on serde and a few leaf crates that do no I/O",
    },
    Package {
        manifest: "shards/ledger/Cargo.toml",
        may: "crc32c holdfast-core lz4_flex redb rustix serde serde_json smallvec thiserror tracing uuid \
            xxhash-rust",
        never: "axum hyper ractor tokio holdfast-runtime",
        because: "the ledger depends on the core and on redb, not on async, actors or HTTP",
    },
    Package {
        manifest: "shards/runtime/Cargo.toml",
        may: "arc-swap dashmap hashbrown holdfast-core holdfast-ledger ractor redb smallvec \
            thiserror tokio tracing xxhash-rust",
        never: "axum clap hyper toml",
        because: "the runtime depends on core, ledger, ractor, tokio and dashmap, not on HTTP or \
            configuration files",
    },
    Package {
        manifest: "benches/compare/Cargo.toml",
        may: "axum hdrhistogram memchr mimalloc redb rustix serde_json tempfile tokio \
            tokio-postgres",
        never: "holdfast holdfast-core holdfast-ledger holdfast-runtime",
        because: "what is compared is the binary, as anybody would run it",
    },
    Package {
        manifest: "examples/search-index/Cargo.toml",
        may: "rusqlite serde_json ureq",
        never: "holdfast holdfast-core holdfast-ledger holdfast-runtime",
        because: "a read model is anybody's program, and can be copied: it knows the contract alone",
    },
    Package {
        manifest: "examples/analytics/Cargo.toml",
        may: "serde_json ureq",
        never: "holdfast holdfast-core holdfast-ledger holdfast-runtime",
        because: "a read model is anybody's program, and can be copied: it knows the contract alone",
    },
];
