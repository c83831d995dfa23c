//! Slots: places on devices, of which every running trial holds one.

use crate::basis::device::Device;
use crate::plan::run::RunPlan;

/// A place for one trial on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The device.
    pub device: Device,
    /// Which of the device's places, counted from 1.
    pub number: usize,
}

impl Slot {
    /// The first on a device.
    pub fn on(device: Device) -> Slot {
        Slot { device, number: 1 }
    }
}

/// What trials get of the machine: a slot for each that runs at once, and its threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Slots, at least one. As long as trials are few, each has a device for itself.
    pub slots: Vec<Slot>,
    /// Threads of a trial.
    pub threads: usize,
}

impl Allocation {
    /// As many slots on each device as `run` says; if it does not, one for each core on the processor
    /// and one on every other device. Not more than there are trials; and if there are fewer of them
    /// than cores, several cores per trial. `workers` are trials at once whatever `run` says.
    pub fn new(
        cores: usize,
        trials: usize,
        run: &RunPlan,
        workers: Option<usize>,
        threads: Option<usize>,
    ) -> Allocation {
        let room = |device: &Device| match (run.slots_per_device, device) {
            (Some(slots), _) => slots,
            (None, Device::Cpu) => (cores / threads.unwrap_or(1)).max(1),
            (None, _) => 1,
        };
        let all = run.devices.iter().map(room).sum();
        let workers = workers.unwrap_or(all).clamp(1, trials.max(1));
        // Devices take turns, those that are full only when all are.
        let fullest = run.devices.iter().map(room).max().unwrap_or(0);
        let turn = |number: usize| {
            let has_room = move |device: &&Device| number <= room(device) || number > fullest;
            run.devices.iter().filter(has_room).map(move |device| Slot { device: *device, number })
        };
        let slots = (1..).flat_map(turn).take(workers).collect();
        Allocation { slots, threads: threads.unwrap_or(cores / workers).max(1) }
    }

    /// Trials at once.
    pub fn workers(&self) -> usize {
        self.slots.len()
    }

    /// The same for one trial at a time.
    pub fn alone(&self) -> Allocation {
        Allocation { slots: self.slots[..1].to_vec(), threads: self.threads }
    }

    /// `2 at once with 1 thread each`, and on what, if that is not the processor alone.
    pub fn words(&self) -> String {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        let mut text = format!("{} at once with {} {threads} each", self.workers(), self.threads);
        let mut counts: Vec<(Device, usize)> = Vec::new();
        for Slot { device, .. } in &self.slots {
            match counts.iter_mut().find(|(known, _)| known == device) {
                Some((_, count)) => *count += 1,
                None => counts.push((*device, 1)),
            }
        }
        if counts.iter().any(|(device, _)| *device != Device::Cpu) {
            let words = counts.iter().map(|(device, count)| format!("{count} on {device}"));
            text.push_str(&format!(", {}", words.collect::<Vec<_>>().join(", ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(devices: &[Device], slots_per_device: Option<usize>) -> RunPlan {
        RunPlan { devices: devices.to_vec(), slots_per_device, ..RunPlan::default() }
    }

    #[test]
    fn cores_are_shared_between_trials() {
        for (cores, trials, workers, threads, expected) in [
            (8, 100, None, None, (8, 1)),
            (8, 2, None, None, (2, 4)),
            (8, 0, None, None, (1, 8)),
            (8, 100, Some(2), None, (2, 4)),
            (8, 100, None, Some(4), (2, 4)),
            (2, 100, Some(16), None, (16, 1)),
            (2, 3, Some(1), Some(4), (1, 4)),
        ] {
            let allocation = Allocation::new(cores, trials, &RunPlan::default(), workers, threads);
            let found = (allocation.workers(), allocation.threads);
            assert_eq!(found, expected, "{cores} cores, {trials} trials");
        }
    }

    #[test]
    fn every_device_has_so_many_slots_and_they_take_turns() {
        let two = [Device::Cuda(0), Device::Cuda(3)];
        for (devices, per_device, trials, workers, expected) in [
            (&two[..], None, 100, None, "cuda:0/1 cuda:3/1"),
            (&two, Some(2), 100, None, "cuda:0/1 cuda:3/1 cuda:0/2 cuda:3/2"),
            (&two, Some(2), 3, None, "cuda:0/1 cuda:3/1 cuda:0/2"),
            (&two, Some(2), 100, Some(1), "cuda:0/1"),
            (&two, Some(1), 100, Some(3), "cuda:0/1 cuda:3/1 cuda:0/2"),
            (&[Device::Cpu], Some(3), 100, None, "cpu/1 cpu/2 cpu/3"),
            (&[Device::Metal, Device::Cpu], None, 100, None, "metal/1 cpu/1 cpu/2 cpu/3 cpu/4"),
        ] {
            let allocation = Allocation::new(4, trials, &run(devices, per_device), workers, None);
            let slots =
                allocation.slots.iter().map(|slot| format!("{}/{}", slot.device, slot.number));
            assert_eq!(slots.collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn words_name_devices_where_they_are_not_the_processor() {
        let words =
            |devices: &[Device]| Allocation::new(4, 9, &run(devices, Some(2)), None, None).words();
        assert_eq!(words(&[Device::Cpu]), "2 at once with 2 threads each");
        let both = words(&[Device::Cuda(1), Device::Cpu]);
        assert_eq!(both, "4 at once with 1 thread each, 2 on cuda:1, 2 on cpu");
    }
}
