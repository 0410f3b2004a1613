//! The scheduled health check, over an AWS and a GitLab in this process: its counts, and that
//! one fault does not prevent the other checks.

mod alarms;
mod claimed_path;
mod credentials;
mod deployments_answer;
mod doctor;
mod faults;
mod fixture;
mod left;
mod missing;
mod pipelines;
mod projects;
mod projects_answer;
mod pushes;
mod reader;
mod stacks;
mod subjects;
mod tips;
mod tokens;
mod turns;
mod worlds;
