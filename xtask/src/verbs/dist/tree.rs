//! A directory of files that becomes a package: with modes that do not depend on who makes it, or on what is there already.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The root of the tree; it is made empty.
pub struct Tree(PathBuf);

impl Tree {
    /// An empty one in the place of what is there.
    pub fn anew(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root)
                .with_context(|| format!("cannot empty {}", root.display()))?;
        }
        let tree = Self(root);
        tree.directory(&tree.0)?;
        Ok(tree)
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// A path below the root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and makes the directories that it lies in.
    pub fn write(&self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.0).to_owned();
        self.directory(&parent)?;
        fs::write(&path, content)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Makes a directory that may stay empty.
    pub fn make(&self, name: &str) -> Result<()> {
        self.directory(&self.path(name))
    }

    /// Copies a file.
    pub fn copy(&self, from: &Path, name: &str, mode: u32) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.write(name, &content, mode)
    }

    /// Copies the files of a directory that have this extension; nothing where there is no such directory.
    pub fn copy_all(&self, from: &Path, extension: &str, into: &str) -> Result<()> {
        if !from.is_dir() {
            return Ok(());
        }
        for file in files(from)? {
            if file.extension() == Some(OsStr::new(extension))
                && let Some(name) = file.file_name()
            {
                self.copy(&file, &format!("{into}/{}", name.to_string_lossy()), 0o644)?;
            }
        }
        Ok(())
    }

    /// Every file, as paths below the root, in order.
    pub fn all(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        self.collect(&self.0, &mut all)?;
        all.sort();
        Ok(all)
    }

    /// What was written by other programs gets the modes of what is written here.
    pub fn settle(&self) -> Result<()> {
        for name in self.all()? {
            let path = self.path(&name);
            self.directory(path.parent().unwrap_or(&self.0))?;
            let mode = fs::metadata(&path)?.permissions().mode();
            let settled = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&path, fs::Permissions::from_mode(settled))?;
        }
        Ok(())
    }

    fn collect(&self, dir: &Path, all: &mut Vec<String>) -> Result<()> {
        for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                self.collect(&path, all)?;
            } else {
                all.push(path.strip_prefix(&self.0)?.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    fn directory(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let ours = dir.ancestors().take_while(|it| it.starts_with(&self.0));
        for each in ours {
            fs::set_permissions(each, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

/// The files in a directory, in order.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_goes_and_modes_are_as_said() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        Tree::anew(root.clone())
            .unwrap()
            .write("old", b"", 0o644)
            .unwrap();
        let tree = Tree::anew(root).unwrap();
        tree.write("usr/b", b"b", 0o755).unwrap();
        tree.write("etc/a", b"a", 0o644).unwrap();
        assert_eq!(tree.all().unwrap(), ["etc/a", "usr/b"]);
        let mode = |name: &str| fs::metadata(tree.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode("usr/b"), mode("etc/a"), mode("usr")],
            [0o755, 0o644, 0o755]
        );
    }

    #[test]
    fn only_files_of_the_kind_are_copied_and_a_directory_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.md", "b.svg"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let tree = Tree::anew(dir.path().join("tree")).unwrap();
        tree.copy_all(dir.path(), "md", "doc").unwrap();
        tree.copy_all(&dir.path().join("none"), "md", "doc")
            .unwrap();
        assert_eq!(tree.all().unwrap(), ["doc/a.md"]);
    }
}
