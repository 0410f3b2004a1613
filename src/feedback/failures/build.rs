//! Why a build failed: its phase, and what CodeBuild reports about it.
