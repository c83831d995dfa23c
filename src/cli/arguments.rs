//! What can be typed.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::config::layering::Request;
use crate::export::Input;
use crate::plan::device::Device;
use crate::report::answers::Measure;
use crate::report::charts::PlotFormat;
use crate::report::exports::Ending;
use crate::report::printed::{Format, Table};

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
  wick run experiments/quickstart.toml
  wick run experiments/quickstart.toml --set train.epochs=1 --workers 1
  wick run experiments/quickstart.toml --json > events.jsonl
  wick run experiments/plain-cnn.toml --set data.source.folder=signs
  wick run experiments/quickstart.toml --launcher slurm --partition short --max-parallel 4 --wait
  wick run experiments/quickstart.toml --launcher slurm --time 2h --dry-run")]
    Run(Box<Run>),
    /// Work on the trials of a shared results folder until none is left, beside other workers
    #[command(after_help = "\
Examples:
  wick run experiments/quickstart.toml --launcher worker     # makes the folder, and says where it is
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
  wick check experiments/quickstart.toml")]
    Check(Check),
    /// Say which of the four cases of transfer learning the data is in, where to cut, and why
    #[command(after_help = "\
Example:
  wick advise experiments/transfer-squeezenet-clipart.toml")]
    Advise(Advise),
    /// Show how far the trials of a results folder have got
    #[command(after_help = "\
Example:
  wick status results/quickstart")]
    Status(Status),
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
    /// Execute stored trials again and say \"identical\", or what differs first
    #[command(after_help = "\
Examples:
  wick repro results/quickstart
  wick repro results/quickstart 3 5
  wick repro results/quickstart --sample 2")]
    Repro(Repro),
    /// List or remove what the trials of a results folder do not need any more
    #[command(after_help = "\
Examples:
  wick clean results/quickstart
  wick clean results/quickstart --yes")]
    Clean(Clean),
    /// Show what augmentation does to training images, or write augmented images as a data set
    #[command(after_help = "\
Examples:
  wick augment experiments/augmentation.toml --out sheet.png --trial 4
  wick augment experiments/augmentation.toml --out rotate.png --transform '{ rotate = 45 }'
  wick augment experiments/augmentation.toml --export augmented --images 100 --variants 3")]
    Augment(Augment),
    /// List the built-in networks, or print one as TOML, to copy and change
    #[command(after_help = "\
Examples:
  wick presets
  wick presets resnet18 > experiments/my-resnet.toml")]
    Presets(Presets),
    /// Write a first experiment file for a folder with one folder of images per class
    #[command(after_help = "\
Examples:
  wick new path/to/signs
  wick new path/to/signs --out experiments/signs.toml")]
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
  wick predict --model results/quickstart/trials/…/best.safetensors photo.png
  wick predict --model best.safetensors photos --csv predictions.csv
  wick predict --preset squeezenet1_1 --weights squeezenet1_1.safetensors *.jpg --top 3
  wick predict --preset mobilenet_v2 --weights mobilenet_v2.pth *.jpg --logits logits.csv

Where the class of each image is known, wick evaluate says how many are right.
Exit codes: 0 every image was read, 2 one or more could not be, or the command line is wrong.")]
    Predict(Predict),
    /// Write a trained network for other programs: as ONNX, or as plain weights
    #[command(after_help = "\
