//! A project: its details, its properties in templates, and its pushes.

pub mod details;
pub mod property;
pub mod pushes;
