//! The bundle that deploys to Databricks. `bundle.yml` and the jobs that it includes match the
//! schema, every reference resolves in every target, every referenced file exists, and every task
//! is a valid `lakeplan` command. A job file only has to be in `jobs/`.

mod resolve;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lakeplan::cli::definition;
use serde_json::Value;

use crate::support::shared;
use resolve::Bundle;

/// Built by another command and never checked in.
const BUILT: [&str; 2] = ["dist/*.whl", "../dist/*.whl"];
/// Keys with values that are paths, relative to the file that contains them.
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

/// Returns the root file and its includes.
fn files() -> Vec<(PathBuf, Value)> {
    let main = root().join("bundle.yml");
    let config = read(&main);
    let patterns: Vec<String> = config["include"].as_array().unwrap().iter().map(text).collect();
    let mut files = vec![(main, config)];
    for pattern in patterns {
        let found = matching(&root(), &pattern);
        assert!(!found.is_empty(), "bundle.yml includes {pattern}, but no file matches");
        files.extend(found.into_iter().map(|file| (file.clone(), read(&file))));
    }
    files
}

/// Returns the files that match a path, sorted. The last part of the path may contain one `*`.
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
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}

fn targets() -> Vec<(String, Bundle)> {
    let files: Vec<Value> = files().into_iter().map(|(_, config)| config).collect();
    let names: Vec<String> = files[0]["targets"].as_object().unwrap().keys().cloned().collect();
    names.into_iter().map(|name| (name.clone(), Bundle::of(&files, &name))).collect()
}

/// Returns the tasks of a job, including those inside a loop.
fn tasks(job: &Value) -> Vec<&Value> {
    job["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task.pointer("/for_each_task/task").unwrap_or(task))
        .collect()
}

#[test]
fn bundle_files_match_the_bundle_schema() {
    let Some(schema) = shared("data/databricks/bundle.schema.json") else { return };
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (file, config) in files() {
        let problems: Vec<String> = validator
            .iter_errors(&config)
            .map(|err| format!("{}: {:.300}", err.instance_path(), err.to_string()))
            .collect();
        assert!(problems.is_empty(), "{}:\n{}", file.display(), problems.join("\n"));
    }
}

#[test]
fn references_resolve_in_every_target() {
    for (target, bundle) in targets() {
        let problems = bundle.resolve(bundle.config()).err();
        assert_eq!(problems, None, "target {target}");
    }
}

#[test]
fn referenced_files_exist() {
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
                .map(|path| format!("{} refers to {path}, which does not exist", file.display())),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for (target, bundle) in targets() {
        let config = text(&bundle.resolve(&Value::from("${var.config}")).unwrap());
        let files = text(&bundle.resolve(&Value::from("${workspace.file_path}")).unwrap());
        let inside = config
            .strip_prefix(&files)
            .unwrap_or_else(|| panic!("{target}: {config} is not deployed"));
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
fn job_tasks_are_valid_commands_for_all_parameters() {
    let (mut checked, mut problems) = (0, BTreeSet::new());
    for (target, bundle) in targets() {
        for (name, job) in bundle.jobs() {
            let parameters: Vec<(String, String)> = job["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|parameter| (text(&parameter["name"]), text(&parameter["default"])))
                .collect();
            // The default parameters, and each parameter set by the person who starts the job.
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
                    let args = wheel["parameters"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|word| resolve::filled(&text(word), run));
                    let args: Vec<String> =
                        std::iter::once("lakeplan".to_owned()).chain(args).collect();
                    if let Err(err) = definition().try_get_matches_from(&args) {
                        problems.insert(format!("{target}: {name}: {}: {err}", args.join(" ")));
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(checked > 30, "{checked}");
}

#[test]
fn task_keys_are_unique_and_dependencies_have_no_cycle() {
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
                    "{name}: these tasks form a cycle or depend on missing tasks: {rest:?}"
                );
                for (key, _) in ready {
                    assert!(!done.contains(&key), "{name}: two tasks have the key {key}");
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
fn jobs_have_retries_timeouts_notifications_and_one_run_at_a_time() {
    for (_, bundle) in targets() {
        for (name, job) in bundle.jobs() {
            assert_eq!(job["max_concurrent_runs"], 1, "{name}");
            assert_eq!(job["queue"]["enabled"], true, "{name}");
            assert!(job["tags"]["lakeplan"].is_string(), "{name}");
            assert!(job["email_notifications"]["on_failure"].is_array(), "{name}");
            for task in tasks(&job) {
                assert!(task["timeout_seconds"].as_u64().is_some_and(|limit| limit > 0), "{name}");
                // A job that is started manually as a test must show a failure instead of hiding it
                // by a retry.
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
fn the_documentation_lists_the_targets() {
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
    // The document may list the targets in any order.
    let sorted = |rows: Vec<String>| rows.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        sorted(rendered.map(str::to_owned).collect()),
        sorted(table.clone()),
        "docs/databricks.md must contain, below <!-- targets -->:\n{}\n",
        table.join("\n")
    );
}
