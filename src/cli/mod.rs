//! The command line: one file a subcommand, each with its `Args` (whose comments are the help) and its `run`.
//!
//! Belongs here: talking to a person or a script. Does not: logic; a command reads its words, calls `service`, and
//! shows the answer. Data leaves as a [`Reply`] on standard output; everything else goes to standard error.

mod apply;
mod backup;
mod catalog;
mod completions;
mod config;
mod doctor;
mod erase;
mod error;
mod files;
mod fold;
mod history;
mod inbox;
mod init;
mod interrupt;
mod lake;
mod limit;
mod log;
mod maintain;
mod next;
mod plan;
mod progress;
mod project;
mod query;
mod quickstart;
mod reply;
mod report;
mod restore_lake;
pub mod show;
mod summary;
mod task;
mod undo;
mod unparsed;
mod upgrade;
mod user;
mod visualize;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::Datelike;
use clap::{CommandFactory, Parser, Subcommand};
use tokio::sync::oneshot;

use crate::app::App;
use crate::config::{Config, ConfigError, Flags};
use crate::domain::time::{Instant, rfc3339};
use crate::runtime::{Clock, SystemClock};
use crate::store::Head;
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
    /// Where the lake is: a folder, a storage URL, or catalog.schema in Unity Catalog [default: LAKEPLAN_LAKE, else ./lake].
    #[arg(long, global = true, value_name = "URI")]
    lake: Option<String>,
    /// Which [target.NAME] section of the configuration holds: dev, staging or prod.
    #[arg(short, long, global = true, value_name = "NAME")]
    target: Option<String>,
    /// text or json.
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = ["text", "json"], hide_possible_values = true)]
    output: Option<String>,
    /// The same as --output json.
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// Who makes the change [default: LAKEPLAN_ACTOR, else the user of the machine].
    #[arg(long, global = true, value_name = "NAME")]
    actor: Option<String>,
    /// A configuration file [default: lakeplan.toml, where there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes what became of the command to a file, as one JSON object, for who started it [default: LAKEPLAN_SUMMARY].
    #[arg(long, global = true, value_name = "FILE")]
    summary: Option<PathBuf>,
}

/// What a command works with.
pub struct Context {
    pub config: Config,
    pub json: bool,
    /// The subcommand, as it is typed.
    command: &'static str,
    /// What was opened, to be waited for before the process ends.
    opened: Mutex<Vec<oneshot::Receiver<()>>>,
    /// How the lake stood when the command ended, where that is to be told.
    end: Option<Arc<OnceLock<Head>>>,
    /// The last seq that the command committed, 0 for none.
    committed: Arc<AtomicU64>,
}

impl Context {
    pub async fn open(&self) -> Result<App, CliError> {
        Ok(self.begin(App::open(&self.config).await?))
    }

    /// The same to rebuild tables, also where one is ahead of the journal.
    pub async fn open_to_rebuild(&self) -> Result<App, CliError> {
        Ok(self.begin(App::open_to_rebuild(&self.config).await?))
    }

    fn begin(&self, app: App) -> App {
        let mut app = app.running(self.command).noting(&self.committed);
        if let Some(end) = &self.end {
            app = app.telling(end);
        }
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).extend(app.ended());
        app
    }

    /// Waits until what was begun beside the answer, such as a checkpoint, is done: a command that failed has not
    /// closed what it opened.
    async fn finish(self) {
        for ended in self.opened.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // It is gone where the writer is.
            let _ = ended.await;
        }
    }
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])* $variant:ident = $module:ident),+ $(,)?) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[doc = $doc])* $variant($module::Args),)+
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

        /// The subcommands and the files they live in, for the test that holds them together.
        pub const COMMANDS: &[(&str, &str)] = &[$((stringify!($variant), stringify!($module))),+];
    };
}

