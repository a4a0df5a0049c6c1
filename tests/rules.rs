//! How this project reads, as far as a test can tell: sizes of files, names, links between documents.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
/// Names that say nothing of what is in a file.
const EMPTY_NAMES: [&str; 4] = ["util", "common", "helpers", "misc"];

/// All files of the project that end so, without what is built or fetched.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut dirs = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                let ours = !name.starts_with('.') && !["target", "node_modules"].contains(&&*name);
                dirs.extend(ours.then_some(path));
            } else if name.ends_with(ending) {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no file ends in {ending}");
    files
}

#[track_caller]
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn files_are_short_and_named_by_what_is_in_them() {
    let found = files(".rs").into_iter().filter_map(|path| {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let stem = path.file_stem()?.to_str()?;
        let wrong = lines > LINES_MAX || EMPTY_NAMES.contains(&stem);
        wrong.then(|| format!("{}: {lines} lines, at most {LINES_MAX}", path.display()))
    });
    none(found.collect());
}

#[test]
fn nothing_is_called_get() {
    let found = files(".rs").into_iter().flat_map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let name =
            |line: &str| line.split_whitespace().skip_while(|word| *word != "fn").nth(1).map(str::to_owned);
        let named = |line: &&str| name(line).is_some_and(|name| name.starts_with("get_"));
        text.lines().filter(named).map(|line| format!("{}: {line}", path.display())).collect::<Vec<_>>()
    });
    none(found.collect());
}

#[test]
fn links_between_documents_lead_somewhere() {
    let found = files(".md").into_iter().flat_map(|path| dead_links(&path));
    none(found.collect());
}

fn dead_links(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    let dead = local.filter(|target| !path.parent().unwrap().join(target).exists());
    dead.map(|target| format!("{}: {target}", path.display())).collect()
}
