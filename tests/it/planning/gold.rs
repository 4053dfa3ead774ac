//! Plans descriptions with known answers, and accounts for every line and every mark of them.

use std::path::{Path, PathBuf};

use lakeplan::planning::eval::{Gold, Score};
use lakeplan::planning::explicit::{Account, Ledger, Place};
use lakeplan::planning::outline::outline;
use lakeplan::planning::planner::Options;
use rstest::rstest;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/descriptions").join(name)
}

/// Returns the descriptions of a folder, with their names and their answers.
fn descriptions(name: &str) -> Vec<(String, String, Gold)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        let Some(stem) = path.to_str().unwrap().strip_suffix(".gold.json") else { continue };
        let text = ["md", "txt"]
            .iter()
            .find_map(|end| std::fs::read_to_string(format!("{stem}.{end}")).ok());
        let gold = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        found.push((stem.to_owned(), text.unwrap(), gold));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// The least share of right rows, of work that is found, of right dependencies and of right verdicts,
/// in all descriptions of a folder.
#[rstest]
#[case::open("open", [0.90, 0.95, 0.69, 0.55])]
#[case::held_out("held_out", [0.80, 0.81, 0.43, 0.12])]
fn plans_hold_the_work_that_a_reader_finds(#[case] name: &str, #[case] least: [f64; 4]) {
    let mut total = Score::default();
    let descriptions = descriptions(name);
    assert_eq!(descriptions.len(), 24);
    for (_, text, gold) in &descriptions {
        total.add(&Score::of(text, &outline(text, Options::default()), gold));
    }
    let scores =
        [total.nodes.f1(), total.coverage.recall(), total.edges.f1(), total.verdicts.recall()];
    let is_enough = scores.iter().zip(least).all(|(score, least)| *score >= least);
    assert!(is_enough, "{scores:.3?} instead of at least {least:?}");
}

#[rstest]
#[case("open")]
#[case("held_out")]
fn every_line_and_every_mark_has_a_place(#[case] name: &str) {
    for (stem, text, _) in descriptions(name) {
        let plan = outline(&text, Options::default());
        let ledger = Ledger::of(&text, &plan);
        let lost: Vec<usize> = (ledger.lines().iter())
            .filter(|line| line.place == Place::Lost)
            .map(|line| line.line)
            .collect();
        assert!(lost.is_empty(), "{stem}: lines {lost:?}");
        let account = Account::of(&text, &plan);
        assert!(account.is_complete(), "{stem}: {:#?}", account.unread);
    }
}
