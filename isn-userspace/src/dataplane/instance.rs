//! An instance that is there, opened to be read.

use isn_common::abi::settings::Settings;

use super::{maps::Maps, pins::Pins, status, trust};
use crate::{failure::Failure, settings::Place};

/// The maps and settings of an instance.
pub struct Instance {
    /// Its pins.
    pub(super) pins: Pins,
    /// Its maps.
    pub maps: Maps,
    /// Its settings when it was opened.
    pub settings: Settings,
}

impl Instance {
    /// Opens an instance; `None` if there is none at this place.
    pub fn open(place: &Place) -> Result<Option<Self>, Failure> {
        let pins = Pins::new(place);
        trust::directories(&pins)?;
        if !status::exists(&pins)? {
            return Ok(None);
        }
        trust::check(&pins)?;
        let maps = Maps::open(&pins)?;
        let settings = maps.settings()?;
        Ok(Some(Self {
            pins,
            maps,
            settings,
        }))
    }

    /// The directory of its pins.
    pub(super) fn home(&self) -> &std::path::Path {
        &self.pins.home
    }
}
