//! What an event file holds, as far as it is used here.
//!
//! Messages and numbers of fields are those of `tensorboard/compat/proto/{event,summary}.proto` and
//! `tensorboard/plugins/hparams/{api,plugin_data}.proto`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use prost::{Message, Oneof};

/// The plugin of the HParams tab, and the tags under which it looks.
const PLUGIN: &str = "hparams";
const EXPERIMENT: &str = "_hparams_/experiment";
const START: &str = "_hparams_/session_start_info";
const END: &str = "_hparams_/session_end_info";

/// More values than this are not offered as choices: they were drawn.
const LEVELS: usize = 50;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summaries),
}

/// Numbers with their tags.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Summaries {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Tagged>,
}

#[derive(Clone, PartialEq, Message)]
struct Tagged {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

/// What the HParams plugin reads; its version is 0.
#[derive(Clone, PartialEq, Message)]
struct HParams {
    #[prost(oneof = "Data", tags = "2, 3, 4")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "2")]
    Experiment(Experiment),
    #[prost(message, tag = "3")]
    Start(Start),
    #[prost(message, tag = "4")]
    End(End),
}

#[derive(Clone, PartialEq, Message)]
struct Experiment {
    #[prost(string, tag = "1")]
    description: String,
    #[prost(message, repeated, tag = "4")]
    settings: Vec<SettingInfo>,
    #[prost(message, repeated, tag = "5")]
    metrics: Vec<MetricInfo>,
    #[prost(string, tag = "6")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct SettingInfo {
    #[prost(string, tag = "1")]
    name: String,
    /// 1 words, 2 flags, 3 numbers.
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(message, optional, tag = "5")]
    levels: Option<List>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricInfo {
    #[prost(message, optional, tag = "1")]
    name: Option<MetricName>,
    #[prost(string, tag = "3")]
    called: String,
    /// 0 unknown, 1 training, 2 validation.
    #[prost(int32, tag = "5")]
    set: i32,
}

#[derive(Clone, PartialEq, Message)]
struct MetricName {
    #[prost(string, tag = "2")]
    tag: String,
}

#[derive(Clone, PartialEq, Message)]
struct Start {
    #[prost(btree_map = "string, message", tag = "1")]
    settings: BTreeMap<String, Worth>,
    #[prost(string, tag = "4")]
    group: String,
    #[prost(double, tag = "5")]
    seconds: f64,
}

#[derive(Clone, PartialEq, Message)]
struct End {
    /// 0 unknown, 1 success, 2 failure, 3 running.
    #[prost(int32, tag = "1")]
    status: i32,
    #[prost(double, tag = "2")]
    seconds: f64,
}

/// `google.protobuf.ListValue`
#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Worth>,
}

/// `google.protobuf.Value`
#[derive(Clone, PartialEq, Message)]
struct Worth {
    #[prost(oneof = "HParam", tags = "2, 3, 4")]
    of: Option<HParam>,
}

/// The value of a setting.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum HParam {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Words(String),
    #[prost(bool, tag = "4")]
    Flag(bool),
}

impl HParam {
    /// Numbers by their size, words by their letters.
    pub(super) fn compare(&self, other: &HParam) -> Ordering {
        match (self, other) {
            (HParam::Number(a), HParam::Number(b)) => a.total_cmp(b),
            (HParam::Words(a), HParam::Words(b)) => a.cmp(b),
            (HParam::Flag(a), HParam::Flag(b)) => a.cmp(b),
            // The values of a setting are of one kind.
            _ => Ordering::Equal,
        }
    }
}

/// A result that the HParams tab shows.
pub(super) struct Metric {
    /// Of the scalar.
    pub(super) tag: String,
    pub(super) is_validation: bool,
}

impl Summaries {
    pub(super) fn add(&mut self, tag: &str, value: f64) {
        let simple_value = Some(value as f32);
        self.value.push(Tagged { tag: tag.to_owned(), simple_value, metadata: None });
    }
}

impl Event {
    /// The first event of every file.
    pub(super) fn version() -> Event {
        let what = Some(What::FileVersion("brain.Event:2".to_owned()));
        Event { wall_time: 0.0, step: 0, what }
    }

    pub(super) fn scalars(seconds: f64, epoch: u64, scalars: Summaries) -> Event {
        Event { wall_time: seconds, step: epoch as i64, what: Some(What::Summary(scalars)) }
    }

    fn plugin(tag: &str, seconds: f64, data: Data) -> Event {
        let content = HParams { data: Some(data) }.encode_to_vec();
        let plugin = Some(Plugin { name: PLUGIN.to_owned(), content });
        let metadata = Some(Metadata { plugin });
        let value = vec![Tagged { tag: tag.to_owned(), simple_value: None, metadata }];
        Event { wall_time: seconds, step: 0, what: Some(What::Summary(Summaries { value })) }
    }

    /// What the HParams tab is about: settings with the values that they take, and results.
    pub(super) fn experiment(
        name: &str,
        description: &str,
        settings: Vec<(String, Vec<HParam>)>,
        metrics: Vec<Metric>,
    ) -> Event {
        let setting = |(name, levels): (String, Vec<HParam>)| SettingInfo {
            name,
            kind: match levels.first() {
                Some(HParam::Words(_)) => 1,
                Some(HParam::Flag(_)) => 2,
                Some(HParam::Number(_)) => 3,
                None => 0,
            },
            levels: (levels.len() <= LEVELS).then(|| List {
                values: levels.into_iter().map(|level| Worth { of: Some(level) }).collect(),
            }),
        };
        let metric = |metric: Metric| MetricInfo {
            called: metric.tag.rsplit('/').next().unwrap_or_default().to_owned(),
            set: if metric.is_validation { 2 } else { 0 },
            name: Some(MetricName { tag: metric.tag }),
        };
        let experiment = Experiment {
            description: description.to_owned(),
            settings: settings.into_iter().map(setting).collect(),
            metrics: metrics.into_iter().map(metric).collect(),
            name: name.to_owned(),
        };
        Event::plugin(EXPERIMENT, 0.0, Data::Experiment(experiment))
    }

    /// The start of a trial.
    pub(super) fn start(settings: BTreeMap<String, HParam>, group: &str) -> Event {
        let settings = settings.into_iter();
        let settings = settings.map(|(name, value)| (name, Worth { of: Some(value) })).collect();
        let start = Start { settings, group: group.to_owned(), seconds: 0.0 };
        Event::plugin(START, 0.0, Data::Start(start))
    }

    /// The end of a trial; one that neither came to its end nor failed is still running.
    pub(super) fn end(seconds: f64, has_ended: bool, has_failed: bool) -> Event {
        let status = match (has_ended, has_failed) {
            (true, _) => 1,
            (_, true) => 2,
            _ => 3,
        };
        Event::plugin(END, seconds, Data::End(End { status, seconds }))
    }
}
