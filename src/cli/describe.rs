//! `wick schema`, `wick completions` and `wick man`: the file and the command line, described for
//! editors, shells and readers.

use clap::CommandFactory;

use super::arguments::{Arguments, Completions};
use super::error::Result;
use super::output::print_data;

/// Prints the JSON Schema of the experiment file.
pub(super) fn schema() -> Result {
    print_data(&format!("{}\n", crate::config::schema::schema()));
    Ok(())
}

/// Prints what a shell completes command lines from.
pub(super) fn completions(arguments: &Completions) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "wick", &mut script);
    print_data(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Prints one manual page: the program, and then each of its commands.
pub(super) fn man() -> Result {
    let mut whole = Arguments::command();
    whole.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(whole.clone()).render(&mut page)?;
    for command in whole.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help")
    {
        let command = clap_mangen::Man::new(command.clone());
        command.render_name_section(&mut page)?;
        command.render_synopsis_section(&mut page)?;
        command.render_options_section(&mut page)?;
        command.render_extra_section(&mut page)?;
    }
    print_data(&String::from_utf8_lossy(&page));
    Ok(())
}