commands! {
    /// A minute's tour on a lake of its own.
    Quickstart = quickstart,
    /// Make a lake.
    Init = init,
    /// Turn a description into a plan, or bring the plan up to date with it.
    Plan = plan,
    /// Apply a patch set: all of it, or nothing.
    Apply = apply,
    /// Projects: create, list, show, update, delete, restore.
    Project = project,
    /// Tasks: the plan itself.
    Task = task,
    /// The people and agents who do the work.
    User = user,
    /// What can be worked on now, the best first.
    Next = next,
    /// What happened, the last change first.
    History = history,
    /// Take a change back.
    Undo = undo,
    /// Take someone's personal data out of the lake and its history.
    Erase = erase,
    /// Requests for change from those who have SQL: apply and answer them.
    Inbox = inbox,
    /// Show a project as a page: tree and timeline.
    Visualize = visualize,
    /// Answer by SQL: the tables, the views, any SELECT.
    Query = query,
    /// Write how the plan stands as a page and as numbers.
    Report = report,
    /// Bring the current tables up to the journal.
    Fold = fold,
    /// Keep the lake fast: fold, compact, checkpoint, vacuum.
    Maintain = maintain,
    /// Unity Catalog: register the lake's tables and views there.
    Catalog = catalog,
    /// Examine the lake: is everything there, unchanged, and do the tables say what the journal says?
    Doctor = doctor,
    /// Copy the lake to another place, consistent at one position.
    Backup = backup,
    /// Make a lake from a backup, or from another lake as it was.
    RestoreLake = restore_lake,
    /// The lake itself: show what it is, adopt a copy.
    Lake = lake,
    /// Raise the lake to the format of this lakeplan.
    Upgrade = upgrade,
    /// The settings in force and where each comes from.
    Config = config,
    /// Completions for a shell.
    Completions = completions,
}

impl Command {
    /// The files of this machine that the command itself reads or writes, as far as its words name them.
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
        Err(fault) => return unparsed::tell(&words, fault).into(),
    };
    let wants_json = match cli.global.output.as_deref().filter(|output| !output.is_empty()) {
        Some(output) => output == "json",
        None => cli.global.json || environment_says_json(),
    };
    match crate::config::read_variable("LAKEPLAN_LOG") {
        Ok(filter) => log::begin(filter),
        Err(fault) => return CliError::Config(fault.into()).report(wants_json).into(),
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => return CliError::from(fault).report(wants_json).into(),
    };
    let (json, done, summary) = runtime.block_on(run(cli, wants_json));
    // What is still written to someone who no longer reads is not waited for.
    runtime.shutdown_background();
    let lost = done.as_ref().ok().and_then(|reply| Some(reply.unread(reply.print(json).err()?)));
    if let Some((summary, end)) = summary {
        // Who made a change asks what became of it, who read asks for the answer.
        let is_failure = lost.as_ref().is_some_and(|lost| lost.exit() != Exit::Ok);
        summary.write(lost.as_ref().filter(|_| is_failure).map_or(done.as_ref(), Err), end.get());
    }
    match lost.or(done.err()) {
        None => Exit::Ok.into(),
        Some(err) => err.report(json).into(),
    }
}

/// Whether the environment asks for JSON, for an error that comes before the settings are read.
fn environment_says_json() -> bool {
    crate::config::variable("LAKEPLAN_OUTPUT").as_deref() == Some("json")
}

fn summary_of_environment() -> Option<PathBuf> {
    crate::config::path_variable("LAKEPLAN_SUMMARY").filter(|file| !file.as_os_str().is_empty())
}

/// What a command came to, whether as JSON, and the summary that is to be written of it.
type Ran = (bool, Result<Reply, CliError>, Option<(Summary, Arc<OnceLock<Head>>)>);

/// Refuses a clock that shows a time at which nothing can be written: ids hold the time since 1970, tables four digits of a
/// year.
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
    let asked = cli.global.summary.take().or_else(summary_of_environment);
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
    let config = match Config::load(&flags, crate::config::read_variable) {
        Ok(config) => config,
        // Whoever has to mend a file of settings may ask what belongs there.
        Err(_)
            if let Command::Config(args) = &cli.command
                && args.asks_for_defaults() =>
        {
            return (wants_json, Ok(config::defaults()));
        }
        Err(fault) => return (wants_json, Err(fault.into())),
    };
    let json = config.output.value == "json";
    let (command, committed) = (cli.command.name(), Arc::default());
    let context = Context {
        config,
        json,
        command,
        opened: Mutex::default(),
        end,
        committed: Arc::clone(&committed),
    };
    let done = progress::show(context.command, cli.command.run(&context)).await;
    context.finish().await;
    let done = done.map(|reply| match committed.load(Ordering::Acquire) {
        0 => reply,
        seq => reply.standing_unless_said(|| format!("seq {seq} is committed")),
    });
    (json, done)
}

/// The whole command line as clap knows it.
pub fn definition() -> clap::Command {
    Cli::command()
}
