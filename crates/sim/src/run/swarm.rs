//! Which faults a seed turns on, how often, and how small everything is.
//!
//! Each seed turns some kinds on and leaves others off: a fault that comes all
//! the time hides what needs a quiet stretch.

use crate::Random;
use crate::workload::Mix;
use crate::world::Sizes;

/// How a seed's run goes.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// Sizes of journal and tables.
    pub sizes: Sizes,
    /// What clients do, and the engine's limits.
    pub mix: Mix,
    /// What goes wrong.
    pub faults: Faults,
    /// How often each actor moves, relative to the others.
    pub pace: Pace,
}

/// Chances of faults: one in so many steps or calls; 0: never.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The process dies.
    pub crash: u64,
    /// Of the crashes, with a power cut.
    pub power: u64,
    /// Of the crashes, the recovery dies too.
    pub again: u64,
    /// Of the crashes, the tables are lost, damaged or hang.
    pub tables: u64,
    /// A sync fails.
    pub fail_sync: u64,
    /// The disk fills up.
    pub full: u64,
    /// Of the pieces of a snapshot, what they write rots.
    pub rot: u64,
    /// Of the deliveries, all replies are lost.
    pub lost: u64,
    /// Of the calls, sent twice.
    pub twice: u64,
    /// Of the calls, held back until others have gone.
    pub late: u64,
    /// Of the calls, the caller hangs up.
    pub hang_up: u64,
    /// Of the turns, a clock jumps before them.
    pub jump: u64,
}

/// Weights of the actors.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Clients.
    pub send: u64,
    /// The writer.
    pub turn: u64,
    /// The sync thread.
    pub sync: u64,
    /// The keeper.
    pub keeper: u64,
    /// The checkpointer.
    pub checkpoint: u64,
    /// The snapshotter.
    pub snapshot: u64,
    /// The reader of settled tasks.
    pub cold: u64,
    /// The way back.
    pub deliver: u64,
    /// Watchers.
    pub watch: u64,
    /// The longest pause between turns, in milliseconds.
    pub pause_ms: u64,
}

impl Swarm {
    /// The run of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Swarm {
        let mut random = Random::new(seed ^ 0x5a_3a_11);
        let faults = Faults {
            crash: [250, 800, 1_500, 3_000][pick(&mut random, 4)],
            power: [1, 2, 4][pick(&mut random, 3)],
            again: sometimes(&mut random, &[2, 5]),
            tables: sometimes(&mut random, &[2, 6]),
            fail_sync: sometimes(&mut random, &[600, 2_000]),
            full: sometimes(&mut random, &[800, 2_500]),
            lost: sometimes(&mut random, &[3, 12]),
            twice: sometimes(&mut random, &[5, 20]),
            late: sometimes(&mut random, &[4, 15]),
            hang_up: sometimes(&mut random, &[10, 40]),
            rot: sometimes(&mut random, &[20, 60]),
            jump: sometimes(&mut random, &[30, 150]),
        };
        let pace = Pace {
            send: 20 + random.below(30),
            turn: 10 + random.below(20),
            sync: [2, 10, 25][pick(&mut random, 3)],
            keeper: 1 + random.below(6),
            checkpoint: random.below(12),
            snapshot: random.below(8),
            cold: 2 + random.below(10),
            deliver: 5 + random.below(15),
            watch: random.below(6),
            pause_ms: [40, 200, 800][pick(&mut random, 3)],
        };
        let sizes = Sizes {
            segment_bytes: [16, 64, 64][pick(&mut random, 3)] * 1024,
            ready_segments: 1 + pick(&mut random, 2),
            queued_groups: 1 + pick(&mut random, 3),
            overlay_bytes: [16, 16, 64][pick(&mut random, 3)] * 1024,
            snapshot_file_bytes: 4 * 1024,
        };
        Swarm { sizes, mix: Mix::of(seed), faults, pace }
    }
}

fn pick(random: &mut Random, below: u64) -> usize {
    usize::try_from(random.below(below)).expect("a small number")
}

/// Off in half of the seeds.
fn sometimes(random: &mut Random, rates: &[u64]) -> u64 {
    if random.one_in(2) { 0 } else { rates[pick(random, rates.len() as u64)] }
}
