//! What can be typed.

mod bench;
mod experiment;
mod results;
mod run;
mod trained;

use clap::{Args, Parser, Subcommand};

pub(super) use bench::{BenchAugment, BenchDecode, BenchStep};
pub(super) use experiment::{Advise, Augment, Check, New, Written, request};
pub(super) use results::{Clean, Compare, Curves, Report, Repro, Status, Verify, Watch};
pub(super) use run::{AUGMENT_MEMORY, Collect, Effort, Launcher, Run, TrialTask, Worker};
pub(super) use trained::{
    Evaluate, Examples, Export, Foreign, Look, Looking, Part, Predict, Presets, Trained,
};

/// Declarative, reproducible experiments with convolutional networks.
#[derive(Debug, Parser)]
#[command(name = "wick", version, about, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 all done, 2 the file or the command line is wrong, 3 some trial failed (the rest ran),
130 interrupted (run again to resume), 1 anything else.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run what is missing, resume what is unfinished, skip what is done; then rank
    #[command(after_help = "\
Examples:
  wick run quickstart.toml
  wick run quickstart.toml --set train.epochs=1 --workers 1
  wick run quickstart.toml --json > events.jsonl
  wick run plain-cnn.toml --set data.source.folder=signs
  wick run quickstart.toml --launcher slurm --partition short --max-parallel 4 --wait
  wick run quickstart.toml --launcher slurm --time 2h --dry-run")]
    Run(Box<Run>),
    /// Work on the trials of a shared results folder until none is left, beside other workers
    #[command(after_help = "\
Examples:
  wick run quickstart.toml --launcher worker     # makes the folder, and says where it is
  wick worker results/quickstart                             # on as many machines as you like
Workers share the folder and nothing else; docs/clusters.md has recipes for PBS, LSF, Kubernetes, ssh
and GNU parallel.")]
    Worker(Worker),
    /// Run some trials of a shared results folder: what the tasks of a job array do
    #[command(after_help = "\
Examples:
  wick trial results/quickstart 3
  wick trial results/quickstart 1 4 6 --threads 2
With --submission N, as in the scripts of wick run --launcher slurm, INDEX is a task of
results/<name>/slurm/N/tasks.csv, counted from 0.")]
    Trial(TrialTask),
    /// Write the tables and the report of a shared results folder: what the last job of an array does
    #[command(after_help = "\
Example:
  wick collect results/quickstart")]
    Collect(Collect),
    /// Check an experiment: errors, layers with shapes and costs, trials, what is done already
    #[command(after_help = "\
Example:
  wick check quickstart.toml")]
    Check(Check),
    /// Say what to do with a pretrained network on this data, by measuring it and trying: cut, head, what learns
    #[command(after_help = "\
Examples:
  wick advise transfer-squeezenet-clipart.toml
  wick advise transfer-squeezenet-clipart.toml --write advised.toml && wick run advised.toml
  wick advise transfer-squeezenet-clipart.toml --budget 0.5")]
    Advise(Advise),
    /// Show how far the trials of a results folder have got
    #[command(after_help = "\
Example:
  wick status results/quickstart")]
    Status(Status),
    /// Show a results folder as a page that follows it while trials run: state, curves, ranking, pictures
    #[command(after_help = "\
Examples:
  wick watch results/quickstart
  wick watch results/quickstart --address 127.0.0.1:0         # any free port
  ssh -L 8642:127.0.0.1:8642 node17 wick watch results/quickstart    # of another machine
It prints the address of the page, and goes on until Ctrl-C (exit code 130). It reads files alone and changes
none, so it can be started before, during and after a run, also one of Slurm or of several workers.")]
    Watch(Watch),
    /// Answer: rank settings with intervals and tests, show effects, write report.html
    #[command(after_help = "\
Examples:
  wick report results/quickstart
  wick report results/quickstart --format markdown --table ranking >> notes.md
  wick report results/quickstart --format csv --table effects > effects.csv
  wick report results/quickstart --metric val_loss --html loss.html
  wick report results/quickstart --plots figures --plot-format png --dpi 600
  wick report results/quickstart --tensorboard runs && tensorboard --logdir runs
  wick report results/quickstart --mlflow mlruns && mlflow ui --backend-store-uri mlruns
  wick report results/quickstart --long quickstart.parquet")]
    Report(Report),
    /// Draw learning curves in the terminal
    #[command(after_help = "\
Examples:
  wick curves results/quickstart
  wick curves results/quickstart --metric train_loss --settings 3")]
    Curves(Curves),
    /// Compare experiments by the settings and seeds that they share, and show in what they differ
    #[command(after_help = "\
Examples:
  wick compare results/before results/after
  wick compare results/sgd results/adam --metric test_accuracy
  wick compare results/small results/large --by model.defaults.dropout")]
    Compare(Compare),
    /// Execute stored trials again and say "identical", or what differs first
    #[command(after_help = "\
Examples:
  wick repro results/quickstart
  wick repro results/quickstart 3 5
  wick repro results/quickstart --sample 2")]
    Repro(Repro),
    /// Hold a results folder against its hashes: what is damaged, missing or of another moment
    #[command(after_help = "\
Examples:
  wick verify results/quickstart
  wick verify /backup/results/quickstart && echo whole
  wick verify results/quickstart --manifest && minisign -Sm results/quickstart/manifest.b3sum
  wick verify results/quickstart --signed-by minisign.pub

Exit codes: 0 everything is as it was written, 2 something is not.")]
    Verify(Verify),
    /// List or remove what the trials of a results folder do not need any more
    #[command(after_help = "\
