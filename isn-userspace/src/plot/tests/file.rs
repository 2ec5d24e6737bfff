//! Names, places and rights.
