//! The bytes of a directory: taken, compared, put back into the very same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names and contents; `None` is a directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    entries: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Image {
    /// Everything below `dir`; what is neither a file nor a directory has no contents.
    pub fn take(dir: &Path) -> Image {
        let mut entries = BTreeMap::new();
        collect(dir, dir, &mut entries);
        Image { entries }
    }

    /// Makes `dir` hold this and nothing else. Files that are there stay the same inodes.
    pub fn put(&self, dir: &Path) {
        let now = Image::take(dir);
        for name in now.entries.keys().rev().filter(|name| !self.entries.contains_key(*name)) {
            let path = dir.join(name);
            if path.is_dir() { fs::remove_dir(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        for (name, bytes) in &self.entries {
            match bytes {
                None => fs::create_dir_all(dir.join(name)).unwrap(),
                Some(bytes) if now.entries.get(name) != Some(&Some(bytes.clone())) => {
                    fs::write(dir.join(name), bytes).unwrap();
                }
                Some(_) => {}
            }
        }
    }

    /// A new directory that holds this.
    pub fn copy(&self) -> tempfile::TempDir {
        self.copy_to(tempfile::tempdir().unwrap())
    }

    /// The same, in memory where that can be: faster to look at, and nothing written there is durable.
    pub fn copy_in_memory(&self) -> tempfile::TempDir {
        self.copy_to(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn copy_to(&self, dir: tempfile::TempDir) -> tempfile::TempDir {
        self.put(dir.path());
        dir
    }

    /// The files, by name.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Vec<u8>)> {
        self.entries.iter().filter_map(|(name, bytes)| Some((name.as_path(), bytes.as_ref()?)))
    }

    /// One file.
    pub fn file(&mut self, name: impl AsRef<Path>) -> &mut Vec<u8> {
        let name = name.as_ref();
        let entry = self.entries.get_mut(name).unwrap_or_else(|| panic!("no {}", name.display()));
        entry.as_mut().unwrap_or_else(|| panic!("{} is a directory", name.display()))
    }

    /// Takes out a file, or a directory with all that is in it.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|path, _| !path.starts_with(name));
    }

    /// Takes what is called `name`, and what lies below, from another image instead.
    pub fn take_from(&mut self, other: &Image, name: &str) {
        self.remove(name);
        let taken = other.entries.iter().filter(|(path, _)| path.starts_with(name));
        self.entries.extend(taken.map(|(path, bytes)| (path.clone(), bytes.clone())));
    }

    /// Adds or replaces a file.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) {
        self.entries.insert(name.into(), Some(bytes));
    }

    /// NVMe segments, by name.
    pub fn segments(&self) -> Vec<PathBuf> {
        let segment = |path: &&Path| path.extension().is_some_and(|ending| ending == "seg");
        self.files().map(|(name, _)| name).filter(segment).map(Path::to_path_buf).collect()
    }

    /// What is there in one and not, or otherwise, in the other.
    pub fn difference(&self, other: &Image) -> Vec<String> {
        let mut names: Vec<&PathBuf> = self.entries.keys().chain(other.entries.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| self.entries.get(*name) != other.entries.get(*name));
        names.into_iter().map(|name| self.describe(name, other)).collect()
    }

    fn describe(&self, name: &Path, other: &Image) -> String {
        let what = |image: &Image| match image.entries.get(name) {
            None => "absent".to_string(),
            Some(None) => "a directory".to_string(),
            Some(Some(bytes)) => format!("{} bytes", bytes.len()),
        };
        format!("{}: {}, {} in the other", name.display(), what(self), what(other))
    }
}

fn collect(root: &Path, dir: &Path, into: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.strip_prefix(root).unwrap().to_path_buf();
        if kind.is_dir() {
            into.insert(name, None);
            collect(root, &path, into);
        } else {
            let bytes = if kind.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            into.insert(name, Some(bytes));
        }
    }
}
