use rstest::rstest;

use super::*;

/// Returns the environment with these variables.
pub(super) fn variables(env: &[(&str, &str)]) -> BTreeMap<String, String> {
    env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(file: &str, flags: Flags, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lakeplan.toml");
    std::fs::write(&path, file).unwrap();
    Config::load(&Flags { file: Some(path), ..flags }, &variables(env), &[])
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "lake = 'file'\n[target.prod]\nlake = 'section'\n";
    let flag = Flags { lake: Some("flag".to_owned()), ..Flags::default() };
    let prod = Flags { target: Some("prod".to_owned()), ..Flags::default() };
    assert_eq!(load(file, flag, &[("LAKEPLAN_LAKE", "env")]).unwrap().lake.value, "flag");
    assert_eq!(
        load(file, Flags::default(), &[("LAKEPLAN_LAKE", "env")]).unwrap().lake.origin,
        "LAKEPLAN_LAKE"
    );
    assert_eq!(load(file, prod, &[]).unwrap().lake.value, "section");
    assert_eq!(load(file, Flags::default(), &[]).unwrap().lake.value, "file");
    assert_eq!(
        load("", Flags::default(), &[]).unwrap().lake,
        Setting { value: "./lake".to_owned(), origin: "default".to_owned() }
    );
}

#[test]
fn an_empty_actor_is_not_replaced() {
    let flags = Flags { actor: Some(String::new()), ..Flags::default() };
    let actor = load("actor = 'file'", flags, &[("LAKEPLAN_ACTOR", "env"), ("USER", "user")])
        .unwrap()
        .actor;
    assert_eq!((actor.value.as_str(), actor.origin.as_str()), ("", "--actor"));
}

#[test]
fn the_memory_of_queries_is_a_setting_like_others() {
    let file = "query_memory = '64MiB'\n[target.dev]\nlake = 'x'\nquery_memory = '2GiB'\n";
    let rendered = |flags: Flags, env: &[(&str, &str)]| {
        let config = load(file, flags, env).unwrap();
        (
            config.memory >> 20,
            config.query_memory.origin.split('/').next_back().unwrap_or_default().to_owned(),
        )
    };
    let flag = Flags { query_memory: Some("32 MiB".to_owned()), ..Flags::default() };
    let dev = Flags { target: Some("dev".to_owned()), ..Flags::default() };
    let env = [("LAKEPLAN_QUERY_MEMORY", "128MiB")];
    assert_eq!(rendered(flag, &env), (32, "--memory".to_owned()));
    assert_eq!(rendered(dev.clone(), &env), (128, "LAKEPLAN_QUERY_MEMORY".to_owned()));
    assert_eq!(rendered(dev, &[]), (2048, "lakeplan.toml [target.dev]".to_owned()));
    assert_eq!(rendered(Flags::default(), &[]), (64, "lakeplan.toml".to_owned()));
    assert_eq!(load("", Flags::default(), &[]).unwrap().memory, 1 << 30);
}

#[test]
fn a_target_has_secrets_of_its_own_beside_those_of_all() {
    let file = "[secrets]\nA = 's/a'\nB = 's/b'\n[target.prod]\nlake = 'x'\n[target.prod.secrets]\nB = 'prod/b'\n";
    let prod = Flags { target: Some("prod".to_owned()), ..Flags::default() };
    let rendered = |flags| -> Vec<String> {
        let secrets = load(file, flags, &[]).unwrap().secrets;
        secrets
            .iter()
            .map(|secret| format!("{}={}/{}", secret.name, secret.scope, secret.key))
            .collect()
    };
    assert_eq!(rendered(prod), ["A=s/a", "B=prod/b"]);
    assert_eq!(rendered(Flags::default()), ["A=s/a", "B=s/b"]);
}

#[rstest]
#[case::a_setting("actor = 'a'\nlakee = 'x'", "lakeplan.toml, line 2: there is no setting lakee")]
#[case::a_setting_near_another("lakee = 'x'", "did you mean lake?")]
#[case::a_section("[github]\nurl = 'x'", "there is no setting github")]
#[case::a_setting_of_a_target(
    "[target.dev]\nlake = 'x'\noutput_ = 'x'",
    "[target.dev], line 3: there is no setting output_"
)]
#[case::a_target_within_a_target("[target.dev]\ntarget = 'prod'", "there is no setting target")]
#[case::a_target("[target.moon]\nlake = 'x'", "moon")]
#[case::a_value("output = 'xml'", "lakeplan.toml, line 1: \"xml\"")]
#[case::a_cut_line("lake = ", "line 1")]
#[case::a_target_without_settings("target = 'prod'", "[target.prod]")]
#[case::a_size("query_memory = 'much'", "512MiB")]
#[case::a_secret_in_clear("[secrets]\nAWS_SECRET_ACCESS_KEY = 'hunter2'", "AWS_SECRET_ACCESS_KEY")]
#[case::a_secret_in_lowercase("[secrets]\nlower = 'scope/key'", "lower")]
#[case::a_secret_without_quotes(
    "[secrets]\nAWS_SECRET_ACCESS_KEY = hunter2\n",
    "line 2, column 25: "
)]
#[case::a_word_behind_a_value("lake = \"x\" hunter2", "line 1")]
#[case::a_text_for_a_section("secrets = 'hunter2'", "secrets")]
#[case::a_list_for_a_text("lake = [\"hunter2\"]", "lake is not valid: must be a string")]
#[case::a_number_for_a_text("actor = 'a'\n\nlake = 5", "line 3: lake is not valid")]
#[case::a_secret_of_another_type("[secrets]\nA = 5", "secrets.A is not valid: must be a string")]
#[case::a_text_for_a_target("[target]\ndev = 'hunter2'", "dev")]
fn what_is_unknown_is_refused_with_its_place(#[case] file: &str, #[case] says: &str) {
    let err = load(file, Flags::default(), &[]).unwrap_err().to_string();
    assert!(err.contains(says) && err.contains("lakeplan.toml"), "{file}: {err}");
    assert!(!err.contains("hunter2") && !err.contains("target_sections"), "{err}");
}

