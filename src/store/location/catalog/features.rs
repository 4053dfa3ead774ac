//! Detects Delta features of a table that Lakeplan does not write.

use std::collections::BTreeMap;

use crate::domain::hint::{Hint, LakeHint};

/// Advice for a table with such a feature.
pub const WAY_OUT: Hint = Hint::Lake(LakeHint::CopyWithoutFeature);

/// Advice for a table that is rebuilt from the journal.
pub const WAY_OUT_OF_FOLDED: Hint = Hint::Lake(LakeHint::RebuildWithoutFeature);

/// Advice for the table that others write.
pub const WAY_OUT_OF_INBOX: Hint = Hint::Lake(LakeHint::RecreateInbox);

/// Properties that enable a feature, with the feature's display name.
const PROPERTIES: &[(&str, &str)] = &[
    ("delta.enableRowTracking", "row tracking"),
    ("delta.enableDeletionVectors", "deletion vectors"),
    ("delta.enableInCommitTimestamps", "in-commit timestamps"),
    ("delta.enableTypeWidening", "type widening"),
    ("delta.enableIcebergCompatV2", "Iceberg compatibility"),
];

/// Protocol names of features, with their display names.
const NAMES: &[(&str, &str)] = &[
    ("rowTracking", "row tracking"),
    ("deletionVectors", "deletion vectors"),
    ("clustering", "liquid clustering"),
    ("columnMapping", "column mapping"),
    ("catalogManaged", "catalog commits"),
    ("catalogOwned-preview", "catalog commits"),
    ("inCommitTimestamp", "in-commit timestamps"),
    ("typeWidening", "type widening"),
    ("icebergCompatV2", "Iceberg compatibility"),
];

/// Returns the display name of a feature, by its protocol name.
pub fn called(name: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, words)| words)
}

/// Returns the features that a table's properties in the catalog enable.
pub fn of_properties(properties: &BTreeMap<String, String>) -> Vec<String> {
    let is_on = |value: &str| value.eq_ignore_ascii_case("true");
    let mut found: Vec<String> = Vec::new();
    let mut note = |words: &str| {
        if !found.iter().any(|known| known == words) {
            found.push(words.to_owned());
        }
    };
    for (name, value) in properties {
        if let Some((_, words)) = PROPERTIES.iter().find(|(property, _)| property == name)
            && is_on(value)
        {
            note(words);
        }
        // This list omits features that any current table may have and that change nothing for a
        // writer.
        if let Some(feature) = name.strip_prefix("delta.feature.")
            && !matches!(feature, "appendOnly" | "invariants")
        {
            note(called(feature));
        }
        if name == "delta.columnMapping.mode" && !value.eq_ignore_ascii_case("none") {
            note("column mapping");
        }
        if name == "clusteringColumns" && value != "[]" {
            note("liquid clustering");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_called_by_their_names_and_once() {
        let of = |pairs: &[(&str, &str)]| {
            of_properties(
                &pairs
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            )
        };
        assert_eq!(
            of(&[
                ("delta.enableDeletionVectors", "true"),
                ("delta.feature.deletionVectors", "supported")
            ]),
            ["deletion vectors"]
        );
        assert_eq!(
            of(&[("delta.feature.rowTracking", "supported"), ("clusteringColumns", "[[\"id\"]]")]),
            ["liquid clustering", "row tracking"]
        );
        assert!(
            of(&[
                ("delta.enableDeletionVectors", "false"),
                ("delta.feature.appendOnly", "supported"),
                ("delta.minReaderVersion", "1")
            ])
            .is_empty()
        );
    }
}
