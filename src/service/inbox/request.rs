//! Converts a row of the inbox into a request, or returns the reason for its refusal. The values of
//! a row can be anything.

use chrono::{DateTime, TimeDelta};
use md5::{Digest, Md5};

use crate::domain::id::PatchSetId;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::value::Name;
use crate::domain::violation::Violation;
use crate::exchange::json;
use crate::exchange::patchset::Request;
use crate::store::inbox::{Cell, InboxRow, TextLimits, possible};

/// Maximum length of a request_id in characters. `KEY` characters of a longer one are shown and
/// compared.
const MAX_ID_CHARS: usize = 200;
const KEY: usize = 1000;
/// Maximum size of a patch set; a larger one is refused before it is parsed.
pub const MAX_PATCH_SET_BYTES: usize = TextLimits::OF_REQUESTS.patch_set;
/// Earliest time of a request: 2000-01-01. An earlier time comes from a wrong unit or an unset
/// clock.
const EARLIEST: i64 = 946_684_800;
/// Maximum time by which a row may be ahead of this machine's clock; a row further ahead waits.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// Maximum number of violations in a response, and its maximum length in characters (`MESSAGE`).
const MAX_ERRORS: usize = 20;
const MESSAGE: usize = 2000;

/// A row and its patch set.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub row: InboxRow,
    pub patch_set: Cell,
}

/// Returns the identity of a row: its request_id, cut if it is too long. `None` if it has no
/// request_id.
pub fn key(row: &InboxRow) -> Option<String> {
    row.request_id.text().map(|id| id.chars().take(KEY).collect())
}

/// Whether a row is dated in the future. One of the two clocks is then wrong, and it is unknown
/// which, so the row waits until that time.
pub fn is_ahead(row: &InboxRow, now: Instant) -> bool {
    row.at.micros().and_then(possible).is_some_and(|at| at > now + AHEAD)
}

impl Written {
    /// Time of the row, if it is plausible.
    pub fn at(&self) -> Option<Instant> {
        self.row.at.micros().and_then(possible)
    }

    /// Hash that distinguishes the row from others with its request_id. SQL computes it as
    /// `md5(concat(user, ' ', patch_set))`. Empty if the patch set was not read.
    pub fn hash(&self) -> String {
        if matches!(self.patch_set, Cell::TooLong { .. }) {
            return String::new();
        }
        let text = |cell: &Cell| cell.text().unwrap_or_default().to_owned();
        let digest = Md5::digest(format!("{} {}", text(&self.row.user), text(&self.patch_set)));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Id of the row's patch set. It is derived from the request_id and the time, so that a retry
    /// of the same row is the same set.
    pub fn set_id(&self) -> PatchSetId {
        let millis = self.at().map_or(0, |at| at.timestamp_millis().max(0));
        PatchSetId::of_event(millis, self.row.request_id.text().unwrap_or_default().as_bytes())
    }

    /// Returns the request, with the row's user as actor and the row's id, whatever the JSON says;
    /// or the reason for its refusal.
    pub fn request(&self, now: Instant) -> Result<Request, String> {
        id(&self.row.request_id)?;
        time(&self.row.at, now)?;
        let user = text("user", &self.row.user)?;
        let actor = Name::of_actor(user).map_err(|invalid| format!("the user {invalid}"))?;
        if let Cell::TooLong { bytes, .. } = self.patch_set {
            let (size, most) = (bytes as f64 / f64::from(1 << 20), MAX_PATCH_SET_BYTES >> 20);
            return Err(format!(
                "patch_set has {size:.1} MiB, at most {most} are read; split it into several requests"
            ));
        }
        let value = json::parse(text("patch_set", &self.patch_set)?.as_bytes())
            .map_err(|err| format!("patch_set: {err}"))?;
        let request = Request::from_json(&value).map_err(|violations| detail(&violations))?;
        Ok(Request { id: Some(self.set_id()), actor: Some(actor), ..request })
    }
}

fn id(cell: &Cell) -> Result<(), String> {
    let id = text("request_id", cell)?;
    if id.trim().is_empty() {
        return Err("the request_id is empty".to_owned());
    }
    if id.chars().count() > MAX_ID_CHARS {
        return Err(format!("the request_id has more than {MAX_ID_CHARS} characters"));
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
        format!("at is {micros} microseconds from 1970, which is outside the years 1 to 9999")
    })?;
    if DateTime::from_timestamp(EARLIEST, 0).is_some_and(|earliest| at < earliest) {
        return Err(format!("at, {}, is before the year 2000", rfc3339(at)));
    }
    if at > now + AHEAD {
        return Err(format!("at, {}, is in the future; it is {} now", rfc3339(at), rfc3339(now)));
    }
    Ok(())
}

/// Formats the violations of a request, shortened if there are many, so that one request cannot
/// flood the results table.
pub fn detail(violations: &[Violation]) -> String {
    let mut detail: Vec<String> =
        violations.iter().take(MAX_ERRORS).map(ToString::to_string).collect();
    if violations.len() > MAX_ERRORS {
        detail.push(format!("and {} more", violations.len() - MAX_ERRORS));
    }
    detail.join("; ")
}

/// Formats a message for display: short, with the control characters of a row escaped.
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
