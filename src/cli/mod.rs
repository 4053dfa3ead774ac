//! The command line: one file per subcommand, each with its `Args` (whose comments are the help
//! text) and its `run`.
//!
//! In scope: communication with a person or a script. Out of scope: logic; a command parses its
//! arguments, calls `service`, and shows the result. Output: a [`Reply`] on standard output;
//! everything else goes to standard error.

mod apply;
mod backup;
mod cancel;
mod catalog;
mod completions;
mod config;
mod context;
mod doctor;
mod erase;
mod error;
mod eval;
mod files;
mod fold;
pub mod hint;
mod history;
mod inbox;
mod init;
mod lake;
mod limit;
mod log;
mod maintain;
mod next;
mod parse_error;
mod plan;
mod progress;
mod project;
mod query;
mod quickstart;
mod reply;
mod report;
mod restore_lake;
pub mod show;
mod skipped;
mod summary;
mod task;
mod undo;
mod upgrade;
mod user;
mod visualize;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use chrono::Datelike;
use clap::{CommandFactory, Parser, Subcommand};

use crate::app::SECTIONS;
use crate::config::{Config, ConfigError, Flags, ProcessEnvironment};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::store::Head;
pub use context::Context;
pub use error::{CliError, Exit};
pub use reply::Reply;
use summary::Summary;

/// Turns a description into a plan and keeps the plan as Delta tables: audited, undoable, readable by any engine.
#[derive(Debug, Parser)]
#[command(name = "lakeplan", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 refused, 2 usage, 3 configuration, 4 try again, 5 bug."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Location of the lake: a folder, a storage URL, or catalog.schema in Unity Catalog
    /// [default: LAKEPLAN_LAKE, else ./lake].
    #[arg(long, global = true, value_name = "URI")]
    lake: Option<String>,
    /// Use the [target.NAME] section of the configuration: dev, staging or prod.
    #[arg(short, long, global = true, value_name = "NAME")]
    target: Option<String>,
    /// Output format: text or json.
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = ["text", "json"], hide_possible_values = true)]
    output: Option<String>,
    /// Same as --output json.
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// Name recorded as the author of the change [default: LAKEPLAN_ACTOR, else the machine's
    /// user].
    #[arg(long, global = true, value_name = "NAME")]
    actor: Option<String>,
    /// Configuration file [default: lakeplan.toml, if it exists].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write a JSON summary of the command's result to FILE [default: LAKEPLAN_SUMMARY].
    #[arg(long, global = true, value_name = "FILE")]
    summary: Option<PathBuf>,
}

macro_rules! commands {
    ($($variant:ident = $module:ident),+ $(,)?) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($variant($module::Args),)+
        }

        impl Command {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($module),)+
                }
            }

            async fn run(self, context: &Context) -> Result<Reply, CliError> {
                match self {
                    $(Self::$variant(args) => Box::pin($module::run(args, context)).await,)+
                }
            }
        }

        /// Subcommands and their modules, for the test that checks that they match.
        pub const COMMANDS: &[(&str, &str)] = &[$((stringify!($variant), stringify!($module))),+];
    };
}

commands! {
    Quickstart = quickstart,
    Init = init,
    Plan = plan,
    Apply = apply,
    Project = project,
    Task = task,
    User = user,
    Next = next,
    History = history,
    Undo = undo,
    Erase = erase,
    Inbox = inbox,
    Visualize = visualize,
    Query = query,
    Report = report,
    Fold = fold,
    Maintain = maintain,
    Catalog = catalog,
    Doctor = doctor,
    Backup = backup,
    RestoreLake = restore_lake,
    Lake = lake,
    Upgrade = upgrade,
    Eval = eval,
    Config = config,
    Completions = completions,
}

