//! The examples in `README.md` and `docs` run as they are printed, and their output is compared.
//!
//! The examples are one story in one folder, in the order in which the README lists the pages. A
//! line after `$` runs in a shell; the lines below it are its output. A command without output in
//! the text must only succeed. `cat FILE` also creates the file, with the output as its content.
//!
//! Two comments steer an example. They are the line above it, or the line above each other:
//! `<!-- not run: REASON -->` leaves it out, and `<!-- first: COMMAND -->` runs a command first that
//! the reader does not see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::cli::{BINARY, text};
use crate::support::skip;

/// Pages in the order of the story.
const PAGES: [&str; 7] = [
    "README.md",
    "docs/descriptions.md",
    "docs/patch-sets.md",
    "docs/operations.md",
    "docs/clouds.md",
    "docs/databricks.md",
    "docs/performance.md",
];

/// A code block that shows commands.
#[derive(Debug, Default, PartialEq)]
struct Example {
    /// Line of the page, from 1.
    line: usize,
    not_run: Option<String>,
    first: Vec<String>,
    steps: Vec<Step>,
}

/// A command and the output that the page shows, which is empty if it shows none.
#[derive(Debug, Default, PartialEq)]
struct Step {
    command: String,
    output: String,
}

/// Returns the examples of a page.
fn examples(page: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut next = Example::default();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        let comment = |kind: &str| {
            let text = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
            Some(text.strip_prefix(kind)?.trim().to_owned())
        };
        if let Some(reason) = comment("not run:") {
            next.not_run = Some(reason);
        } else if let Some(command) = comment("first:") {
            next.first.push(command);
        } else if let Some(language) = line.strip_prefix("```") {
            let body = lines.by_ref().take_while(|(_, line)| line.trim() != "```");
            let body: Vec<&str> = body.map(|(_, line)| line.get(indent..).unwrap_or("")).collect();
            if ["console", "sh", "bash", "shell"].contains(&language) {
                let steps = steps(&body);
                found.push(Example { line: at + 1, steps, ..std::mem::take(&mut next) });
            }
        } else if !line.is_empty() {
            assert_eq!(next, Example::default(), "line {at}: a comment belongs to no example");
        }
    }
    found
}

fn steps(body: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), ..Step::default() })
            }
            (None, Some(step)) => step.output.push_str(&format!("{line}\n")),
            (None, None) => panic!("an example begins with output: {line}"),
        }
    }
    steps
}

/// Replaces what differs in every run.
fn without_noise(output: &str) -> String {
    let mut output = output.trim_end().to_owned();
    for (noise, name) in [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[id]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]"),
    ] {
        output = Regex::new(noise).unwrap().replace_all(&output, name).into_owned();
    }
    output
}

/// A folder in which examples run, with `lakeplan` on the path.
struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(BINARY, folder.path().join("bin/lakeplan")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs a command. Returns what it prints, or the reason why it fails.
    fn run(&self, command: &str) -> Result<String, String> {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.work())
            .env_clear()
            .envs([("PATH", path.as_str()), ("USER", "tester"), ("LANG", "C.UTF-8")])
            .output()
            .unwrap();
        let printed = text(&output.stdout) + &text(&output.stderr);
        if output.status.success() { Ok(printed) } else { Err(format!("it fails: {printed}")) }
    }

    /// Runs a step and compares its output.
    fn check(&self, step: &Step) -> Result<(), String> {
        if let Some(file) = step.command.strip_prefix("cat ") {
            fs::write(self.work().join(Path::new(file).file_name().unwrap()), &step.output)
                .unwrap();
        }
        let printed = self.run(&step.command)?;
        let (printed, shown) = (without_noise(&printed), without_noise(&step.output));
        if shown.is_empty() || shown == printed {
            return Ok(());
        }
        Err(format!("the page shows\n{shown}\n-- but it prints\n{printed}"))
    }

    /// Runs the examples of a page.
    fn run_page(&self, name: &str, page: &str) -> Report {
        let mut report = Report::default();
        for example in examples(page) {
            let place = format!("{name}, line {}", example.line);
            if let Some(reason) = example.not_run {
                report.not_run.push(format!("{place}: {reason}"));
                continue;
            }
            for command in example.first {
                if let Err(why) = self.run(&command) {
                    report.wrong.push(format!("{place}: {command}: {why}"));
                }
            }
            for step in example.steps {
                report.commands += 1;
                if let Err(why) = self.check(&step) {
                    report.wrong.push(format!("{place}: {}: {why}", step.command));
                }
            }
        }
        report
    }
}

/// Result of the examples of a page.
#[derive(Default)]
struct Report {
    commands: usize,
    not_run: Vec<String>,
    wrong: Vec<String>,
}

#[test]
#[cfg(unix)]
fn the_examples_of_the_documents_print_what_they_show() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let shell = Shell::new();
    let (mut count, mut wrong) = (0, Vec::new());
    for name in PAGES {
        let page = fs::read_to_string(root.join(name)).unwrap();
        let report = shell.run_page(name, &page);
        count += report.commands;
        wrong.extend(report.wrong);
        report.not_run.iter().for_each(skip);
    }
    eprintln!("examples of the documents: {count} commands");
    assert!(wrong.is_empty(), "{} examples are wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(count >= 20, "only {count} commands ran");
    let pages = fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().file_name());
    for page in pages {
        let name = format!("docs/{}", page.to_str().unwrap());
        assert!(PAGES.contains(&name.as_str()), "{name} is not part of the story");
    }
}

#[test]
#[cfg(unix)]
fn a_wrong_example_is_reported_with_its_line() {
    let page = "Text\n\n<!-- first: echo shown > file -->\n```console\n$ cat file\nshown\n$ echo b\na\n$ false\n$ lakeplan task list\n```\n\n   <!-- not run: it ends the test -->\n\n   ```sh\n   $ exit 1\n   ```\n";
    let found = examples(page);
    let lines: Vec<usize> = found.iter().map(|example| example.line).collect();
    assert_eq!(lines, [4, 15]);
    let Report { commands, not_run, wrong } = Shell::new().run_page("page", page);
    assert_eq!((commands, wrong.len()), (4, 3), "{wrong:?}");
    assert_eq!(not_run, ["page, line 15: it ends the test"]);
    assert_eq!(wrong[0], "page, line 4: echo b: the page shows\na\n-- but it prints\nb");
    assert!(wrong[1].starts_with("page, line 4: false: it fails"), "{wrong:?}");
    assert!(wrong[2].contains("there is no lake"), "{wrong:?}");
}
