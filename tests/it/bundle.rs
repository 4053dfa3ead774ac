//! The bundle that deploys to Databricks: `bundle.yml` and the jobs it includes are what the schema allows, every reference
//! resolves in every target, every file that is named exists, and every task is a command that `lakeplan` has. A job file
//! needs nothing but to lie in `jobs/`.

mod resolve;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lakeplan::cli::definition;
use serde_json::Value;

use crate::support::shared;
use resolve::Bundle;

/// Made by a command of its own, and never checked in.
const BUILT: [&str; 2] = ["dist/*.whl", "../dist/*.whl"];
/// The keys whose values are paths, relative to the file they stand in.
const PATHS: [&str; 7] =
    ["file_path", "notebook_path", "source", "whl", "dependencies", "include", "paths"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> Value {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", file.display()))
}

/// The root file, and what it includes.
fn files() -> Vec<(PathBuf, Value)> {
    let main = root().join("bundle.yml");
    let config = read(&main);
    let patterns: Vec<String> = config["include"].as_array().unwrap().iter().map(text).collect();
    let mut files = vec![(main, config)];
    for pattern in patterns {
        let found = matching(&root(), &pattern);
        assert!(!found.is_empty(), "bundle.yml includes {pattern}, and there is no such file");
        files.extend(found.into_iter().map(|file| (file.clone(), read(&file))));
    }
    files
}

/// The files that a path means whose last part may hold one `*`, in order.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = folder.join(pattern);
    let (place, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
    let Some((before, after)) = name.split_once('*') else {
        return path.exists().then_some(path).into_iter().collect();
    };
    let listed = std::fs::read_dir(place).into_iter().flatten().map(|entry| entry.unwrap().path());
    let fits = |file: &PathBuf| {
        file.file_name()
            .unwrap()
            .to_str()
            .is_some_and(|name| name.starts_with(before) && name.ends_with(after))
    };
    let mut found: Vec<PathBuf> = listed.filter(fits).collect();
    found.sort();
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn targets() -> Vec<(String, Bundle)> {
    let files: Vec<Value> = files().into_iter().map(|(_, config)| config).collect();
    let names: Vec<String> = files[0]["targets"].as_object().unwrap().keys().cloned().collect();
    names.into_iter().map(|name| (name.clone(), Bundle::of(&files, &name))).collect()
}

/// The tasks of a job, also those that a loop repeats.
fn tasks(job: &Value) -> Vec<&Value> {
    job["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task.pointer("/for_each_task/task").unwrap_or(task))
        .collect()
}

#[test]
fn every_file_is_what_the_schema_of_bundles_allows() {
    let Some(schema) = shared("data/databricks/bundle.schema.json") else { return };
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (file, config) in files() {
        let faults: Vec<String> = validator
            .iter_errors(&config)
            .map(|err| format!("{}: {:.300}", err.instance_path(), err.to_string()))
            .collect();
        assert!(faults.is_empty(), "{}:\n{}", file.display(), faults.join("\n"));
    }
}

#[test]
fn every_reference_resolves_in_every_target() {
    for (target, bundle) in targets() {
        let faults = bundle.resolve(bundle.config()).err();
        assert_eq!(faults, None, "target {target}");
    }
}

#[test]
fn every_file_that_is_named_exists() {
    let mut missing = Vec::new();
    for (file, config) in files() {
        let mut named = Vec::new();
        paths(&config, "", &mut named);
        named.retain(|path| {
            !BUILT.contains(&path.as_str()) && matching(file.parent().unwrap(), path).is_empty()
        });
        missing.extend(
            named
                .iter()
                .map(|path| format!("{} names {path}, and there is no such file", file.display())),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for (target, bundle) in targets() {
        let config = text(&bundle.resolve(&Value::from("${var.config}")).unwrap());
        let files = text(&bundle.resolve(&Value::from("${workspace.file_path}")).unwrap());
        let inside = config
            .strip_prefix(&files)
            .unwrap_or_else(|| panic!("{target}: {config} is not part of what is deployed"));
        assert!(root().join(inside.trim_start_matches('/')).exists(), "{target}: {config}");
    }
}

fn paths(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| paths(inner, key, found)),
        Value::Array(list) => list.iter().for_each(|inner| paths(inner, key, found)),
        Value::String(path) if PATHS.contains(&key) && !path.starts_with(['/', '$']) => {
            found.push(path.clone())
        }
        _ => {}
    }
}

#[test]
fn every_task_is_a_command_that_lakeplan_has_whatever_its_parameters_are() {
    let (mut checked, mut faults) = (0, BTreeSet::new());
    for (target, bundle) in targets() {
        for (name, job) in bundle.jobs() {
            let parameters: Vec<(String, String)> = job["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|parameter| (text(&parameter["name"]), text(&parameter["default"])))
                .collect();
            // As they stand, and each of them given by whoever starts the job.
            let mut runs = vec![parameters.clone()];
            for at in 0..parameters.len() {
                let mut run = parameters.clone();
                run[at].1 = "sample".to_owned();
                runs.push(run);
            }
            for task in tasks(&job) {
                let wheel = &task["python_wheel_task"];
                assert_eq!(
                    (&wheel["package_name"], &wheel["entry_point"]),
                    (&"lakeplan".into(), &"main".into()),
                    "{name}"
                );
                for run in &runs {
                    let words = wheel["parameters"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|word| resolve::filled(&text(word), run));
                    let words: Vec<String> =
                        std::iter::once("lakeplan".to_owned()).chain(words).collect();
                    if let Err(err) = definition().try_get_matches_from(&words) {
                        faults.insert(format!("{target}: {name}: {}: {err}", words.join(" ")));
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(checked > 30, "{checked}");
}

#[test]
fn tasks_have_names_of_their_own_and_never_wait_for_each_other() {
    for (_, bundle) in targets() {
        for (name, job) in bundle.jobs() {
            let mut waiting: Vec<(String, Vec<String>)> =
                job["tasks"].as_array().unwrap().iter().map(waits).collect();
            let mut done: Vec<String> = Vec::new();
            while !waiting.is_empty() {
                let (ready, rest): (Vec<_>, Vec<_>) = waiting
                    .into_iter()
                    .partition(|(_, before)| before.iter().all(|key| done.contains(key)));
                assert!(
                    !ready.is_empty(),
                    "{name}: these wait for each other, or for what is not there: {rest:?}"
                );
                for (key, _) in ready {
                    assert!(!done.contains(&key), "{name}: two tasks are called {key}");
                    done.push(key);
                }
                waiting = rest;
            }
        }
    }
}

fn waits(task: &Value) -> (String, Vec<String>) {
    let before = task["depends_on"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| text(&one["task_key"]))
        .collect();
    (text(&task["task_key"]), before)
}

#[test]
fn every_job_repeats_stops_in_time_tells_of_failures_and_runs_alone() {
    for (_, bundle) in targets() {
        for (name, job) in bundle.jobs() {
            assert_eq!(job["max_concurrent_runs"], 1, "{name}");
            assert_eq!(job["queue"]["enabled"], true, "{name}");
            assert!(job["tags"]["lakeplan"].is_string(), "{name}");
            assert!(job["email_notifications"]["on_failure"].is_array(), "{name}");
            for task in tasks(&job) {
                assert!(task["timeout_seconds"].as_u64().is_some_and(|limit| limit > 0), "{name}");
                // What someone starts by hand to see whether it works is to show a failure, not to hide it.
                let repeats = task["max_retries"].as_u64().unwrap_or(0) > 0
                    && task["min_retry_interval_millis"].is_u64();
                assert!(repeats || ["quickstart", "setup"].contains(&name.as_str()), "{name}");
                assert!(
                    task["environment_key"].is_string() != task["job_cluster_key"].is_string(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn the_targets_are_what_the_document_says() {
    let mut table = vec![
        "| target | lake | jobs start | names begin with | jobs run as | secret scope | wheel |"
            .to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (target, bundle) in targets() {
        let resolved =
            |path: &str| text(&bundle.resolve(&Value::from(format!("${{{path}}}"))).unwrap());
        let starts = match resolved("presets.trigger_pause_status").as_str() {
            "PAUSED" => "by hand",
            "UNPAUSED" => "by themselves",
            other => panic!("{other}"),
        };
        let prefix = bundle.name_prefix();
        table.push(format!(
            "| {target} | `{}` | {starts} | {} | {} | `{}` | `{}` |",
            resolved("var.lake"),
            if prefix.is_empty() { String::new() } else { format!("`{}`", prefix.trim_end()) },
            bundle.runs_as(),
            resolved("var.secret_scope"),
            resolved("workspace.artifact_path"),
        ));
    }
    let document = std::fs::read_to_string(root().join("docs/databricks.md")).unwrap();
    let rendered = document.split("<!-- targets -->\n").nth(1).unwrap_or_default();
    let rendered = rendered.lines().take_while(|line| line.starts_with('|'));
    // The order of the targets is the reader's.
    let sorted = |rows: Vec<String>| rows.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        sorted(rendered.map(str::to_owned).collect()),
        sorted(table.clone()),
        "docs/databricks.md, below <!-- targets -->, is to say:\n{}\n",
        table.join("\n")
    );
}
