//! Checks every requirement of a lake in Unity Catalog, and reports how to obtain what is missing.

use super::client::Catalog;
use super::features;
use super::root::place;
use crate::databricks::catalog::api::{self, same_place};
use crate::databricks::catalog::{Access, CatalogError, Privilege, SchemaName, TableInfo};
use crate::databricks::{Check, WorkspaceError};
use crate::domain::hint::CatalogHint;
use crate::store::delta_log::table_log::TableLog;
use crate::store::location::LakeLocation;
use crate::store::names::JOURNAL;
use crate::store::{LakeTables, inbox};

/// Rights needed to write a registered table.
const WRITING: [Privilege; 3] =
    [Privilege::ExternalUseSchema, Privilege::Select, Privilege::Modify];

impl Catalog {
    /// Checks all requirements, as far as missing ones allow. `views` are the expected views.
    pub async fn preflight(&self, name: &SchemaName, views: &[&str]) -> Vec<Check> {
        let mut checks = Vec::new();
        if self.check_workspace(&mut checks).await
            && self.check_schema(name, &mut checks).await
            && let Some((root, may_write)) = self.check_location(name, &mut checks).await
        {
            self.check_tables(name, &root, may_write, &mut checks).await;
            self.check_views(name, views, &mut checks).await;
            self.check_inbox(name, &mut checks).await;
        }
        checks
    }

    async fn check_workspace(&self, checks: &mut Vec<Check>) -> bool {
        let host = self.unity.workspace.host();
        match api::me(&self.unity.workspace).await {
            Ok(me) => {
                checks.push(Check::ok("workspace", format!("{host} answers")));
                checks.push(Check::ok("identity", me));
            }
            Err(err) => {
                let what = match &err {
                    CatalogError::Workspace(cause)
                        if matches!(cause.as_ref(), WorkspaceError::Unauthorized { .. }) =>
                    {
                        "identity"
                    }
                    _ => "workspace",
                };
                checks.push(Check::err(what, &err));
                return false;
            }
        }
        let what = "external data access";
        checks.push(match api::external_access(&self.unity.workspace).await {
            Ok(Some(true)) => {
                Check::ok(what, "the metastore issues credentials to external clients")
            }
            Ok(Some(false)) => Check::err(what, &CatalogError::ExternalAccessOff),
            Ok(None) => Check::unknown(what, "the metastore does not report it"),
            Err(err) => Check::unknown(what, err.to_string()),
        });
        true
    }

    async fn check_schema(&self, name: &SchemaName, checks: &mut Vec<Check>) -> bool {
        match self.unity.check_exists(name).await {
            Ok(()) => {
                checks.push(Check::ok("schema", format!("{name} is there")));
                true
            }
            Err(err) => {
                checks.push(Check::err("schema", &err));
                false
            }
        }
    }

    /// Checks the journal, the rights to it, opening the lake, and whether the lake may be written.
    async fn check_location(
        &self,
        name: &SchemaName,
        checks: &mut Vec<Check>,
    ) -> Option<(LakeLocation, bool)> {
        let journal = match self.unity.table(name, JOURNAL).await {
            Ok(Some(journal)) => journal,
            Ok(None) => {
                checks.push(Check::err(
                    "journal",
                    &CatalogError::NotRegistered { schema: name.to_string() },
                ));
                return None;
            }
            Err(err) => {
                checks.push(Check::err("journal", &err));
                return None;
            }
        };
        if let Err(err) = place(name, &journal) {
            checks.push(Check::err("journal", &err));
            return None;
        }
        checks.push(Check::ok("journal", format!("external, at {}", journal.storage_location)));
        let what = Privilege::ExternalUseSchema.privilege();
        let vended =
            api::for_table(&self.unity.workspace, &journal.table_id, Access::Read).await.map(drop);
        if !self
            .note_right(
                checks,
                what,
                vended,
                name,
                None,
                &[Privilege::ExternalUseSchema, Privilege::Select],
            )
            .await
        {
            return None;
        }
        let vended =
            api::for_table(&self.unity.workspace, &journal.table_id, Access::Write).await.map(drop);
        let may_write =
            self.note_right(checks, "write credential", vended, name, None, &WRITING).await;
        match self.rooted(name, &journal).await {
            Ok(root) => Some((root, may_write)),
            Err(err) => {
                checks.push(Check::missing("lake", err.to_string(), err.hint()));
                None
            }
        }
    }

    async fn note_right(
        &self,
        checks: &mut Vec<Check>,
        what: &str,
        vended: Result<(), CatalogError>,
        name: &SchemaName,
        url: Option<&str>,
        needs: &[Privilege],
    ) -> bool {
        match vended {
            Ok(()) => {
                checks.push(Check::ok(what, "a credential was given"));
                true
            }
            Err(err) => {
                let err = self.unity.explain(err, "get a credential", Some(name), url, needs).await;
                checks.push(Check::err(what, &err));
                false
            }
        }
    }

