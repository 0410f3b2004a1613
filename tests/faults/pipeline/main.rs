//! Whole lives of a `Custom::GitOpsPipeline`, over an AWS in this process: every fault at every
//! call, every interleaving of two deliveries, every state of the child stack, and time.

mod adversity;
mod checks;
mod elsewhere;
mod first_push;
mod handing_over;
mod interleavings;
mod late;
mod life;
mod lives;
mod many;
mod mutants;
mod project;
mod propagation;
mod rejected;
mod repositories;
mod single_faults;
mod slow;
mod statuses;
mod table_of_lives;
mod torn_reads;
