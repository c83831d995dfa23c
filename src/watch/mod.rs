//! `wick watch`: a results folder as a page that follows it while trials run.
//!
//! A [`Server`] answers requests of a browser. What it answers comes from a [`live::Live`], which looks at the folder when
//! somebody asks: files that are as they were are not read again, and of tables that grow only the new rows are. The page
//! asks for what is new since a version, and gets nothing else.

mod answer;
mod course;
mod curve;
mod guard;
mod live;
mod news;
mod page;
mod pictures;
mod ranking;
mod request;
mod response;
mod server;

pub use live::has_results;
pub use server::Server;
