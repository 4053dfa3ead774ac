//! Words hints about a lake in Unity Catalog.

use std::borrow::Cow;

use crate::domain::hint::CatalogHint;

pub fn words(hint: &CatalogHint) -> Cow<'static, str> {
    match hint {
        CatalogHint::CreateOrCheck { schema } => {
            format!("create one with lakeplan init {schema} --location URL; if one exists, its journal is not registered or not visible: run lakeplan --lake {schema} doctor --databricks").into()
        }
        CatalogHint::UseLake { schema } => {
            format!("use it with --lake {schema}, or choose another schema").into()
        }
        CatalogHint::CreateInExternalLocation => Cow::Borrowed(
            "create the lake in a folder of an external location: lakeplan init CATALOG.SCHEMA --location URL, in a schema without that table",
        ),
        CatalogHint::NameLocation => {
            Cow::Borrowed("specify a folder of an external location with --location")
        }
        CatalogHint::GrantOrRegister { schema, grants } => {
            let grants = grants.join("; ");
            format!("ask the owner to run: {grants}; or ask a user with these privileges to run: {}", register(schema)).into()
        }
        CatalogHint::Register { schema } => register(schema).into(),
        CatalogHint::DropThenRegister { statement, schema } => {
            format!("{statement}; then {}", register(schema)).into()
        }
        CatalogHint::ReplaceTable => Cow::Borrowed(
            "ask the owner to drop that table, then run lakeplan catalog register to register the lake's own table",
        ),
        CatalogHint::CreateViews { schema } => {
            format!("lakeplan --lake {schema} catalog views").into()
        }
        CatalogHint::RegisterInbox { schema } => {
            format!("{} --grant PRINCIPAL", register(schema)).into()
        }
    }
}

fn register(schema: &str) -> String {
    format!("lakeplan --lake {schema} catalog register")
}
