//! Everything a lake in Unity Catalog needs, looked at one by one: what is there, and what gives what is missing.

use super::api::{self, Access, TableInfo};
use super::error::CatalogError;
use super::name::SchemaName;
use super::refusal::Right;
use super::{Catalog, JOURNAL, features, place, same_place};
use crate::net::NetError;
use crate::store::LakeTables;
use crate::store::inbox;
use crate::store::root::Root;
use crate::store::table_log::TableLog;

/// What writing a registered table needs.
const WRITING: [Right; 3] = [Right::ExternalUseSchema, Right::Select, Right::Modify];

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub what: String,
    pub state: State,
    /// What was found.
    pub said: String,
    /// The statement or setting that gives it.
    pub way_out: Option<String>,
}

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    Missing,
    /// It could not be seen, which is no fault.
    Unknown,
}

impl Check {
    pub fn ok(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Ok, said: said.into(), way_out: None }
    }

    pub fn missing(
        what: impl Into<String>,
        said: impl Into<String>,
        way_out: Option<String>,
    ) -> Self {
        Self { what: what.into(), state: State::Missing, said: said.into(), way_out }
    }

    pub fn unknown(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Unknown, said: said.into(), way_out: None }
    }

    pub fn is_ok(&self) -> bool {
        self.state == State::Ok
    }

    fn fault(what: impl Into<String>, fault: &CatalogError) -> Self {
        Self::missing(what, fault.to_string(), fault.hint())
    }
}

impl Catalog {
    /// Looks at all of it, as far as what is missing lets it. `views` are those that there should be.
    pub async fn preflight(&self, name: &SchemaName, views: &[&str]) -> Vec<Check> {
        let mut checks = Vec::new();
        if self.look_at_workspace(&mut checks).await
            && self.look_at_schema(name, &mut checks).await
            && let Some((root, may_write)) = self.look_at_place(name, &mut checks).await
        {
            self.look_at_tables(name, &root, may_write, &mut checks).await;
            self.look_at_views(name, views, &mut checks).await;
            self.look_at_inbox(name, &mut checks).await;
        }
        checks
    }

    async fn look_at_workspace(&self, checks: &mut Vec<Check>) -> bool {
        let host = self.workspace.host();
        match api::me(&self.workspace).await {
            Ok(me) => {
                checks.push(Check::ok("workspace", format!("{host} answers")));
                checks.push(Check::ok("identity", me));
            }
            Err(fault) => {
                let what = match &fault {
                    CatalogError::Net(cause)
                        if matches!(cause.as_ref(), NetError::Unauthorized { .. }) =>
                    {
                        "identity"
                    }
                    _ => "workspace",
                };
                checks.push(Check::fault(what, &fault));
                return false;
            }
        }
        let what = "external data access";
        checks.push(match api::external_access(&self.workspace).await {
            Ok(Some(true)) => {
                Check::ok(what, "the metastore gives credentials to programs outside")
            }
            Ok(Some(false)) => Check::fault(what, &CatalogError::ExternalAccessOff),
            Ok(None) => Check::unknown(what, "the metastore does not say"),
            Err(fault) => Check::unknown(what, fault.to_string()),
        });
        true
    }

    async fn look_at_schema(&self, name: &SchemaName, checks: &mut Vec<Check>) -> bool {
        match self.refuse_missing(name).await {
            Ok(()) => {
                checks.push(Check::ok("schema", format!("{name} is there")));
                true
            }
            Err(fault) => {
                checks.push(Check::fault("schema", &fault));
                false
            }
        }
    }

