//! What a row of the inbox asks for, or why it is refused. Each value of a row may be anything.

use chrono::{DateTime, TimeDelta};
use md5::{Digest, Md5};

use crate::domain::id::PatchSetId;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::value::Name;
use crate::domain::violation::Violation;
use crate::exchange::json;
use crate::exchange::patchset::Request;
use crate::store::inbox::{Cell, InboxRow, Longest, possible};

/// The most characters of a request_id, and how many of a longer one are told and compared.
const LONGEST_ID: usize = 200;
const KEY: usize = 1000;
/// The most bytes of a patch set; a larger one is refused before it is parsed.
pub const LARGEST: usize = Longest::OF_REQUESTS.patch_set;
/// The earliest time of a request: 2000-01-01. What is before it comes of a wrong unit or an unset clock.
const EARLIEST: i64 = 946_684_800;
/// How far ahead of this machine's clock the one of a request's author may be; a row that is further ahead waits.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// How many faults of a request its answer names, and how many characters it has at most.
const FAULTS: usize = 20;
const MESSAGE: usize = 2000;

/// A row with its patch set.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub row: InboxRow,
    pub patch_set: Cell,
}

/// How a row is known: its request_id, cut where it is too long for any. `None` where there is nothing to answer to.
pub fn key(row: &InboxRow) -> Option<String> {
    row.request_id.text().map(|id| id.chars().take(KEY).collect())
}

/// Whether a row is dated in the future. One of the two clocks is wrong then, and which is not known here, so the row is not
/// judged until its time has come.
pub fn is_ahead(row: &InboxRow, now: Instant) -> bool {
    row.at.micros().and_then(possible).is_some_and(|at| at > now + AHEAD)
}

impl Written {
    /// The time of the row, where it can be one.
    pub fn at(&self) -> Option<Instant> {
        self.row.at.micros().and_then(possible)
    }

    /// What tells the row from others of its request_id, as SQL computes it: `md5(concat(user, ' ', patch_set))`. Empty
    /// where the patch set was not read.
    pub fn hash(&self) -> String {
        if matches!(self.patch_set, Cell::TooLong { .. }) {
            return String::new();
        }
        let text = |cell: &Cell| cell.text().unwrap_or_default().to_owned();
        let digest = Md5::digest(format!("{} {}", text(&self.row.user), text(&self.patch_set)));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The id of the patch set it would become. It is made from the request_id and the time, so that a second try of the
    /// same row is the same set.
    pub fn set_id(&self) -> PatchSetId {
        let millis = self.at().map_or(0, |at| at.timestamp_millis().max(0));
        PatchSetId::of_event(millis, self.row.request_id.text().unwrap_or_default().as_bytes())
    }

    /// The request, made by the row's user and known by the row's id whatever the JSON says; or why it is refused.
    pub fn request(&self, now: Instant) -> Result<Request, String> {
        id(&self.row.request_id)?;
        time(&self.row.at, now)?;
        let user = text("user", &self.row.user)?;
        let actor = Name::of_actor(user).map_err(|misfit| format!("the user {misfit}"))?;
        if let Cell::TooLong { bytes, .. } = self.patch_set {
            let (size, most) = (bytes as f64 / f64::from(1 << 20), LARGEST >> 20);
            return Err(format!(
                "patch_set has {size:.1} MiB, at most {most} are read; ask for its parts in requests of their own"
            ));
        }
        let value = json::parse(text("patch_set", &self.patch_set)?.as_bytes())
            .map_err(|err| format!("patch_set: {err}"))?;
        let request = Request::from_json(&value).map_err(|violations| said(&violations))?;
        Ok(Request { id: Some(self.set_id()), actor: Some(actor), ..request })
    }
}

fn id(cell: &Cell) -> Result<(), String> {
    let id = text("request_id", cell)?;
    if id.trim().is_empty() {
        return Err("the request_id is empty".to_owned());
    }
    if id.chars().count() > LONGEST_ID {
        return Err(format!("the request_id has more than {LONGEST_ID} characters"));
    }
    if id.contains(char::is_control) {
        return Err("the request_id holds a control character".to_owned());
    }
    Ok(())
}

fn text<'c>(name: &str, cell: &'c Cell) -> Result<&'c str, String> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Null => Err(format!("{name} is NULL")),
        Cell::NotUtf8(_) => Err(format!("{name} is not UTF-8")),
        Cell::TooLong { bytes, .. } => Err(format!("{name} is too long: it has {bytes} bytes")),
        Cell::Time(_) => Err(format!("{name} is a time and not a text")),
        Cell::Unfit(what) => Err(format!("{name} is {what} and not a text")),
    }
}

fn time(cell: &Cell, now: Instant) -> Result<(), String> {
    let micros = cell.micros().ok_or_else(|| match cell {
        Cell::Null => "at is NULL".to_owned(),
        Cell::Unfit(what) => format!("at is {what} and not a time"),
        _ => "at is not a time".to_owned(),
    })?;
    let at = possible(micros).ok_or_else(|| {
        format!("at is {micros} microseconds from 1970, which is no time of the years 1 to 9999")
    })?;
    if DateTime::from_timestamp(EARLIEST, 0).is_some_and(|earliest| at < earliest) {
        return Err(format!("at, {}, is before the year 2000", rfc3339(at)));
    }
    if at > now + AHEAD {
        return Err(format!("at, {}, is in the future; it is {} now", rfc3339(at), rfc3339(now)));
    }
    Ok(())
}

/// The faults of a request, the first of them where they are many: whoever may write a row must not flood a table with it.
pub fn said(violations: &[Violation]) -> String {
    let mut said: Vec<String> = violations.iter().take(FAULTS).map(ToString::to_string).collect();
    if violations.len() > FAULTS {
        said.push(format!("and {} more", violations.len() - FAULTS));
    }
    said.join("; ")
}

/// A message as it is told: short, and without control characters, which may come of the row.
pub fn plain(text: &str) -> String {
    let escaped = text.chars().flat_map(|char| {
        let (shown, as_is) = if char.is_control() {
            (Some(char.escape_default()), None)
        } else {
            (None, Some(char))
        };
        shown.into_iter().flatten().chain(as_is)
    });
    let mut escaped = escaped.peekable();
    let mut plain: String = escaped.by_ref().take(MESSAGE).collect();
    if escaped.peek().is_some() {
        plain.push('…');
    }
    plain
}
