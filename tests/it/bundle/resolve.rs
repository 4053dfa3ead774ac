//! One target of a bundle, merged and resolved like a deployment does. Values that only a workspace
//! knows are made up.

use serde_json::{Map, Value, json};

/// Lists of named items, in which a target can change a single item.
const NAMED: [(&str, &str); 4] = [
    ("tasks", "task_key"),
    ("job_clusters", "job_cluster_key"),
    ("parameters", "name"),
    ("environments", "environment_key"),
];

pub struct Bundle {
    config: Value,
    variables: Map<String, Value>,
}

impl Bundle {
    /// Merges the root file, which is the first, and its includes for `target`.
    pub fn of(files: &[Value], target: &str) -> Self {
        let mut config = files.iter().fold(json!({}), |below, file| merge(below, file.clone(), ""));
        let mut targets = config.as_object_mut().unwrap().remove("targets").unwrap();
        let mut overrides = targets[target].take();
        let chosen = overrides.as_object_mut().unwrap().remove("variables").unwrap_or(json!({}));
        let mut config = merge(config, overrides, "");
        config["bundle"]["target"] = target.into();
        let defaults = json!({
            "current_user": {"userName": "you@example.com", "short_name": "you"},
            "root_path": "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}",
            "file_path": "${workspace.root_path}/files",
            "artifact_path": "${workspace.root_path}/artifacts",
        });
        config["workspace"] = merge(defaults, config["workspace"].take(), "");
        let declared = config["variables"].take();
        let known = |name: &String| {
            assert!(declared.get(name).is_some(), "{target} sets the undeclared variable {name}")
        };
        chosen.as_object().unwrap().keys().for_each(known);
        let value = |(name, declaration): (&String, &Value)| {
            assert!(
                declaration["description"].is_string(),
                "the variable {name} has no description"
            );
            (name.clone(), setting(chosen.get(name).unwrap_or(declaration)))
        };
        let variables = declared.as_object().unwrap().iter().map(value).collect();
        Self { config, variables }
    }

    pub fn config(&self) -> &Value {
        &self.config
    }

    /// Returns every job by its key, resolved.
    pub fn jobs(&self) -> Vec<(String, Value)> {
        let jobs = self.config["resources"]["jobs"].as_object().unwrap().iter();
        jobs.map(|(name, job)| {
            (name.clone(), self.resolve(job).unwrap_or_else(|err| panic!("{name}: {err}")))
        })
        .collect()
    }

    /// Returns the prefix that development mode or the presets of the target add to every name.
    pub fn name_prefix(&self) -> String {
        let given = self.config["presets"]["name_prefix"].clone();
        let prefix = match (given, self.config["mode"].as_str()) {
            (Value::Null, Some("development")) => {
                json!("[dev ${workspace.current_user.short_name}] ")
            }
            (Value::Null, _) => json!(""),
            (given, _) => given,
        };
        self.resolve(&prefix).unwrap().as_str().unwrap().to_owned()
    }

    /// Returns a description of the identity that the jobs run as.
    pub fn runs_as(&self) -> String {
        let deployer = json!({"user_name": "${workspace.current_user.userName}"});
        let run_as =
            if self.config["run_as"].is_null() { deployer } else { self.config["run_as"].clone() };
        let resolved = self.resolve(&run_as).unwrap();
        let (_, who) = resolved.as_object().unwrap().iter().next().unwrap();
        who.as_str().unwrap().to_owned()
    }

    /// Returns the value with every `${…}` replaced, or an error for the first that does not
    /// resolve.
    pub fn resolve(&self, value: &Value) -> Result<Value, String> {
        self.resolve_within(value, &[])
    }

