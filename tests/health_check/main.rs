//! The scheduled health check, over an AWS and a GitLab in this process: what it counts, and that
//! one thing that is out of order keeps nobody from looking at the others.

mod credentials;
mod faults;
mod fixture;
mod pipelines;
mod stacks;
