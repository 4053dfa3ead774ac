//! The size of the binary and the wheel.

use std::path::Path;

use crate::{Measurement, Row, scratch};

pub fn rows() -> Vec<Row> {
    vec![Row {
        name: "size",
        work: "the shipped binary (`cargo build --profile dist`)",
        goal: "≤ 120 MB",
        run: size,
    }]
}

fn size(_: &Path) -> Measurement {
    let target = scratch();
    let binary = target.parent().map(|target| target.join("dist/lakeplan"));
    match binary.and_then(|binary| std::fs::metadata(binary).ok()) {
        Some(found) => {
            let size = found.len() as f64 / 1e6;
            Measurement {
                ours: format!("{size:.0} MB"),
                peer: String::new(),
                met: Some(size <= 120.0),
            }
        }
        None => Measurement { ours: "not built".to_owned(), peer: String::new(), met: None },
    }
}
