//! A directory that belongs to somebody else: refused by name, with what to do, and nothing written.

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use support::child::{self, Voice};
use support::image::Image;
use support::records::{fill, small};
use tierlog::{Error, Log, Medium};

#[test]
fn a_directory_without_permission_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let dir = home.path().join("log");
    let (log, _) = Log::open(small(&dir, Medium::File)).unwrap();
    fill(&log, 4, 300);
    log.close().unwrap();
    let mode =
        |name: &str, mode| std::fs::set_permissions(dir.join(name), PermissionsExt::from_mode(mode)).unwrap();
    let new = home.path().join("new");
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o555)).unwrap();
    denied(&new, &new);
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    // From the outside in: what is open by now does not hide what comes behind it.
    for (name, open) in [("", 0o777), ("nvme", 0o777), ("nvme/superblock", 0o666), ("tail", 0o666)] {
        let before = Image::take(&dir);
        mode(name, 0o000);
        denied(&dir, &dir.join(name));
        mode(name, open);
        assert!(Image::take(&dir).difference(&before).is_empty(), "{name}: refused, and yet written");
    }
    assert!(!new.exists());
}

/// Opens `dir` as somebody who may not, and looks at the answer.
fn denied(dir: &Path, named: &Path) {
    let mut command = child::command("open_as_somebody_else", dir.to_str().unwrap());
    // Whoever is not root is kept out by the modes as well as anybody.
    if std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0) {
        command.gid(65_534).uid(65_534);
    }
    let output = command.output().unwrap();
    let said = child::said(&output.stdout);
    let [kind, text] = &said[..] else { panic!("{output:?}") };
    assert_eq!(kind, "io PermissionDenied", "{text}");
    assert!(text.contains(&named.display().to_string()), "{text:?} does not name {}", named.display());
    assert!(text.contains("mode"), "{text:?} does not say what to do");
}

#[test]
#[ignore = "run by others, in a process of its own"]
fn open_as_somebody_else() {
    let Some(dir) = child::task() else { return };
    let voice = Voice::new();
    match Log::open(small(Path::new(&dir), Medium::File)) {
        Ok(_) => voice.say("opened"),
        Err(error) => {
            let kind = match &error {
                Error::Io { source, .. } => format!("io {:?}", source.kind()),
                other => format!("{other:?}"),
            };
            voice.say(&kind);
            voice.say(&error.to_string());
        }
    }
}