#[test]
fn an_empty_variable_and_an_empty_flag_count_as_not_given() {
    let flags = Flags {
        lake: Some(String::new()),
        output: Some(String::new()),
        target: Some(String::new()),
        query_memory: Some(String::new()),
        ..Flags::default()
    };
    let file = "lake = 'file'\nquery_memory = '64MiB'\n";
    let env = [("LAKEPLAN_LAKE", ""), ("LAKEPLAN_OUTPUT", "json"), ("LAKEPLAN_ACTOR", "")];
    let config = load(file, flags, &[&env[..], &[("USER", ""), ("USERNAME", "bo")]].concat());
    let config = config.unwrap();
    assert_eq!(config.lake.value, "file");
    assert_eq!(config.output.origin, "LAKEPLAN_OUTPUT");
    assert_eq!((config.actor.value.as_str(), config.actor.origin.as_str()), ("bo", "USERNAME"));
    assert_eq!(config.target, None);
    assert_eq!(config.memory, 64 << 20);
}

/// Environment in which some variables are not UTF-8.
struct Invalid(&'static [&'static str]);

impl Environment for Invalid {
    fn get(&self, name: &str) -> Result<Option<String>, NotUtf8> {
        match self.0.contains(&name) {
            true => Err(NotUtf8 { name: name.to_owned(), value: None }),
            false => Ok(None),
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|name| (*name).to_owned()).collect()
    }
}

#[test]
fn an_invalid_variable_is_refused_only_if_it_is_read() {
    let load = |flags: &Flags, names| Config::load(flags, &Invalid(names), &[]);
    let flags = Flags { lake: Some("x".to_owned()), ..Flags::default() };
    load(&flags, &["LAKEPLAN_LAKE", "PATH"]).unwrap();
    for name in [&["LAKEPLAN_LAKE"], &["USER"], &["DATABRICKS_TOKEN"]] {
        let err = load(&Flags::default(), name).unwrap_err().to_string();
        assert!(err.contains(name[0]), "{err}");
    }
    let flags = Flags { actor: Some("ana".to_owned()), ..Flags::default() };
    load(&flags, &["USER", "LAKEPLAN_ACTOR"]).unwrap();
}

#[test]
fn a_variable_of_an_unknown_section_is_refused() {
    let err = load("", Flags::default(), &[("LAKEPLAN_GITHUB__URL", "x")]).unwrap_err();
    assert_eq!(err.to_string(), "LAKEPLAN_GITHUB__URL: there is no setting github");
}
