//! The command line: arguments, commands and exit codes.

mod advise;
mod arguments;
mod augment;
mod begin;
mod bench_augment;
mod bench_decode;
mod bench_step;
mod built_in;
mod check;
mod collect;
mod compare;
mod conclude;
mod curves;
mod describe;
mod error;
mod evaluate;
mod exit;
mod export;
mod file_system;
mod follow;
mod frozen;
mod labelled;
mod launch;
mod look;
mod new;
mod output;
mod own_network;
mod predict;
mod report;
mod repro;
mod run;
mod status;
mod submit;
mod supervise;
mod trained;
mod verify;
mod watch;
mod work;
mod worker;

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::basis::instructions;
use crate::config::foreign;

use error::Error;
pub use exit::Exit;

/// Runs the program with `arguments`, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let parsed = match arguments::Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            if error.use_stderr() {
                // Nobody may be listening.
                let _ = error.print();
                if let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg)
                    && error.kind() == ErrorKind::UnknownArgument
                    && let Some(text) = foreign::option(option.trim_start_matches('-'))
                {
                    output::say(&format!("\n  note: {text}\n"));
                }
                return Exit::Wrong;
            }
            // Help and version.
            output::remember(error.print());
            return output::settled(Exit::Done);
        }
    };
    if let Err(error) = instructions::chosen() {
        output::say(&format!("error: {error}\n"));
        return Exit::Wrong;
    }
    let result = match parsed.command {
        arguments::Command::Run(run) => launch::launch(&run),
        arguments::Command::Worker(worker) => worker::worker(&worker),
        arguments::Command::Trial(trial) => worker::trial(&trial),
        arguments::Command::Collect(collect) => collect::collect(&collect),
        arguments::Command::Check(check) => check::check(&check),
        arguments::Command::Advise(advise) => advise::advise(&advise),
        arguments::Command::Status(status) => status::status(&status),
        arguments::Command::Watch(watch) => watch::watch(&watch),
        arguments::Command::Report(report) => report::report(&report),
        arguments::Command::Curves(curves) => curves::curves(&curves),
        arguments::Command::Compare(compare) => compare::compare(&compare),
        arguments::Command::Clean(clean) => status::clean(&clean),
        arguments::Command::Repro(repro) => repro::run(&repro),
        arguments::Command::Verify(verify) => verify::verify(&verify),
        arguments::Command::Augment(augment) => augment::augment(&augment),
        arguments::Command::Predict(predict) => predict::predict(&predict),
        arguments::Command::Export(export) => export::export(&export),
        arguments::Command::Evaluate(evaluate) => evaluate::evaluate(&evaluate),
        arguments::Command::Look(look) => look::look(&look),
        arguments::Command::Presets(presets) => built_in::presets(&presets),
        arguments::Command::Examples(examples) => built_in::examples(&examples),
        arguments::Command::New(new) => new::new(&new),
        arguments::Command::Schema => describe::schema(),
        arguments::Command::Completions(shell) => describe::completions(&shell),
        arguments::Command::Man => describe::man(),
        arguments::Command::BenchAugment(bench) => bench_augment::bench_augment(&bench),
        arguments::Command::BenchDecode(bench) => bench_decode::bench_decode(&bench),
        arguments::Command::BenchStep(bench) => bench_step::bench_step(&bench),
    };
    output::settled(result.map_or_else(Error::tell, |()| Exit::Done))
}