Examples:
  wick export --model results/quickstart/trials/…/best.safetensors --to onnx
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
  wick evaluate --model best.safetensors --data digits
  wick evaluate --model best.safetensors --data '{ folder = \"signs\" }' --part all")]
    Evaluate(Evaluate),
    /// Measure training steps of a preset on random images, for comparisons of speed
    #[command(hide = true)]
    BenchStep(BenchStep),
    /// Measure a chain of transforms on one image, for comparisons of speed
    #[command(hide = true)]
    BenchAugment(BenchAugment),
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// What settings are compared by: train_, val_ or test_ and a score [default: the metric that
    /// chose the best epochs]
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Option<Measure>,
    /// How tables are written to standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Terminal)]
    pub(super) format: Format,
    /// One table alone [default: all; as CSV the ranking]
    #[arg(long, value_enum, value_name = "TABLE")]
    pub(super) table: Option<Table>,
    /// Where the page is written [default: report.html in DIR, with the terminal's format]
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write every chart as a file into a folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) plots: Option<PathBuf>,
    /// How charts are written
    #[arg(long, value_enum, value_name = "FORMAT", requires = "plots", default_value_t = PlotFormat::Svg)]
    pub(super) plot_format: PlotFormat,
    /// Pixels per inch of PNG charts, which are as wide as a column of print
    #[arg(long, value_name = "N", requires = "plots", default_value_t = 300, value_parser = clap::value_parser!(u16).range(72..=1200))]
    pub(super) dpi: u16,
    /// Write every trial as a run of TensorBoard into a folder: scalars, and settings for its HParams tab
    #[arg(long, value_name = "FOLDER")]
    pub(super) tensorboard: Option<PathBuf>,
    /// Write every trial as a run of MLflow into a folder as its file store lays them out
    #[arg(long, value_name = "FOLDER")]
    pub(super) mlflow: Option<PathBuf>,
    /// Write every number of every epoch as a row of a table, .csv or .parquet
    #[arg(long, value_name = "FILE", value_parser = long_table)]
    pub(super) long: Option<(PathBuf, Ending)>,
}

/// A file for the long form, by its ending.
fn long_table(text: &str) -> Result<(PathBuf, Ending), String> {
    let path = PathBuf::from(text);
    let ending = Ending::of(&path)?;
    Ok((path, ending))
}

#[derive(Debug, Args)]
pub(super) struct Curves {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// What is drawn: train_loss, train_accuracy, val_loss or val_accuracy [default: loss and
    /// accuracy on validation images, or on training images where there are no others]
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Option<Measure>,
    /// How many of the best settings are drawn
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=26))]
    pub(super) settings: u16,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The results folders of experiments
    #[arg(value_name = "DIR", required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// Compare by the value of this setting, a dotted path, instead of by experiment
    #[arg(long, value_name = "KEY")]
    pub(super) by: Option<String>,
    /// What is compared: train_, val_ or test_ and a score [default: the metric that chose the best
    /// epochs of the first experiment]
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Option<Measure>,
}

#[derive(Debug, Args)]
pub(super) struct Clean {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Remove what is listed
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Repro {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Numbers or digests of trials [default: all that have ended]
    #[arg(value_name = "TRIAL")]
    pub(super) trials: Vec<String>,
    /// Only so many of them, chosen by their digests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) sample: Option<u16>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// A folder with one folder of images per class, or with train, val and test folders of those
    #[arg(value_name = "FOLDER")]
    pub(super) folder: PathBuf,
    /// The file to write [default: the folder's name and .toml, here]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Presets {
    /// The preset to print
    pub(super) name: Option<String>,
}

/// A network with its weights. What goes with --preset conflicts with --model by name: clap asks for no
/// argument that another one excludes.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Trained {
    /// A checkpoint that `wick run` wrote: best.safetensors or last.safetensors of a trial
    #[arg(long, value_name = "CHECKPOINT")]
    pub(super) model: Option<PathBuf>,
    /// A built-in network, with --weights
    #[arg(long, value_name = "NAME")]
    pub(super) preset: Option<String>,
    /// Its weights: safetensors, .pth or .npz, under torchvision's or timm's names
    #[arg(long, value_name = "FILE", requires = "preset", conflicts_with = "model")]
    pub(super) weights: Option<PathBuf>,
    /// Class names for --preset, one on a line [default: ImageNet's 1,000]
    #[arg(long, value_name = "FILE", requires = "preset", conflicts_with = "model")]
    pub(super) classes: Option<PathBuf>,
    /// Size of the input for --preset
    #[arg(long, value_name = "HxW", requires = "preset", conflicts_with = "model", default_value = "224x224", value_parser = size)]
    pub(super) image_size: [usize; 2],
    /// Set a value of the preset, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "preset", conflicts_with = "model")]
    pub(super) sets: Vec<String>,
}

