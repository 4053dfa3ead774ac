//! A row of the journal: a change with its position, its author and its part in the hash chain.

use chrono::NaiveDate;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::change::Change;
use crate::domain::id::{EntityId, PatchSetId, ProjectId};
use crate::domain::patch::{Op, Source};
pub use crate::domain::record::Stream;
use crate::domain::record::{Entity, Fields};
use crate::domain::time::Instant;

pub type Hash = [u8; 32];

/// One committed change.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Position of the set in the journal; the first set has 1.
    pub seq: u64,
    /// Position of the change in its set, from 0.
    pub ordinal: u32,
    pub patch_set_id: PatchSetId,
    /// Absent after an erase.
    pub request_hash: Option<Hash>,
    /// Version of the payload.
    pub v: u32,
    pub project_id: Option<ProjectId>,
    pub entity: Entity,
    pub entity_id: Uuid,
    pub op: Op,
    /// Absent if nothing existed before, and after an erase.
    pub before: Option<String>,
    /// Absent after an erase.
    pub after: Option<String>,
    pub actor: String,
    pub source: Source,
    pub reason: Option<String>,
    pub at: Instant,
    pub stream: Stream,
    /// Absent after an erase.
    pub salt: Option<[u8; 16]>,
    pub digest: Hash,
    /// On the last row of a set: the chain up to and including it.
    pub chain: Option<Hash>,
}

/// Fields that all rows of a set share.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    pub seq: u64,
    pub patch_set_id: PatchSetId,
    pub request_hash: Hash,
    pub v: u32,
    pub actor: &'a str,
    pub source: Source,
    pub reason: Option<&'a str>,
    pub at: Instant,
}

impl Row {
    /// Builds the rows of a set, chained to the previous set. The ordinals and the chain cover the
    /// rows of both streams. `salt` returns 16 random bytes per row.
    pub fn chain_set(
        envelope: &Envelope<'_>,
        changes: &[Change],
        previous: Hash,
        mut salt: impl FnMut() -> [u8; 16],
    ) -> Vec<Row> {
        let mut link = Sha256::new();
        link.update(previous);
        let mut rows: Vec<Row> = Vec::with_capacity(changes.len());
        for (ordinal, change) in changes.iter().enumerate() {
            let mut row = Row {
                seq: envelope.seq,
                ordinal: ordinal as u32,
                patch_set_id: envelope.patch_set_id,
                request_hash: Some(envelope.request_hash),
                v: envelope.v,
                project_id: change.project,
                entity: change.entity,
                entity_id: change.id,
                op: change.op,
                before: (!change.before.is_empty()).then(|| json(&change.before)),
                after: Some(json(&change.after)),
                actor: envelope.actor.to_owned(),
                source: envelope.source,
                reason: envelope.reason.map(str::to_owned),
                at: envelope.at,
                stream: change.entity.stream(),
                salt: Some(salt()),
                digest: [0; 32],
                chain: None,
            };
            row.digest = row.compute_digest();
            link.update(row.digest);
            rows.push(row);
        }
        if let Some(last) = rows.last_mut() {
            last.chain = Some(link.finalize().into());
        }
        rows
    }

    /// Returns whether an erase removed the payload. The erase also removed the salt, which every
    /// other row has.
    pub fn is_erased(&self) -> bool {
        self.salt.is_none()
    }

    /// Returns the row without what an erase removes. The digest stays, and with it the chain;
    /// without the salt, it cannot be used to test guesses of the erased values.
    pub fn erased(self) -> Self {
        Self { before: None, after: None, salt: None, request_hash: None, ..self }
    }

    pub fn date(&self) -> NaiveDate {
        self.at.date_naive()
    }

    /// Returns the touched fields after the change; for an erased row, the restored remains.
    pub fn after_fields(&self) -> Result<Fields, serde_json::Error> {
        self.after.as_deref().map_or(Ok(Fields::new()), serde_json::from_str)
    }

    /// Returns the touched fields before the change; empty if there were none.
    pub fn before_fields(&self) -> Result<Fields, serde_json::Error> {
        self.before.as_deref().map_or(Ok(Fields::new()), serde_json::from_str)
    }

    /// Returns the project that a move took the record out of.
    pub fn source_project(&self) -> Option<ProjectId> {
        if self.op != Op::Move {
            return None;
        }
        self.before_fields().ok()?.get("project_id")?.as_str()?.parse().ok()
    }

    /// Computes SHA-256 over the salt and the row's fields in this order, each with its length and
    /// with absent ones marked.
    pub fn compute_digest(&self) -> Hash {
        let mut hash = Sha256::new();
        let mut field = |bytes: Option<&[u8]>| match bytes {
            None => hash.update([0]),
            Some(bytes) => {
                hash.update([1]);
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        };
        field(self.salt.as_ref().map(|salt| salt.as_slice()));
        field(Some(&self.seq.to_be_bytes()));
        field(Some(&self.ordinal.to_be_bytes()));
        field(Some(self.patch_set_id.uuid().as_bytes()));
        field(self.request_hash.as_ref().map(|hash| hash.as_slice()));
        field(Some(&self.v.to_be_bytes()));
        field(
            self.project_id
                .as_ref()
                .map(|id| id.uuid())
                .as_ref()
                .map(|id| id.as_bytes().as_slice()),
        );
        field(Some(self.entity.as_str().as_bytes()));
        field(Some(self.entity_id.as_bytes()));
        field(Some(self.op.as_str().as_bytes()));
        field(self.before.as_deref().map(str::as_bytes));
        field(self.after.as_deref().map(str::as_bytes));
        field(Some(self.actor.as_bytes()));
        field(Some(self.source.as_str().as_bytes()));
        field(self.reason.as_deref().map(str::as_bytes));
        field(Some(&self.at.timestamp_micros().to_be_bytes()));
        field(Some(self.stream.as_str().as_bytes()));
        hash.finalize().into()
    }
}

/// Returns the chain after a set whose rows have these digests.
pub fn next_chain(previous: Hash, digests: impl IntoIterator<Item = Hash>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(previous);
    for digest in digests {
        hash.update(digest);
    }
    hash.finalize().into()
}

fn json(fields: &Fields) -> String {
    // Serializing a map of texts and values cannot fail.
    serde_json::to_string(fields).unwrap_or_default()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 2 * N).then_some(bytes).and_then(|bytes| bytes.try_into().ok())
}
