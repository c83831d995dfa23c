//! Channels replaced by one value: Albumentations' `ChannelDropout`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::need_colours;
use super::image::{Frame, Image};
use super::parameters::{Fill, Range};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Channels replaced by one value: `{ channel-dropout = 1, fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelDropout {
    /// How many channels are replaced, 1 or 2: so many, or the fewest and the most.
    channel_dropout: Range,
    /// What replaces them.
    #[serde(default)]
    fill: Fill,
}

/// What [`ChannelDropout`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    /// Which channels are replaced.
    channels: Vec<u8>,
}

impl Transform for ChannelDropout {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.channel_dropout.check("channel-dropout", 1.0, 2.0)?;
        need_colours("channel-dropout", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let mut channels = vec![0, 1, 2];
        stream.shuffle(&mut channels);
        channels.truncate(self.channel_dropout.draw_whole(stream) as usize);
        Drawn { channels }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let mut keep = [u8::MAX; 3];
        let mut fill = [0; 3];
        for channel in drawn.channels.iter().map(|channel| usize::from(channel % 3)) {
            keep[channel] = 0;
            fill[channel] = self.fill.channels()[channel];
        }
        // Three vectors at a time, so that the pattern repeats.
        let keep: [u8; 192] = std::array::from_fn(|i| keep[i % 3]);
        let fill: [u8; 192] = std::array::from_fn(|i| fill[i % 3]);
        for values in image.pixels_mut().chunks_mut(192) {
            for ((value, keep), fill) in values.iter_mut().zip(&keep).zip(&fill) {
                *value = *value & keep | fill;
            }
        }
    }
}
