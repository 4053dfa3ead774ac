//! Context of a running command: the settings, and the lakes that it opens.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::domain::patch::Source;
use crate::service::RequestContext;
use crate::store::Head;

/// Context of a running command.
pub struct Context {
    pub config: Config,
    pub json: bool,
    /// Name of the subcommand, as typed.
    pub(super) command: &'static str,
    /// Returns the complete clap definition of the command line.
    pub(super) definition: fn() -> clap::Command,
    /// Completion signals of opened lakes, awaited before the process ends.
    pub(super) opened: Mutex<Vec<BoxFuture<'static, ()>>>,
    /// Receives the head of the lake when the command ends, if the summary needs it.
    pub(super) end: Option<Arc<OnceLock<Head>>>,
    /// Last seq that the command committed; 0 for none.
    pub(super) committed: Arc<AtomicU64>,
}

/// Creates the context of a request that a command makes.
pub(super) fn request_by(app: &App) -> RequestContext {
    app.request(Source::Cli)
}

impl Context {
    pub async fn open(&self) -> Result<App, CliError> {
        Ok(self.begin(App::open(&self.config).await?))
    }

    /// Like [`Self::open`], to rebuild tables; also works if a table is ahead of the journal.
    pub async fn open_to_rebuild(&self) -> Result<App, CliError> {
        Ok(self.begin(App::open_to_rebuild(&self.config).await?))
    }

    fn begin(&self, app: App) -> App {
        let mut app = app.for_command(self.command).record_seq_in(&self.committed);
        if let Some(end) = &self.end {
            app = app.record_head_in(end);
        }
        let finished = app.finished().boxed();
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(finished);
        app
    }

    /// Waits for background work such as a checkpoint. A failed command has not closed what it
    /// opened.
    pub(super) async fn finish(self) {
        for finished in self.opened.into_inner().unwrap_or_else(PoisonError::into_inner) {
            finished.await;
        }
    }
}
