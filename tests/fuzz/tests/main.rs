//! The fuzz targets, by the module of the product whose parsers they run.

mod cfn;
mod feedback;
mod gitlab;
mod gitops_pipeline;
mod mirror_credential;
mod shared;
