//! The file of a picture: SVG or PNG by its name, whole or not there.

use std::{
    fs::Permissions,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

use super::drawing::FAMILY;
use crate::failure::{Explain as _, Failure};

/// Points of a PNG for each unit of the page.
const FINENESS: f32 = 1.5;

/// What a picture is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines and letters.
    Svg,
    /// Points.
    Png,
}

impl Format {
    /// The format that the name of a file asks for.
    pub fn of(file: &Path) -> Result<Self, Failure> {
        let extension = file
            .extension()
            .map(|name| name.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            other => {
                let why = other.map_or_else(
                    || "its name has no extension, so it does not say which sort of picture is wanted".into(),
                    |other| format!("pictures of the sort `.{other}` are not made"),
                );
                Err(Failure::new(
                    cannot(file),
                    why,
                    "end the file's name in .svg or .png",
                ))
            }
        }
    }

    /// The octets of a picture.
    pub fn octets(self, file: &Path, svg: String) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Svg => Ok(svg.into_bytes()),
            Self::Png => {
                rendered(&svg).explain(cannot(file), "name a file that ends in .svg instead")
            }
        }
    }
}

fn cannot(file: &Path) -> String {
    format!("cannot draw {}", file.display())
}

fn rendered(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut fonts = Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    let options = Options {
        fontdb: Arc::new(fonts),
        font_family: FAMILY.into(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(FINENESS)
        .context("the picture has no size")?;
    let mut pixmap =
        Pixmap::new(size.width(), size.height()).context("there is no memory for the picture")?;
    resvg::render(
        &tree,
        Transform::from_scale(FINENESS, FINENESS),
        &mut pixmap.as_mut(),
    );
    Ok(pixmap.encode_png()?)
}

/// Puts the picture in its place, also of one that was there before.
pub fn write(file: &Path, octets: &[u8]) -> Result<(), Failure> {
    written(file, octets).explain(
        cannot(file),
        "name a file in a directory that can be written, on a file system with room for it",
    )
}

fn written(file: &Path, octets: &[u8]) -> io::Result<()> {
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    // The umask takes away what the user wants others not to have; the file is gone if anything fails.
    let mut new = tempfile::Builder::new()
        .prefix(".isnguard-picture-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)?;
    new.write_all(octets)?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
#[path = "tests/file.rs"]
mod tests;
