//! Episodes that failed once, and those that show what an episode is: kept in `tests/corpus`, and played for ever.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{
    arena::{Arena, Failure, Look},
    campaign::Find,
    episode::Episode,
};

/// Where they are.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// All of them with their files, in order.
pub fn all() -> Result<Vec<(PathBuf, Episode)>> {
    let directory = directory();
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("cannot list the episodes in {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path();
        if file.extension().is_some_and(|it| it == "episode") {
            files.push(file);
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let episode = read(&file)?;
            Ok((file, episode))
        })
        .collect()
}

/// The episode in a file.
pub fn read(file: &Path) -> Result<Episode> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Episode::parse(&text).with_context(|| format!("in {}", file.display()))
}

/// Keeps an episode, with what was wrong in it.
pub fn write(file: &Path, episode: &Episode, find: &Find) -> Result<()> {
    let failure = find
        .shrunk
        .as_ref()
        .map_or(&find.failure, |(_, failure)| failure);
    let mut text = format!("# seed {}\n", find.seed);
    for line in failure.to_string().lines() {
        let _ = writeln!(text, "# {line}");
    }
    text += &episode.annotated(&failure.verdicts);
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// So often an episode is played: its jumps are others each time.
const PLAYS: usize = 8;

/// Plays an episode, at the tick it is kept with and at others.
pub fn replay(arena: &mut Arena, episode: &Episode) -> Result<Option<Failure>> {
    if let Some(tick) = episode.tick
        && let Err(failure) = arena.play(episode, Look::InMemory(tick))?
    {
        return Ok(Some(failure));
    }
    for _ in 0..PLAYS {
        if let Err(failure) = arena.examine(episode)? {
            return Ok(Some(failure));
        }
    }
    Ok(arena.play(episode, Look::AfterEveryStep)?.err())
}