impl Command {
    /// Returns the local files that the command itself reads or writes, as far as its arguments
    /// name them.
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Apply(args) => args.files(),
            Self::Plan(args) => args.files(),
            Self::Report(args) => args.files(),
            Self::Visualize(args) => args.files(),
            _ => Vec::new(),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(err) => {
            let again = |words: &[String]| Cli::try_parse_from(words).err();
            return parse_error::reply(&words, err, again).into();
        }
    };
    let wants_json = match cli.global.output.as_deref().filter(|output| !output.is_empty()) {
        Some(output) => output == "json",
        None => cli.global.json || parse_error::json_from_environment(),
    };
    match crate::config::read_variable("LAKEPLAN_LOG") {
        Ok(filter) => log::begin(filter),
        Err(err) => return CliError::Config(err.into()).report(wants_json).into(),
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => return CliError::from(err).report(wants_json).into(),
    };
    let (json, done, summary) = runtime.block_on(run(cli, wants_json));
    // Does not wait for output to a reader that stopped reading.
    runtime.shutdown_background();
    let lost = done.as_ref().ok().and_then(|reply| Some(reply.unread(reply.print(json).err()?)));
    if let Some((summary, end)) = summary {
        // After a change, the summary reports the outcome of the change; after a read, the delivery
        // of the reply.
        let is_failure = lost.as_ref().is_some_and(|lost| lost.exit() != Exit::Ok);
        summary.write(lost.as_ref().filter(|_| is_failure).map_or(done.as_ref(), Err), end.get());
    }
    match lost.or(done.err()) {
        None => Exit::Ok.into(),
        Some(err) => err.report(json).into(),
    }
}

/// Result of a command, whether it is shown as JSON, and the summary to write.
type Ran = (bool, Result<Reply, CliError>, Option<(Summary, Arc<OnceLock<Head>>)>);

/// Refuses a clock outside the range in which anything can be written: ids hold the time since
/// 1970, tables four-digit years.
fn check_clock(now: Instant) -> Result<(), CliError> {
    match now.timestamp() >= 0 && now.year() <= 9999 {
        true => Ok(()),
        false => Err(CliError::Config(ConfigError::Clock { shows: rfc3339(now) })),
    }
}

async fn run(mut cli: Cli, wants_json: bool) -> Ran {
    if let Err(err) = check_clock(SystemClock.now()) {
        return (wants_json, Err(err), None);
    }
    let asked = cli.global.summary.take().or_else(summary::file_from_environment);
    let asked = asked.filter(|file| !file.as_os_str().is_empty());
    let settings = cli.global.config.clone().unwrap_or_else(|| PathBuf::from(crate::config::FILE));
    let used: Vec<PathBuf> = cli.command.files().into_iter().chain([settings]).collect();
    let summary = asked.map(|file| Summary::begin(cli.command.name(), file, &used));
    let summary = match summary.transpose() {
        Ok(summary) => summary.map(|summary| (summary, Arc::default())),
        Err(err) => return (wants_json, Err(err), None),
    };
    let end = summary.as_ref().map(|(_, end)| Arc::clone(end));
    let (json, done) = answer(cli, wants_json, end).await;
    (json, done, summary)
}

async fn answer(
    cli: Cli,
    wants_json: bool,
    end: Option<Arc<OnceLock<Head>>>,
) -> (bool, Result<Reply, CliError>) {
    let flags = Flags {
        lake: cli.global.lake,
        actor: cli.global.actor,
        output: if cli.global.json { Some("json".to_owned()) } else { cli.global.output },
        target: cli.global.target,
        query_memory: match &cli.command {
            Command::Query(args) => args.memory().cloned(),
            _ => None,
        },
        file: cli.global.config,
    };
    let config = match Config::load(&flags, &ProcessEnvironment, SECTIONS) {
        Ok(config) => config,
        // The defaults stay available to users with a broken configuration file.
        Err(_)
            if let Command::Config(args) = &cli.command
                && args.asks_for_defaults() =>
        {
            return (wants_json, Ok(config::defaults()));
        }
        Err(err) => return (wants_json, Err(err.into())),
    };
    let json = config.output.value == "json";
    let (command, committed) = (cli.command.name(), Arc::default());
    let context = Context {
        config,
        json,
        command,
        definition,
        opened: Mutex::default(),
        end,
        committed: Arc::clone(&committed),
    };
    let done = progress::show(context.command, cli.command.run(&context)).await;
    context.finish().await;
    let done = done.map(|reply| match committed.load(Ordering::Acquire) {
        0 => reply,
        seq => reply.completed_or(|| format!("seq {seq} is committed")),
    });
    (json, done)
}

/// Returns the complete clap definition of the command line.
pub fn definition() -> clap::Command {
    Cli::command()
}