/// How a network looks at images.
#[derive(Debug, Args)]
pub(super) struct Looking {
    /// Further views of each image, as '[["horizontal-flip"]]': logits are averaged over all
    /// [default: what the checkpoint was tested with]
    #[arg(long, value_name = "CHAINS")]
    pub(super) test_time: Option<String>,
    /// What computes: cpu, or cuda:0, cuda:1, …, metal with a program that was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(super) device: Device,
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |side: &str| side.trim().parse::<usize>().ok().filter(|s| (1..=4096).contains(s));
    let both = match text.split_once(['x', '×']) {
        Some((height, width)) => side(height).zip(side(width)),
        None => side(text).map(|side| (side, side)),
    };
    both.map(|(height, width)| [height, width])
        .ok_or_else(|| "height and width between 1 and 4096, as 224x224".to_owned())
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset"])))]
pub(super) struct Predict {
    #[command(flatten)]
    pub(super) trained: Trained,
    #[command(flatten)]
    pub(super) looking: Looking,
    /// Image files (PNG, JPEG, BMP, GIF, WebP or PNM), or folders of them, which are searched to the
    /// bottom
    #[arg(required = true, value_name = "IMAGE")]
    pub(super) images: Vec<PathBuf>,
    /// Classes to show for each image
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(super) top: usize,
    /// Write the predictions as CSV instead of showing them: a row per image, with the most probable
    /// classes and their probabilities
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Write the logits as CSV, one row per image
    #[arg(long, value_name = "FILE")]
    pub(super) logits: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset"])))]
pub(super) struct Export {
    #[command(flatten)]
    pub(super) trained: Trained,
    /// Without --weights: the weights with which the preset starts to train with this seed
    #[arg(long, value_name = "N", requires = "preset", conflicts_with_all = ["model", "weights"])]
    pub(super) seed: Option<u64>,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) to: Foreign,
    /// The file to write [default: the name of the checkpoint or preset with .onnx or
    /// .weights.safetensors, here]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// ONNX: work batch norms into the convolutions and dense layers before them
    #[arg(long)]
    pub(super) fold_batch_norm: bool,
    /// ONNX: what images are when they come in [default: normalised]
    #[arg(long, value_enum, value_name = "INPUT")]
    pub(super) input: Option<Input>,
    /// ONNX: give probabilities instead of logits
    #[arg(long)]
    pub(super) softmax: bool,
}

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Foreign {
    /// The network with its weights, for onnxruntime, tract, TensorRT, OpenVINO and others
    Onnx,
    /// The weights alone, for PyTorch, candle and others
    Safetensors,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset"])))]
pub(super) struct Evaluate {
    #[command(flatten)]
    pub(super) trained: Trained,
    #[command(flatten)]
    pub(super) looking: Looking,
    /// Labelled images, written as data.source in an experiment file
    #[arg(long, value_name = "SOURCE")]
    pub(super) data: String,
    /// Which of its images [default: the declared test images, or all if none are]
    #[arg(long, value_enum)]
    pub(super) part: Option<Part>,
    /// Write the confusion matrix as CSV
    #[arg(long, value_name = "FILE")]
    pub(super) confusion: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// What the source declares for testing
    Test,
    /// Everything else
    Train,
    /// Every image
    All,
}

#[derive(Debug, Args)]
pub(super) struct BenchStep {
    /// The preset
    pub(super) network: String,
    /// Images in a batch
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) batch: u16,
    /// Steps to measure, after one that is not
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) steps: u16,
    /// Threads
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: u16,
    /// Height and width of images
    #[arg(long, value_name = "PIXELS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) image_size: u16,
    /// What computes: cpu, or cuda:0, cuda:1, …, metal with a program that was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(super) device: Device,
    /// Measure evaluation instead of training
    #[arg(long)]
    pub(super) forward: bool,
    /// Set a value of the preset, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct BenchAugment {
    /// The chain, written as augment.train in an experiment file
    pub(super) chain: String,
    /// Height and width of the image
    #[arg(long, value_name = "PIXELS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) image_size: u16,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub(super) seconds: f64,
}

