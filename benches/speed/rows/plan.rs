//! The embedded planner on a long description.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lakeplan::domain::patch::Source;
use lakeplan::domain::value::Name;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{SystemClock, SystemRandom};
use lakeplan::service::Service;
use lakeplan::service::plan::PlanRequest;
use lakeplan::store::memory::MemoryStore;

use super::milliseconds;
use crate::{Measurement, Row};

const NAMES: usize = 13_000;

pub fn rows() -> Vec<Row> {
    vec![Row { name: "plan", work: "embedded plan of 13,000 words", goal: "≤ 100 ms", run: plan }]
}

/// Returns a description with many phases, each with its own numbers.
fn description() -> String {
    let mut text = String::from(
        "# Moving the reporting platform\n\nWe move what finance reports from one place to another.\n",
    );
    let mut phase = 0;
    while text.split_whitespace().count() < NAMES {
        phase += 1;
        text.push_str(&format!("\n## Phase {phase}: Domain {phase}\n\nThe domain {phase} holds tables that others read every morning. It must be complete by nine.\n\n"));
        for at in 1..=12 {
            text.push_str(&format!(
                "- Move table {phase}-{at} and compare its sums with the old one (2 days, @ana)\n  - Write the reader of table {phase}-{at} with its tests (2 hours)\n  - Switch the report over after the reader of table {phase}-{at} is done\n"
            ));
        }
        text.push_str(
            "\n### Risks\n\nThe old platform may be switched off before the last report has moved, which no one wants.\n",
        );
    }
    text
}

fn plan(_: &Path) -> Measurement {
    let text = description();
    let words = text.split_whitespace().count();
    let request =
        PlanRequest { source: Some("long.md".to_owned()), text, ..PlanRequest::default() };
    let mut times = Vec::new();
    let mut tasks = 0;
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        for _ in 0..9 {
            let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
            let store = Arc::new(MemoryStore::new(clock.clone(), random.clone()).expect("store"));
            let service = Service { planner: Arc::new(OutlinePlanner), store, clock, random };
            let author = service.request(Name::new("bench").expect("valid name"), Source::Cli);
            let started = Instant::now();
            let preview = service.plan(&request, &author).await.expect("planning succeeds");
            times.push(started.elapsed().as_secs_f64());
            tasks = preview.plan.nodes.len();
        }
    });
    let time = milliseconds(&mut times);
    Measurement {
        ours: format!("{time:.0} ms ({words} words, {tasks} tasks and parts)"),
        peer: String::new(),
        met: Some(time <= 100.0),
    }
}
