//! Which lanes are open while the tables lag behind or the disk is nearly full.
//!
//! New tasks give way first, then leases; answers never. Who comes too early for the
//! tables waits in its lane, which is bounded: a checkpoint makes room within a second or
//! two. Only when it does not, or when the disk is nearly full, is anybody sent away.
//!
//! Not here: the lanes (`inbox.rs`), what room there is (the store's overlay).

use piecework_core::{EngineTime, Millis};
use piecework_storage::Room;

/// How long requests wait for a checkpoint to make room.
const HELD_MAX: Millis = Millis(5_000);

/// Whether a lane's requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Gate {
    /// They are.
    #[default]
    Open,
    /// Not now: they stay in their lane.
    Held,
    /// They are refused.
    Refused,
}

/// Of the two lanes that give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gates {
    pub(super) intake: Gate,
    pub(super) lease: Gate,
}

/// How long the tables have lagged behind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lag {
    since: Option<EngineTime>,
}

impl Lag {
    /// What is open now. `room`: of the tables; `space_low`: the disk is nearly full.
    pub(super) fn gates(&mut self, room: Room, space_low: bool, now: EngineTime) -> Gates {
        if room == Room::Free {
            self.since = None;
        } else {
            self.since.get_or_insert(now);
        }
        let is_long = self.since.is_some_and(|since| now - since >= HELD_MAX);
        let shut = if is_long { Gate::Refused } else { Gate::Held };
        let intake = match room {
            _ if space_low => Gate::Refused,
            Room::Free => Gate::Open,
            Room::IntakeFull | Room::Full => shut,
        };
        let lease = if room == Room::Full { shut } else { Gate::Open };
        Gates { intake, lease }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_held_while_a_checkpoint_makes_room_and_refused_when_none_does() {
        let mut lag = Lag::default();
        let mut at = |ms, room| lag.gates(room, false, EngineTime(ms));
        let intake = |intake| Gates { intake, lease: Gate::Open };
        assert_eq!(at(1_000, Room::Free), Gates::default());
        assert_eq!(at(2_000, Room::IntakeFull), intake(Gate::Held));
        assert_eq!(at(6_999, Room::Full), Gates { intake: Gate::Held, lease: Gate::Held });
        assert_eq!(at(7_000, Room::Full), Gates { intake: Gate::Refused, lease: Gate::Refused });
        assert_eq!(at(7_001, Room::IntakeFull), intake(Gate::Refused));
        assert_eq!(at(7_002, Room::Free), Gates::default());
        assert_eq!(at(7_003, Room::IntakeFull), intake(Gate::Held), "it is counted anew");
    }

    #[test]
    fn a_disk_that_is_nearly_full_refuses_new_tasks_at_once_and_goes_on_leasing() {
        let gates = Lag::default().gates(Room::Free, true, EngineTime(1));
        assert_eq!(gates, Gates { intake: Gate::Refused, lease: Gate::Open });
    }
}
