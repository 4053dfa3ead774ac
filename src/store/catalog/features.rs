//! Which features of Delta a table has that Lakeplan does not write.

use std::collections::BTreeMap;

/// What to do about a table that has one.
pub const WAY_OUT: &str = "only Lakeplan may write the lake's tables, and SQL users write into inbox: switch the feature off, ALTER TABLE … DROP FEATURE …, or make a copy without it with lakeplan backup, which is a lake of its own";

/// The same for a table that is rebuilt from the journal.
pub const WAY_OUT_OF_FOLDED: &str =
    "lakeplan fold --rebuild with the table's name rebuilds it without the feature";

/// The same for the table that others write.
pub const WAY_OUT_OF_INBOX: &str = "switch the feature off, ALTER TABLE inbox DROP FEATURE …, or drop the table and make it again with lakeplan catalog register; in a lake without a catalog move the folder inbox away, and lakeplan maintain makes an empty one";

/// Properties that stand for a feature, and what it is called.
const PROPERTIES: &[(&str, &str)] = &[
    ("delta.enableRowTracking", "row tracking"),
    ("delta.enableDeletionVectors", "deletion vectors"),
    ("delta.enableInCommitTimestamps", "in-commit timestamps"),
    ("delta.enableTypeWidening", "type widening"),
    ("delta.enableIcebergCompatV2", "Iceberg compatibility"),
];

/// Names that the protocol has for a feature, and what it is called.
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

/// What a feature is called, by its name in the protocol.
pub fn called(name: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, words)| words)
}

/// The features that a table's properties tell of, as the catalog has them.
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
        // Features that every table of today may have and that change nothing for a writer are not of this list.
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
