//! Reads the "key: value" lines between `---` at the start of a file.

/// Keys with their values, in order; a list has several values.
#[derive(Debug, Default)]
pub(super) struct FrontMatter {
    entries: Vec<(String, Vec<String>)>,
}

impl FrontMatter {
    pub(super) fn read(text: &str) -> Self {
        let mut entries: Vec<(String, Vec<String>)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with("---")) {
            if let Some(value) = line.trim_start().strip_prefix("- ") {
                if let Some((_, values)) = entries.last_mut() {
                    values.push(unquoted(value));
                }
            } else if let Some((key, value)) = line.split_once(':') {
                let value = unquoted(value);
                let values =
                    if value.is_empty() || value == "[]" { Vec::new() } else { vec![value] };
                entries.push((key.trim().to_lowercase(), values));
            }
        }
        Self { entries }
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values(key).first().map(String::as_str)
    }

    pub(super) fn values(&self, key: &str) -> &[String] {
        self.entries.iter().find(|(own, _)| own == key).map_or(&[], |(_, values)| values)
    }

    pub(super) fn entries(&self) -> &[(String, Vec<String>)] {
        &self.entries
    }

    /// Whether the file is one task: it has a title, a status, and another field of a task.
    pub(super) fn is_task(&self) -> bool {
        let has = |key: &str| self.entries.iter().any(|(own, _)| own == key);
        self.value("title").is_some()
            && has("status")
            && (has("assignee") || has("dependencies") || has("priority"))
    }
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches(['\'', '"']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_lists_are_read() {
        let matter = FrontMatter::read(
            "---\ntitle: 'Paint: the shed'\nstatus: Open\nassignee: []\ndependencies:\n  - shed-8\n  - shed-9\n---\n",
        );
        assert_eq!(matter.value("title"), Some("Paint: the shed"));
        assert_eq!(matter.values("dependencies"), ["shed-8", "shed-9"]);
        assert!(matter.values("assignee").is_empty());
        assert!(matter.is_task());
    }

    #[test]
    fn an_article_is_no_task() {
        assert!(!FrontMatter::read("---\ntitle: Sheds\nauthor: Ann\n---\n").is_task());
    }
}
