//! The fuzz targets are in `tests/targets`; README.md says how they are run.