    /// Checks each table of the lake: by its log and by the catalog.
    async fn check_tables(
        &self,
        name: &SchemaName,
        root: &LakeLocation,
        may_write: bool,
        checks: &mut Vec<Check>,
    ) {
        let place = |table: &str| format!("{}/{table}", root.url.as_str().trim_end_matches('/'));
        let register = || CatalogHint::Register { schema: name.to_string() };
        let access = if may_write { Access::Write } else { Access::Read };
        // Stands in for a table that is not registered.
        let at_path =
            api::for_path(&self.unity.workspace, &place("_probe"), access).await.map(drop);
        let mut needs_path = false;
        for table in LakeTables::own() {
            let what = format!("table {table}");
            let info = match self.unity.table(name, table).await {
                Ok(info) => info,
                Err(err) => {
                    checks.push(Check::err(what, &err));
                    continue;
                }
            };
            let is_here =
                info.as_ref().is_some_and(|info| same_place(&info.storage_location, &place(table)));
            needs_path |= !is_here;
            match TableLog::new(std::sync::Arc::clone(&root.store), table).load().await {
                Ok(None) => {
                    checks.push(Check::unknown(
                        what,
                        "does not exist yet; it is created with its first row",
                    ));
                    continue;
                }
                Err(err) => {
                    checks.push(Check::missing(what, err.to_string(), err.hint()));
                    continue;
                }
                Ok(Some(table)) => {
                    if let Err(err) = table.others.may_write() {
                        checks.push(Check::missing(what, err.to_string(), err.hint()));
                        continue;
                    }
                }
            }
            checks.push(match info {
                None => Check::missing(what, "it is not registered", Some(register().into())),
                Some(info) if !is_here => {
                    let message = format!(
                        "it is registered at {}, but is stored at {}",
                        info.storage_location,
                        place(table)
                    );
                    let advice = CatalogHint::DropThenRegister {
                        statement: format!("DROP TABLE {}", name.quoted(table)),
                        schema: name.to_string(),
                    };
                    Check::missing(what, message, Some(advice.into()))
                }
                Some(info) => self.check_table(name, &info, what, may_write).await,
            });
        }
        let what = Privilege::ExternalUseLocation.privilege();
        if !needs_path && at_path.as_ref().is_err_and(CatalogError::is_refusal) {
            checks.push(Check::ok(what, "not given, and not needed: every table is registered"));
            return;
        }
        let needs: &[Privilege] = match access {
            Access::Write => {
                &[Privilege::ExternalUseLocation, Privilege::ReadFiles, Privilege::WriteFiles]
            }
            Access::Read => &[Privilege::ExternalUseLocation, Privilege::ReadFiles],
        };
        self.note_right(checks, what, at_path, name, Some(root.url.as_str()), needs).await;
    }

    /// Checks a table that is registered at its location. If the journal cannot be written, write
    /// access to this table does not matter.
    async fn check_table(
        &self,
        name: &SchemaName,
        info: &TableInfo,
        what: String,
        may_write: bool,
    ) -> Check {
        let found = features::of_properties(&info.properties);
        if !found.is_empty() {
            return Check::err(
                what,
                &CatalogError::Features { table: name.of(&info.name), features: found.join(", ") },
            );
        }
        let message = "registered; of a protocol that Lakeplan writes";
        if !may_write {
            return Check::ok(what, message);
        }
        match api::for_table(&self.unity.workspace, &info.table_id, Access::Write).await {
            Ok(_) => Check::ok(what, message),
            Err(err) => Check::err(
                what,
                &self.unity.explain(err, "write it", Some(name), None, &WRITING).await,
            ),
        }
    }

    async fn check_views(&self, name: &SchemaName, views: &[&str], checks: &mut Vec<Check>) {
        let mut missing = Vec::new();
        for view in views {
            match self.unity.table(name, view).await {
                Ok(Some(_)) => {}
                Ok(None) => missing.push(*view),
                Err(err) => {
                    checks.push(Check::err("views", &err));
                    return;
                }
            }
        }
        checks.push(if missing.is_empty() {
            Check::ok("views", format!("all {} are there", views.len()))
        } else {
            let advice = CatalogHint::CreateViews { schema: name.to_string() };
            Check::missing("views", format!("missing: {}", missing.join(", ")), Some(advice.into()))
        });
    }

    async fn check_inbox(&self, name: &SchemaName, checks: &mut Vec<Check>) {
        let table = inbox::NAME;
        match self.unity.table(name, table).await {
            Err(err) => checks.push(Check::err(table, &err)),
            Ok(None) => {
                let advice = CatalogHint::RegisterInbox { schema: name.to_string() };
                checks.push(Check::missing(table, "it is not registered", Some(advice.into())));
            }
            Ok(Some(_)) => {
                let places = [
                    ("table", name.of(table)),
                    ("schema", name.to_string()),
                    ("catalog", name.catalog.clone()),
                ];
                for (kind, full_name) in places {
                    match api::has_grant(&self.unity.workspace, kind, &full_name, "MODIFY").await {
                        Ok(true) => {
                            return checks.push(Check::ok(
                                table,
                                format!("may be written, by a grant on the {kind}"),
                            ));
                        }
                        Ok(false) => {}
                        Err(err) => return checks.push(Check::unknown(table, err.to_string())),
                    }
                }
                let grant = format!(
                    "GRANT MODIFY, SELECT ON TABLE {} TO `<the SQL users>`",
                    name.quoted(table)
                );
                checks.push(Check::missing(
                    table,
                    "no principal has the privilege to write it",
                    Some(grant.into()),
                ));
            }
        }
    }
}
