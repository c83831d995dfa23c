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
Exit codes:
  0    success
  1    any other error
  2    the file or the command line has a mistake
  3    a trial failed; the others ran
  130  interrupted; the same command continues")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train the missing trials of an experiment, then rank its settings
    #[command(after_help = "\
Examples:
  wick run quickstart.toml
  wick run quickstart.toml --set train.epochs=1 --workers 1
  wick run quickstart.toml --json > events.jsonl
  wick run plain-cnn.toml --set data.source.folder=signs
  wick run quickstart.toml --launcher slurm --partition short --max-parallel 4 --wait
  wick run quickstart.toml --launcher slurm --time 2h --dry-run")]
    Run(Box<Run>),
    /// Train trials of a shared results folder together with other workers
    #[command(after_help = "\
Examples:
  wick run quickstart.toml --launcher worker     # creates the folder
  wick worker results/quickstart                 # on any number of machines
Workers share only the folder. docs/clusters.md has examples for PBS, LSF, Kubernetes, ssh and
GNU parallel.")]
    Worker(Worker),
    /// Train the named trials of a shared results folder, as a task of a job array does
    #[command(after_help = "\
Examples:
  wick trial results/quickstart 3
  wick trial results/quickstart 1 4 6 --threads 2
With --submission N, INDEX is a task of results/<name>/slurm/N/tasks.csv, counted from 0. The scripts
of wick run --launcher slurm use this.")]
    Trial(TrialTask),
    /// Write the tables and the report of a shared results folder, as the last job of an array does
    #[command(after_help = "\
Example:
  wick collect results/quickstart")]
    Collect(Collect),
    /// Check an experiment without training: mistakes, layers, trials, costs
    #[command(after_help = "\
Example:
  wick check quickstart.toml")]
    Check(Check),
    /// Recommend a strategy for a pretrained network: cut, head, frozen layers, learning rate
    #[command(after_help = "\
Examples:
  wick advise transfer-squeezenet-clipart.toml
  wick advise transfer-squeezenet-clipart.toml --write advised.toml && wick run advised.toml
  wick advise transfer-squeezenet-clipart.toml --budget 0.5")]
    Advise(Advise),
    /// Show the progress of the trials in a results folder
    #[command(after_help = "\
Example:
  wick status results/quickstart")]
    Status(Status),
    /// Show a results folder as a live page: state, curves, ranking, pictures
    #[command(after_help = "\
Examples:
  wick watch results/quickstart
  wick watch results/quickstart --address 127.0.0.1:0         # any free port
  ssh -L 8642:127.0.0.1:8642 node17 wick watch results/quickstart    # on another machine
The command prints the address of the page and runs until Ctrl-C (exit code 130). It only reads files. You
can start it before, during and after a run, also with Slurm or several workers.")]
    Watch(Watch),
    /// Rank settings with intervals and tests, show effects, and write report.html
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
    /// Compare experiments on common settings and seeds, and show their differences
    #[command(after_help = "\
Examples:
  wick compare results/before results/after
  wick compare results/sgd results/adam --metric test_accuracy
  wick compare results/small results/large --by model.defaults.dropout")]
    Compare(Compare),
    /// Train stored trials again and compare: identical, or the first difference
    #[command(after_help = "\
Examples:
  wick repro results/quickstart
  wick repro results/quickstart 3 5
  wick repro results/quickstart --sample 2")]
    Repro(Repro),
    /// Compare the files of a results folder with their hashes
    #[command(after_help = "\
Examples:
  wick verify results/quickstart
  wick verify /backup/results/quickstart && echo whole
  wick verify results/quickstart --manifest && minisign -Sm results/quickstart/manifest.b3sum
  wick verify results/quickstart --signed-by minisign.pub

Exit codes: 0 all files are unchanged, 2 a file is damaged, missing or out of date.")]
    Verify(Verify),
    /// List or delete files and trials that a results folder does not need
    #[command(after_help = "\
Examples:
  wick clean results/quickstart
  wick clean results/quickstart --yes
  wick clean results/quickstart --yes --earlier")]
    Clean(Clean),
    /// Draw augmented training images, or write them as a data set
    #[command(after_help = "\
Examples:
  wick augment augmentation.toml --out sheet.png --trial 4
  wick augment augmentation.toml --out rotate.png --transform '{ rotate = 45 }'
  wick augment augmentation.toml --export augmented --images 100 --variants 3")]
    Augment(Augment),
    /// List the built-in networks, or print one as TOML
    #[command(after_help = "\
Examples:
  wick presets
  wick presets resnet18 > my-resnet.toml")]
    Presets(Presets),
    /// List the example experiments, or print one as TOML
    #[command(after_help = "\
Examples:
  wick examples
  wick examples quickstart > quickstart.toml && wick run quickstart.toml")]
    Examples(Examples),
    /// Write a first experiment file for a folder of images
    #[command(after_help = "\
Examples:
  wick new path/to/signs
  wick new path/to/signs --out signs.toml")]
    New(New),
    /// Print the JSON Schema of the experiment file, for completion and checks in editors
    #[command(after_help = "\
Example:
  wick schema > wick.schema.json
Write this in the first line of an experiment file: #:schema wick.schema.json
Tombi, taplo and Even Better TOML read it. The path is relative to the file.")]
    Schema,
    /// Print a completion script for a shell
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

If the classes of the images are known, wick evaluate computes scores.
Exit codes: 0 all images were read, 2 an image could not be read, or the command line has a mistake.")]
    Predict(Predict),
    /// Write a trained network for other programs: ONNX or plain weights
    #[command(after_help = "\
Examples:
  wick export --model results/quickstart --to onnx
  wick export --model best.safetensors --to onnx --input bytes --softmax --out signs.onnx
  wick export --preset resnet18 --weights resnet18.pth --to onnx --fold-batch-norm
  wick export --model best.safetensors --to safetensors --out weights.safetensors
  wick export --preset resnet18-32 --seed 1 --to safetensors

An ONNX file contains the network for evaluation and takes any number of images at once. Its metadata has
the class names and the preprocessing. A safetensors file contains every tensor under PyTorch's names.
wick takes such a file as --model and as --weights.")]
    Export(Export),
    /// Compute the scores and the confusion matrix of a trained network on labelled images
    #[command(after_help = "\
Examples:
  wick evaluate --model results/quickstart
  wick evaluate --model best.safetensors --data '{ folder = \"signs\" }'")]
    Evaluate(Evaluate),
    /// Draw a trained network: filters, maps, saliency, patches, features
    #[command(after_help = "\
Examples:
  wick look results/quickstart
  wick look results/quickstart photo.png --out photo
  wick look best.safetensors photo.png --layers conv1,conv2 --class cat
  wick look best.safetensors --data '{ folder = \"signs\" }'
  wick look --preset squeezenet1_1 --weights bundled:squeezenet1_1 photo.jpg

Writes PNG files and one SVG file into the folder of --out. docs/look.md explains them.
Exit codes: 0 all images were read, 2 an image could not be read, or the command line has a mistake.")]
    Look(Box<Look>),
    /// Measure the speed of training steps of a preset on random images
    #[command(hide = true)]
    BenchStep(BenchStep),
    /// Measure the speed of a chain of transforms on one image
    #[command(hide = true)]
    BenchAugment(BenchAugment),
    /// Measure the speed of decoding and resizing image files
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
