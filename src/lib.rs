//! Lakeplan: a description becomes a plan, and the plan lives as Delta tables.
//!
//! A change comes in through [`cli`], is put in order by [`service`], decided by the pure rooms [`domain`] and
//! [`planning`], and committed by [`store`]. Each room says at its top what belongs in it. Rooms and what they may use:
//!
//! | room | may use |
//! |---|---|
//! | domain | - |
//! | text | domain |
//! | planning | domain, text |
//! | net, runtime, config | domain |
//! | store, exchange | domain, text, net, runtime, config |
//! | analytics | domain, text, net, store |
//! | service | all of the above |
//! | cli | service, the types of the other rooms, config, app |
//! | app | everything |
//!
//! A test reads every `crate::` path and holds them to this table.

pub mod analytics;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod exchange;
pub mod net;
pub mod planning;
pub mod runtime;
pub mod service;
pub mod store;
pub mod text;