    /// The journal, the rights to it, the lake opened, and whether it may be written.
    async fn look_at_place(
        &self,
        name: &SchemaName,
        checks: &mut Vec<Check>,
    ) -> Option<(Root, bool)> {
        let journal = match self.table(name, JOURNAL).await {
            Ok(Some(journal)) => journal,
            Ok(None) => {
                checks.push(Check::fault(
                    "journal",
                    &CatalogError::NotRegistered { schema: name.to_string() },
                ));
                return None;
            }
            Err(fault) => {
                checks.push(Check::fault("journal", &fault));
                return None;
            }
        };
        if let Err(fault) = place(name, &journal) {
            checks.push(Check::fault("journal", &fault));
            return None;
        }
        checks.push(Check::ok("journal", format!("external, at {}", journal.storage_location)));
        let what = Right::ExternalUseSchema.privilege();
        let vended =
            api::for_table(&self.workspace, &journal.table_id, Access::Read).await.map(drop);
        if !self
            .note_right(
                checks,
                what,
                vended,
                name,
                None,
                &[Right::ExternalUseSchema, Right::Select],
            )
            .await
        {
            return None;
        }
        let vended =
            api::for_table(&self.workspace, &journal.table_id, Access::Write).await.map(drop);
        let may_write =
            self.note_right(checks, "write credential", vended, name, None, &WRITING).await;
        match self.rooted(name, &journal).await {
            Ok(root) => Some((root, may_write)),
            Err(fault) => {
                checks.push(Check::missing("lake", fault.to_string(), fault.hint()));
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
        needs: &[Right],
    ) -> bool {
        match vended {
            Ok(()) => {
                checks.push(Check::ok(what, "a credential was given"));
                true
            }
            Err(fault) => {
                let fault = self.told(fault, "get a credential", Some(name), url, needs).await;
                checks.push(Check::fault(what, &fault));
                false
            }
        }
    }

    /// Each table of the lake: as its log says it, and as the catalog has it.
    async fn look_at_tables(
        &self,
        name: &SchemaName,
        root: &Root,
        may_write: bool,
        checks: &mut Vec<Check>,
    ) {
        let place = |table: &str| format!("{}/{table}", root.url.as_str().trim_end_matches('/'));
        let register = || Some(format!("lakeplan --lake {name} catalog register"));
        let access = if may_write { Access::Write } else { Access::Read };
        // It stands for a table that is not registered.
        let at_path = api::for_path(&self.workspace, &place("_probe"), access).await.map(drop);
        let mut needs_path = false;
        for table in LakeTables::own() {
            let what = format!("table {table}");
            let info = match self.table(name, table).await {
                Ok(info) => info,
                Err(fault) => {
                    checks.push(Check::fault(what, &fault));
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
                        "not there yet; the work that brings its first row makes it",
                    ));
                    continue;
                }
                Err(fault) => {
                    checks.push(Check::missing(what, fault.to_string(), fault.hint()));
                    continue;
                }
                Ok(Some(table)) => {
                    if let Err(fault) = table.others.may_write() {
                        checks.push(Check::missing(what, fault.to_string(), fault.hint()));
                        continue;
                    }
                }
            }
            checks.push(match info {
                None => Check::missing(what, "it is not registered", register()),
                Some(info) if !is_here => {
                    let said = format!(
                        "it is registered at {}, and lies at {}",
                        info.storage_location,
                        place(table)
                    );
                    let way_out = format!(
                        "DROP TABLE {}; then {}",
                        name.quoted(table),
                        register().unwrap_or_default()
                    );
                    Check::missing(what, said, Some(way_out))
                }
                Some(info) => self.look_at_table(name, &info, what, may_write).await,
            });
        }
        let what = Right::ExternalUseLocation.privilege();
        if !needs_path && at_path.as_ref().is_err_and(CatalogError::is_refusal) {
            checks.push(Check::ok(what, "not given, and not needed: every table is registered"));
            return;
        }
        let needs: &[Right] = match access {
            Access::Write => &[Right::ExternalUseLocation, Right::ReadFiles, Right::WriteFiles],
            Access::Read => &[Right::ExternalUseLocation, Right::ReadFiles],
        };
        self.note_right(checks, what, at_path, name, Some(root.url.as_str()), needs).await;
    }

    /// A table that is registered where it lies. Where the journal may not be written it is no matter whether this may.
    async fn look_at_table(
        &self,
        name: &SchemaName,
        info: &TableInfo,
        what: String,
        may_write: bool,
    ) -> Check {
        let found = features::of_properties(&info.properties);
        if !found.is_empty() {
            return Check::fault(
                what,
                &CatalogError::Features { table: name.of(&info.name), features: found.join(", ") },
            );
        }
        let said = "registered; of a protocol that Lakeplan writes";
        if !may_write {
            return Check::ok(what, said);
        }
        match api::for_table(&self.workspace, &info.table_id, Access::Write).await {
            Ok(_) => Check::ok(what, said),
            Err(fault) => {
                Check::fault(what, &self.told(fault, "write it", Some(name), None, &WRITING).await)
            }
        }
    }

    async fn look_at_views(&self, name: &SchemaName, views: &[&str], checks: &mut Vec<Check>) {
        let mut missing = Vec::new();
        for view in views {
            match self.table(name, view).await {
                Ok(Some(_)) => {}
                Ok(None) => missing.push(*view),
                Err(fault) => {
                    checks.push(Check::fault("views", &fault));
                    return;
                }
            }
        }
        checks.push(if missing.is_empty() {
            Check::ok("views", format!("all {} are there", views.len()))
        } else {
            let way_out = format!("lakeplan --lake {name} catalog views");
            Check::missing("views", format!("missing: {}", missing.join(", ")), Some(way_out))
        });
    }

    async fn look_at_inbox(&self, name: &SchemaName, checks: &mut Vec<Check>) {
        let table = inbox::NAME;
        match self.table(name, table).await {
            Err(fault) => checks.push(Check::fault(table, &fault)),
            Ok(None) => {
                let way_out = format!("lakeplan --lake {name} catalog register --grant PRINCIPAL");
                checks.push(Check::missing(table, "it is not registered", Some(way_out)));
            }
            Ok(Some(_)) => {
                let places = [
                    ("table", name.of(table)),
                    ("schema", name.to_string()),
                    ("catalog", name.catalog.clone()),
                ];
                for (kind, full_name) in places {
                    match api::has_grant(&self.workspace, kind, &full_name, "MODIFY").await {
                        Ok(true) => {
                            return checks.push(Check::ok(
                                table,
                                format!("may be written, by a grant on the {kind}"),
                            ));
                        }
                        Ok(false) => {}
                        Err(fault) => return checks.push(Check::unknown(table, fault.to_string())),
                    }
                }
                let grant = format!(
                    "GRANT MODIFY, SELECT ON TABLE {} TO `<the SQL users>`",
                    name.quoted(table)
                );
                checks.push(Check::missing(
                    table,
                    "nobody was given the right to write it",
                    Some(grant),
                ));
            }
        }
    }
}
