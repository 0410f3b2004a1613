//! A pipeline whose branches are reviewed.

use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::{ReportSettings, ReviewSettings};

#[derive(Clone, Debug)]
pub struct ReviewTarget {
    pub pipeline: PipelineSettings,
    pub report: ReportSettings,
    pub review: ReviewSettings,
}

impl ReviewTarget {
    /// The `pipeline`. `None` if it has no review branches, or no `GitLab`.
    pub fn of(mut pipeline: PipelineSettings) -> Option<Self> {
        let stored = &mut pipeline.stored;
        Some(ReviewTarget {
            report: stored.report.take()?,
            review: stored.review.take()?,
            pipeline,
        })
    }
}
