//! The OpenAPI description of Unity Catalog, which validates every request and response: paths,
//! parameters and bodies. The validation is stricter than the description: an undescribed field is
//! a violation.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::shared;

pub struct OpenApi {
    paths: Value,
    validators: BTreeMap<String, Validator>,
}

/// Fields that Databricks returns in addition to the description.
const EXTENSIONS: [(&str, &str); 1] = [("GetMetastoreSummaryResponse", "external_access_enabled")];

impl OpenApi {
    /// Loads the description. Returns `None` and prints a message if it is not available.
    pub fn load() -> Option<Self> {
        let path = shared("data/databricks")?.join("uc-openapi.yaml");
        let mut document: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let components = document["components"].take();
        let mut schemas = components["schemas"].clone();
        for (name, schema) in schemas.as_object_mut().unwrap() {
            for (_, field) in EXTENSIONS.iter().filter(|(of, _)| of == name) {
                schema["properties"][*field] = json!({"type": "boolean"});
            }
            if schema["properties"].is_object() {
                schema["additionalProperties"] = json!(false);
            }
        }
        let validator = |name: &String| {
            let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": {"schemas": schemas}});
            (name.clone(), jsonschema::validator_for(&schema).unwrap())
        };
        let used = [
            "TableInfo",
            "CatalogInfo",
            "SchemaInfo",
            "GenerateTemporaryPathCredential",
            "GenerateTemporaryTableCredential",
            "TemporaryCredentials",
            "ListExternalLocationsResponse",
            "PermissionsList",
            "GetMetastoreSummaryResponse",
        ];
        let validators = used.iter().map(|name| validator(&(*name).to_owned())).collect();
        Some(Self { paths: document["paths"].take(), validators })
    }

    /// Returns the violations in a request and its response.
    pub fn check(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: &Value,
        answer: Option<&Value>,
    ) -> Vec<String> {
        let place = format!("{method} {path}");
        let Some((template, item)) =
            self.paths.as_object().unwrap().iter().find(|(template, _)| fits(template, path))
        else {
            return vec![format!("{place}: unknown path")];
        };
        let operation = &item[method.to_lowercase()];
        if operation.is_null() {
            return vec![format!("{place}: {template} has no {method}")];
        }
        let mut violations = Vec::new();
        let lists = [&item["parameters"], &operation["parameters"]];
        let known: Vec<&str> = lists
            .iter()
            .filter_map(|list| list.as_array())
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            if !known.contains(&name) {
                violations.push(format!("{place}: unknown parameter {name}"));
            }
        }
        let request = &operation["requestBody"]["content"]["application/json"]["schema"];
        violations.extend(self.against(request, body, &format!("{place}, request")));
        if let Some(answer) = answer {
            let described = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            violations.extend(self.against(described, answer, &format!("{place}, response")));
        }
        violations
    }

    fn against(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) else {
            return if value.is_null() {
                Vec::new()
            } else {
                vec![format!("{place}: unexpected body")]
            };
        };
        let validator = self
            .validators
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not among the compiled schemas"));
        validator.iter_errors(value).map(|err| format!("{place}: {err}")).collect()
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(part, printed)| part.starts_with('{') || *part == printed)
}

#[test]
fn the_openapi_check_rejects_undescribed_messages() {
    let Some(api) = OpenApi::load() else { return };
    let credentials = "/temporary-path-credentials";
    let body = json!({"url": "s3://b", "operation": "PATH_READ"});
    let answer = json!({"expiration_time": 1, "aws_temp_credentials": {"access_key_id": "a", "secret_access_key": "b", "session_token": "c"}});
    assert_eq!(api.check("POST", credentials, "", &body, Some(&answer)), Vec::<String>::new());
    let invalid = [
        api.check("POST", credentials, "", &json!({"url": "s3://b", "operation": "READ"}), None),
        api.check(
            "POST",
            credentials,
            "",
            &json!({"path": "s3://b", "operation": "PATH_READ"}),
            None,
        ),
        api.check("POST", credentials, "", &body, Some(&json!({"expiration_time": "soon"}))),
        api.check("POST", credentials, "", &body, Some(&json!({"expires": 1}))),
        api.check("PUT", credentials, "", &body, None),
        api.check("GET", "/tabels/a.b.c", "", &Value::Null, None),
        api.check("GET", "/tables/a.b.c", "nonsense=1", &Value::Null, None),
    ];
    assert!(invalid.iter().all(|violations| !violations.is_empty()), "{invalid:#?}");
}