/// The experiment and what is laid over it.
#[derive(Clone, Debug, Args)]
pub(super) struct Written {
    /// The experiment file
    file: PathBuf,
    /// Set a value of the file, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Lay the table [profile.NAME] of the file over it
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The folder that results are under
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) written: Written,
    #[command(flatten)]
    pub(super) effort: Effort,
    /// Stop the sweep when a trial fails: run.on-failure = "stop"
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Memory for all trials together, as 8GB or 80%: run.memory-limit
    #[arg(long, value_name = "SIZE")]
    pub(super) memory_limit: Option<String>,
    /// Run what fits into this time by estimate, as 2h, the cheapest trials first: run.budget
    #[arg(long, value_name = "TIME")]
    pub(super) budget: Option<String>,
    /// Show nothing but errors and the final ranking
    #[arg(long, short, conflicts_with = "json")]
    pub(super) quiet: bool,
    /// Write events for scripts, one JSON object per line on standard output, and no ranking
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) launch: Launch,
}

/// How many trials run at once, and on what.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Effort {
    /// Trials at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) workers: Option<u16>,
    /// Threads of a trial [default: the cores that are left over]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
    /// Memory for augmented images that trials share; what does not fit is augmented again
    #[arg(long, value_name = "MB", default_value_t = AUGMENT_MEMORY, value_parser = megabytes)]
    pub(super) augment_memory: usize,
}

/// Where trials run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Launcher {
    /// On this machine
    Local,
    /// On the nodes of a cluster, as a job array of Slurm
    Slurm,
    /// Wherever wick worker DIR is started
    Worker,
}

/// Where trials run, and how that is asked for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Launching")]
pub(super) struct Launch {
    /// Where trials run
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = Launcher::Local)]
    pub(super) launcher: Launcher,
    /// The partition for jobs of Slurm: launcher.slurm.partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Tasks at once: launcher.slurm.max-parallel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_parallel: Option<u16>,
    /// The time of a task, as 2h or as sbatch takes it: launcher.slurm.time
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// A further argument of sbatch, in place of launcher.slurm.sbatch-args; may be repeated
    #[arg(long = "sbatch-arg", value_name = "ARG", allow_hyphen_values = true)]
    sbatch_args: Vec<String>,
    /// Print the scripts that would be submitted, and do nothing
    #[arg(long, conflicts_with = "wait")]
    pub(super) dry_run: bool,
    /// Follow what was launched until it is over, then rank
    #[arg(long)]
    pub(super) wait: bool,
}

impl Launch {
    /// The option that makes no sense with this launcher, if one was given.
    pub(super) fn misplaced(&self) -> Option<&'static str> {
        let slurm = [
            ("--partition", self.partition.is_some()),
            ("--max-parallel", self.max_parallel.is_some()),
            ("--time", self.time.is_some()),
            ("--sbatch-arg", !self.sbatch_args.is_empty()),
            ("--dry-run", self.dry_run),
        ];
        let wait = [("--wait", self.wait)];
        let wrong = |options: &[(&'static str, bool)]| {
            options.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
        };
        match self.launcher {
            Launcher::Slurm => None,
            Launcher::Worker => wrong(&slurm),
            Launcher::Local => wrong(&slurm).or(wrong(&wait)),
        }
    }

