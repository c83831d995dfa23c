//! `wick advise`: which of the four cases of transfer an experiment's data is in, measured.

use anyhow::Result;

use crate::config::layering::load;
use crate::config::problem::Problems;
use crate::data::Cache;
use crate::plan::resolve::advisable;
use crate::report::advice::advice;
use crate::sweep::survey::{self, Files};

use super::arguments::Advise;
use super::check::{tell, width};
use super::exit::{Exit, print, say};

/// Runs the command.
pub(super) fn advise(arguments: &Advise) -> Result<Exit> {
    let root = match load(&arguments.written.request()) {
        Ok(root) => root,
        Err(problems) => return Ok(tell(problems)),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let files = Files::new(&images, &arguments.written.results);
    let (plan, border) = match advisable(&root, &files) {
        Ok(found) => found,
        Err(problems) => return Ok(tell(Problems::located(problems, &root))),
    };
    match survey::advice(&plan, border, &images) {
        Ok((evidence, found)) => {
            print(&advice(&evidence, &found, width()));
            Ok(Exit::Done)
        }
        Err(message) => {
            say(&format!("error: {message}\n"));
            Ok(Exit::Trouble)
        }
    }
}
