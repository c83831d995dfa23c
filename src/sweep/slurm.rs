//! Job arrays of Slurm, which run the trials of an experiment on the machines of a cluster.
//!
//! ```text
//! results/<name>/slurm/<n>/frozen.toml       the experiment as it was submitted
//!                          tasks.csv         which task of the array runs which trials
//!                          tasks.sh          the script of the array
//!                          collect.sh        the script of the job behind it
//!                          submission.toml   the numbers of the jobs
//!                          <job>_<task>.log  what the tasks said
//! ```
//!
//! Slurm starts tasks and starts them again; what is done, and what is missing, only the folder knows.
//! A task is `wick trial DIR INDEX --submission <n>`, the last job is `wick collect DIR --submission <n>`. Where pruning or a
//! search has further trials only when these have come somewhere, that job submits the next array.

pub mod client;
pub mod pack;
pub mod script;
pub mod status;
pub mod submission;
