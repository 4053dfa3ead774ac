//! Lakeplan turns a description into a plan and keeps the plan as Delta tables.
//!
//! A change enters through [`cli`], is coordinated by [`service`], decided by the pure modules
//! [`domain`] and [`planning`], and committed by [`store`]. Each module documents its scope.
//! Modules and their allowed dependencies:
//!
//! | module | may use |
//! |---|---|
//! | domain | - |
//! | text | domain |
//! | planning | domain, text |
//! | net, runtime | domain |
//! | config | domain, text |
//! | databricks | domain, net, runtime |
//! | store | domain, text, databricks, runtime, config |
//! | exchange | domain, text, runtime, config |
//! | analytics | domain, text, databricks, store |
//! | service | all of the above |
//! | app | all of the above |
//! | cli | all of the above except net |
//!
//! `MODULES` in `tests/it/rooms.rs` holds the same table, and a test checks every `crate::` path
//! against it.

pub mod analytics;
pub mod app;
pub mod cli;
pub mod config;
pub mod databricks;
pub mod domain;
pub mod exchange;
pub mod net;
pub mod planning;
pub mod runtime;
pub mod service;
pub mod store;
pub mod text;