    /// What these options set in the experiment.
    fn sets(&self) -> Vec<String> {
        let text = |text: &str| toml::Value::from(text).to_string();
        let mut sets = Vec::new();
        let mut set = |key: &str, value: String| sets.push(format!("launcher.slurm.{key}={value}"));
        if let Some(partition) = &self.partition {
            set("partition", text(partition));
        }
        if let Some(number) = self.max_parallel {
            set("max-parallel", number.to_string());
        }
        if let Some(time) = &self.time {
            set("time", text(time));
        }
        if !self.sbatch_args.is_empty() {
            set("sbatch-args", toml::Value::from(self.sbatch_args.clone()).to_string());
        }
        sets
    }
}

#[derive(Debug, Args)]
pub(super) struct Worker {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) effort: Effort,
    /// Cores to use [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) cores: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct TrialTask {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Numbers of trials, as in trials.csv; with --submission, of a task
    #[arg(value_name = "INDEX", required = true)]
    pub(super) indices: Vec<usize>,
    /// The submission of which this is a task
    #[arg(long, value_name = "N")]
    pub(super) submission: Option<usize>,
    #[command(flatten)]
    pub(super) effort: Effort,
    /// Cores to use [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) cores: Option<u16>,
    /// On the signal USR1 a job of Slurm goes back into the queue, so many times
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) max_requeues: u32,
}

#[derive(Debug, Args)]
pub(super) struct Collect {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// The submission that is over; what it has made possible is submitted
    #[arg(long, value_name = "N")]
    pub(super) submission: Option<usize>,
}

/// Megabytes for augmented images that trials share, unless something else is said.
pub(super) const AUGMENT_MEMORY: usize = 1024;

fn megabytes(text: &str) -> Result<usize, String> {
    let most = 1 << 30;
    text.parse().ok().filter(|mb| *mb <= most).ok_or_else(|| format!("a number from 0 to {most}"))
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("goal").required(true).args(["out", "export"])))]
pub(super) struct Augment {
    #[command(flatten)]
    pub(super) written: Written,
    /// Write a contact sheet: originals on the left, what was drawn under each variant
    #[arg(long, value_name = "PNG")]
    pub(super) out: Option<PathBuf>,
    /// Write augmented images in folders of classes, and a table of labels and boxes
    #[arg(long, value_name = "FOLDER")]
    pub(super) export: Option<PathBuf>,
    /// Images, from one class after the other [default: 6 on a sheet, all training images to export]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(super) images: Option<usize>,
    /// Variants of each: what training sees in the first M epochs [default: 5 on a sheet, 1 to export]
    #[arg(long, value_name = "M", value_parser = positive)]
    pub(super) variants: Option<usize>,
    /// Draw boxes
    #[arg(long, conflicts_with = "export")]
    pub(super) boxes: bool,
    /// Show one transform across its range: a kind in the chain, or written as in a chain
    #[arg(long, value_name = "TRANSFORM", conflicts_with = "export")]
    pub(super) transform: Option<String>,
    /// The trial whose chain is shown [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) trial: Option<usize>,
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "a whole number from 1 to 1,000,000".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct Advise {
    #[command(flatten)]
    pub(super) written: Written,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) written: Written,
    /// The trial whose network is shown
    #[arg(long, value_name = "N")]
    pub(super) trial: Option<usize>,
}

impl Run {
    /// The experiment, with the options of this command that stand for keys of the file.
    pub(super) fn written(&self) -> Written {
        let mut written = self.written.clone();
        let options = [
            ("run.on-failure", self.fail_fast.then_some("stop")),
            ("run.memory-limit", self.memory_limit.as_deref()),
            ("run.budget", self.budget.as_deref()),
        ];
        for (key, value) in options {
            written.sets.extend(value.map(|value| format!("{key}={value}")));
        }
        written.sets.extend(self.launch.sets());
        written
    }
}

impl Written {
    /// The layers to load.
    pub(super) fn request(&self) -> Request {
        Request {
            file: self.file.clone(),
            profile: self.profile.clone(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            sets: self.sets.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
