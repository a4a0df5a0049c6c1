//! A whole log, changed on the media: opened, read, gone on with, opened again; restored from its objects.
//!
//! Contents: `scene` (logs that were closed or killed), `parts` (what lies where in them), `edit` (changes, and
//! checksums made right behind them), `reopen` (what has to hold).

mod edit;
mod parts;
mod reopen;
mod scene;
#[cfg(test)]
mod tests;

use crate::input::Input;
use edit::Edits;
use scene::scenes;

/// Changes of an input at most.
const EDITS_MAX: usize = 12;

/// A scene, what is asked of the open, changes.
pub fn run(data: &[u8]) -> bool {
    let mut input = Input(data);
    let scenes = scenes();
    let scene = &scenes[usize::from(input.u8()) % scenes.len()];
    let ask = input.u8();
    let mut edits = Edits::new(&scene.parts);
    for _ in 0..EDITS_MAX {
        if input.is_empty() {
            break;
        }
        edits.take(&mut input);
    }
    let world = scene.world();
    edits.write(&world);
    reopen::holds(&world, &scene.config, ask)
}

/// Every scene as it is, with background work and without.
pub fn seeds() -> Vec<Vec<u8>> {
    let scenes = 0..scenes().len() as u8;
    scenes.flat_map(|scene| [vec![scene, 0], vec![scene, reopen::REST | reopen::RESTORE]]).collect()
}
