//! A module declares a section of the settings and gets it from every layer, with the origins.

use std::collections::BTreeMap;

use lakeplan::config::{Config, ConfigError, Flags, SecretName, Section, SectionSpec};
use rstest::rstest;
use serde::Deserialize;

/// Settings of a tracker that does not exist.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Tracker {
    url: String,
    page_size: u32,
    archived: bool,
    mode: Mode,
    labels: Vec<String>,
    token: Option<SecretName>,
    retry: Retry,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Read,
    Write,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Retry {
    limit: u8,
}

impl Section for Tracker {
    const NAME: &'static str = "tracker";
    const DEFAULTS: &'static str = r#"
# Settings of the tracker.
[tracker]
url = "https://tracker.example"
page_size = 100
archived = false
mode = "read"
labels = []
# Variable that contains the token.
# token = "TRACKER_TOKEN"

[tracker.retry]
limit = 3
"#;
}

const FILE: &str = r#"
[tracker]
page_size = 50
labels = ["a", "b"]

[target.dev]
lake = "dev"

[target.dev.tracker]
token = "DEV_TOKEN"
retry = { limit = 5 }

[target.prod.tracker]
url = "https://prod.example"
"#;

fn load(file: &str, target: Option<&str>, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lakeplan.toml");
    std::fs::write(&path, file).unwrap();
    let flags = Flags { file: Some(path), target: target.map(str::to_owned), ..Flags::default() };
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&flags, &env, &[SectionSpec::of::<Tracker>()])
}

/// Returns the end of an origin after the test's folder.
fn origin(config: &Config, key: &str) -> String {
    let origin = &config.sections["tracker"][key].origin;
    origin.rsplit('/').next().unwrap_or(origin).to_owned()
}

#[test]
fn a_section_has_its_defaults_without_any_other_layer() {
    let config = load("", None, &[]).unwrap();
    let tracker = config.section::<Tracker>().unwrap();
    assert_eq!(
        *tracker,
        Tracker {
            url: "https://tracker.example".to_owned(),
            page_size: 100,
            archived: false,
            mode: Mode::Read,
            labels: Vec::new(),
            token: None,
            retry: Retry { limit: 3 },
        }
    );
    assert_eq!(origin(&config, "url"), "default");
    assert_eq!(config.sections["tracker"]["labels"].value, "[]");
}

#[test]
fn a_variable_wins_over_the_target_and_that_over_the_file() {
    let env = [
        ("LAKEPLAN_TRACKER__PAGE_SIZE", "25"),
        ("LAKEPLAN_TRACKER__ARCHIVED", "true"),
        ("LAKEPLAN_TRACKER__RETRY__LIMIT", ""),
    ];
    let config = load(FILE, Some("dev"), &env).unwrap();
    let tracker = config.section::<Tracker>().unwrap();
    assert_eq!((tracker.page_size, tracker.archived, tracker.retry.limit), (25, true, 5));
    assert_eq!(tracker.labels, ["a", "b"]);
    assert_eq!(tracker.token.as_ref().unwrap().as_str(), "DEV_TOKEN");
    assert_eq!(origin(&config, "page_size"), "LAKEPLAN_TRACKER__PAGE_SIZE");
    assert_eq!(origin(&config, "retry.limit"), "lakeplan.toml [target.dev.tracker.retry]");
    assert_eq!(origin(&config, "token"), "lakeplan.toml [target.dev.tracker]");
    assert_eq!(origin(&config, "labels"), "lakeplan.toml [tracker]");

    let config = load(FILE, Some("prod"), &[]).unwrap();
    let tracker = config.section::<Tracker>().unwrap();
    assert_eq!((tracker.url.as_str(), tracker.page_size), ("https://prod.example", 50));
}

#[test]
fn the_settings_as_json_list_the_section_beside_the_others() {
    let config = serde_json::to_value(load(FILE, None, &[]).unwrap()).unwrap();
    assert_eq!(config["tracker"]["page_size"]["value"], "50");
    assert_eq!(config["lake"]["origin"], "default");
}

#[rstest]
#[case::a_key("[tracker]\nurl = 'x'\npage_sise = 5", &[
    "lakeplan.toml [tracker], line 3: ", "tracker.page_sise", "did you mean page_size?",
])]
#[case::a_nested_key("[tracker.retry]\nlimits = 5", &[
    "[tracker.retry], line 2: ", "tracker.retry.limits", "did you mean limit?",
])]
#[case::a_key_of_a_target_that_is_not_selected("[target.prod.tracker]\nnone = 5", &[
    "[target.prod.tracker], line 2: ", "there is no setting tracker.none",
])]
#[case::a_section("[trackers]\nurl = 'x'", &["line 1: ", "did you mean tracker?"])]
#[case::a_string_for_a_number("[tracker]\npage_size = 'hunter2'", &[
    "lakeplan.toml [tracker], line 2: tracker.page_size is not valid: expected u32, found a string",
])]
#[case::a_number_for_a_string("[tracker]\nurl = 5", &["expected a string, found an integer"])]
#[case::a_number_out_of_range("[tracker.retry]\nlimit = 999", &[
    "line 2: tracker.retry.limit is not valid",
])]
#[case::an_unknown_value("[tracker]\nmode = 'hunter2'", &["the values are read, write"])]
#[case::a_string_for_a_section("tracker = 'hunter2'", &["tracker is not valid: must be a table"])]
#[case::a_secret_in_clear("[tracker]\ntoken = 'hunter2'", &[
    "line 2: tracker.token is not valid: must name the environment variable",
])]
fn an_invalid_section_is_refused_with_its_place(#[case] file: &str, #[case] parts: &[&str]) {
    let err = load(file, None, &[]).unwrap_err().to_string();
    for part in parts {
        assert!(err.contains(part), "no {part:?}: {err}");
    }
    assert!(!err.contains("hunter2"), "{err}");
}

#[rstest]
#[case::a_value("LAKEPLAN_TRACKER__PAGE_SIZE", "many", "expected u32, found a string")]
#[case::a_key("LAKEPLAN_TRACKER__PAGE_SISE", "5", "did you mean page_size?")]
#[case::a_section("LAKEPLAN_TRAKER__URL", "x", "did you mean tracker?")]
#[case::a_section_as_a_value("LAKEPLAN_TRACKER__RETRY", "x", "tracker.retry is not valid")]
fn an_invalid_variable_is_refused_by_name(
    #[case] name: &str,
    #[case] value: &str,
    #[case] part: &str,
) {
    let err = load("", None, &[(name, value)]).unwrap_err().to_string();
    assert!(err.starts_with(&format!("{name}: ")) && err.contains(part), "{err}");
}

#[test]
fn a_module_refuses_a_value_with_its_origin() {
    let config = load(FILE, Some("prod"), &[("LAKEPLAN_TRACKER__RETRY__LIMIT", "9")]).unwrap();
    let tracker = config.section::<Tracker>().unwrap();
    let err = tracker.invalid("retry.limit", "must be at most 5").to_string();
    let refused = "tracker.retry.limit is not valid: must be at most 5";
    assert_eq!(err, format!("LAKEPLAN_TRACKER__RETRY__LIMIT: {refused}"));
    let err = tracker.invalid("url", "must be another host").to_string();
    assert!(err.contains("lakeplan.toml [target.prod.tracker], line 14: tracker.url"), "{err}");
}