Examples:
  wick clean results/quickstart
  wick clean results/quickstart --yes
  wick clean results/quickstart --yes --earlier")]
    Clean(Clean),
    /// Show what augmentation does to training images, or write augmented images as a data set
    #[command(after_help = "\
Examples:
  wick augment augmentation.toml --out sheet.png --trial 4
  wick augment augmentation.toml --out rotate.png --transform '{ rotate = 45 }'
  wick augment augmentation.toml --export augmented --images 100 --variants 3")]
    Augment(Augment),
    /// List the built-in networks, or print one as TOML, to copy and change
    #[command(after_help = "\
Examples:
  wick presets
  wick presets resnet18 > my-resnet.toml")]
    Presets(Presets),
    /// List the example experiments, or print one, to run or to change
    #[command(after_help = "\
Examples:
  wick examples
  wick examples quickstart > quickstart.toml && wick run quickstart.toml")]
    Examples(Examples),
    /// Write a first experiment file for a folder with one folder of images per class
    #[command(after_help = "\
Examples:
  wick new path/to/signs
  wick new path/to/signs --out signs.toml")]
    New(New),
    /// Print the JSON Schema of the experiment file, from which editors complete and check
    #[command(after_help = "\
Example:
  wick schema > wick.schema.json
and, in the first line of an experiment file: #:schema wick.schema.json
(Tombi, taplo and Even Better TOML read it; the path is relative to the file)")]
    Schema,
    /// Print a script from which a shell completes command lines
    #[command(after_help = "\
Examples:
  wick completions bash > ~/.local/share/bash-completion/completions/wick
  wick completions zsh > ~/.zfunc/_wick
  wick completions fish > ~/.config/fish/completions/wick.fish")]
    Completions(Completions),
    /// Print the manual page
    #[command(after_help = "\
Example:
  wick man > ~/.local/share/man/man1/wick.1")]
    Man,
    /// Predict the classes of images with a trained network
    #[command(after_help = "\
Examples:
  wick predict --model results/quickstart photo.png
  wick predict --model best.safetensors photos --csv predictions.csv
  wick predict --preset squeezenet1_1 --weights squeezenet1_1.safetensors *.jpg --top 3
  wick predict --preset mobilenet_v2 --weights mobilenet_v2.pth *.jpg --logits logits.csv

Where the class of each image is known, wick evaluate says how many are right.
Exit codes: 0 every image was read, 2 one or more could not be, or the command line is wrong.")]
    Predict(Predict),
    /// Write a trained network for other programs: as ONNX, or as plain weights
    #[command(after_help = "\
Examples:
  wick export --model results/quickstart --to onnx
  wick export --model best.safetensors --to onnx --input bytes --softmax --out signs.onnx
  wick export --preset resnet18 --weights resnet18.pth --to onnx --fold-batch-norm
  wick export --model best.safetensors --to safetensors --out weights.safetensors
  wick export --preset resnet18-32 --seed 1 --to safetensors

An ONNX file holds the network as it is at test time, for any number of images at once; its metadata
has the class names and the preprocessing. A safetensors file holds every tensor under the names of
PyTorch's networks, and can be used as --model and as --weights here.")]
    Export(Export),
    /// Evaluate a trained network on a data set: metrics and confusion matrix
    #[command(after_help = "\
Examples:
  wick evaluate --model results/quickstart
  wick evaluate --model best.safetensors --data '{ folder = \"signs\" }'")]
    Evaluate(Evaluate),
    /// Show what a trained network sees: its filters, its maps, where it looks, and what excites it
    #[command(after_help = "\
Examples:
  wick look results/quickstart
  wick look results/quickstart photo.png --out photo
  wick look best.safetensors photo.png --layers conv1,conv2 --class cat
  wick look best.safetensors --data '{ folder = \"signs\" }'
  wick look --preset squeezenet1_1 --weights bundled:squeezenet1_1 photo.jpg

Writes PNG files, and one SVG file, into the folder of --out; docs/look.md explains them.
Exit codes: 0 every image was read, 2 one or more could not be, or the command line is wrong.")]
    Look(Box<Look>),
    /// Measure training steps of a preset on random images, for comparisons of speed
    #[command(hide = true)]
    BenchStep(BenchStep),
    /// Measure a chain of transforms on one image, for comparisons of speed
    #[command(hide = true)]
    BenchAugment(BenchAugment),
    /// Measure how fast image files are decoded and brought to a size, for comparisons of speed
    #[command(hide = true)]
    BenchDecode(BenchDecode),
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn help_is_plain_words_and_not_source_text() {
        let mut whole = super::Arguments::command();
        whole.build();
        let mut commands = vec![whole];
        let mut described = 0;
        while let Some(mut command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let page = command.render_long_help().to_string();
            for mark in ["\\", "](", "`"] {
                assert!(!page.contains(mark), "{mark} in\n{page}");
            }
            let mut texts = vec![command.get_about(), command.get_long_about()];
            let values: Vec<_> =
                command.get_arguments().flat_map(|it| it.get_possible_values()).collect();
            texts
                .extend(command.get_arguments().flat_map(|it| [it.get_help(), it.get_long_help()]));
            texts.extend(values.iter().map(|value| value.get_help()));
            for text in texts.into_iter().flatten().map(ToString::to_string) {
                assert!(!text.contains("  ") && text.trim() == text, "{text:?}");
                described += 1;
            }
        }
        assert!(described > 150, "{described}");
    }
}