    fn resolve_within(&self, value: &Value, within: &[&str]) -> Result<Value, String> {
        match value {
            Value::Object(map) => {
                let resolved = map
                    .iter()
                    .map(|(key, inner)| Ok((key.clone(), self.resolve_within(inner, within)?)));
                Ok(Value::Object(resolved.collect::<Result<_, String>>()?))
            }
            Value::Array(list) => Ok(Value::Array(
                list.iter()
                    .map(|inner| self.resolve_within(inner, within))
                    .collect::<Result<_, _>>()?,
            )),
            Value::String(text) => self.resolve_text(text, within),
            other => Ok(other.clone()),
        }
    }

    fn resolve_text(&self, text: &str, within: &[&str]) -> Result<Value, String> {
        let Some((before, rest)) = text.split_once("${") else { return Ok(text.into()) };
        let (path, after) =
            rest.split_once('}').ok_or_else(|| format!("{text:?} is not terminated"))?;
        if within.contains(&path) {
            return Err(format!("${{{path}}} refers to itself"));
        }
        let found = self.find(path).ok_or_else(|| format!("${{{path}}} does not resolve"))?;
        let value = self.resolve_within(&found, &[within, &[path]].concat())?;
        if before.is_empty() && after.is_empty() {
            return Ok(value);
        }
        let value = value
            .as_str()
            .ok_or_else(|| format!("${{{path}}} is not a string and cannot be part of one"))?;
        let after = self.resolve_text(after, within)?;
        Ok(format!("{before}{value}{}", after.as_str().unwrap_or_default()).into())
    }

    fn find(&self, path: &str) -> Option<Value> {
        if let Some(name) = path.strip_prefix("var.") {
            return self.variables.get(name).filter(|value| !value.is_null()).cloned();
        }
        let steps: Vec<&str> = path.split('.').collect();
        // The workspace assigns the id of a resource.
        if let ["resources", kind, name, "id"] = steps.as_slice() {
            return self.config["resources"][kind].get(name).map(|_| path.into());
        }
        self.config.pointer(&format!("/{}", steps.join("/"))).cloned()
    }
}

/// Fills in the `{{…}}` of an argument of a task: the parameters as given, and made-up values for
/// everything else.
pub fn filled(word: &str, parameters: &[(String, String)]) -> String {
    let Some((before, rest)) = word.split_once("{{") else { return word.to_owned() };
    let (path, after) =
        rest.split_once("}}").unwrap_or_else(|| panic!("{word:?} is not terminated"));
    let value = match path.trim().strip_prefix("job.parameters.") {
        Some(name) => {
            let given = parameters.iter().find(|(parameter, _)| parameter == name);
            given.unwrap_or_else(|| panic!("{word:?}: the job has no parameter {name}")).1.clone()
        }
        None => "SAMPLE".to_owned(),
    };
    format!("{before}{value}{}", filled(after, parameters))
}

/// Returns the value of a variable: its default, or the lookup if it is looked up in the workspace.
fn setting(declaration: &Value) -> Value {
    let Some(map) = declaration.as_object() else { return declaration.clone() };
    match map.get("lookup").and_then(Value::as_object).and_then(|lookup| lookup.iter().next()) {
        Some((kind, name)) => {
            format!("{} {}", kind.replace('_', " "), name.as_str().unwrap()).into()
        }
        None => map.get("default").cloned().unwrap_or(Value::Null),
    }
}

/// Merges `above` over `below`: mappings by key, lists of named items by name, and other lists by
/// concatenation.
fn merge(below: Value, above: Value, key: &str) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (key, value) in above {
                let merged = match below.remove(&key) {
                    Some(earlier) => merge(earlier, value, &key),
                    None => value,
                };
                below.insert(key, merged);
            }
            Value::Object(below)
        }
        (Value::Array(mut below), Value::Array(above)) => {
            let name = NAMED.iter().find(|(list, _)| *list == key).map(|(_, name)| *name);
            for item in above {
                let same = name
                    .and_then(|name| below.iter().position(|earlier| earlier[name] == item[name]));
                match same {
                    Some(at) => below[at] = merge(below[at].take(), item, ""),
                    None => below.push(item),
                }
            }
            Value::Array(below)
        }
        (below, Value::Null) => below,
        (_, above) => above,
    }
}
