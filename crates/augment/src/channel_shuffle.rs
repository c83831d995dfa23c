//! Channels in another order: Albumentations' `ChannelShuffle`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{change_colours, need_colours};
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Channels in another order: `"channel-shuffle"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelShuffle {
    channel_shuffle: Always,
}

/// What [`ChannelShuffle`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    /// Which channel becomes red, which green, which blue.
    channels: [u8; 3],
}

impl Transform for ChannelShuffle {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        need_colours("channel-shuffle", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let mut channels = [0, 1, 2];
        stream.shuffle(&mut channels);
        Drawn { channels }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let channels = drawn.channels.map(|channel| usize::from(channel.min(2)));
        change_colours(
            image,
            #[inline(always)]
            |planes| *planes = channels.map(|channel| planes[channel]),
        );
    }
}
