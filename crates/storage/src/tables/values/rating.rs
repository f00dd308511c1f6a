//! What workers' answers are worth, with the sums of evidence exact to the bit.
//!
//! Earlier releases kept counts alone. A rating that says no more than counts is written
//! as they wrote it, so that their rows keep their bytes.

use piecework_core::quality::{Bulletin, Published, Rating, Record, Tally};
use piecework_core::worker::{SkillRating, WorkerRecord};
use piecework_core::{EngineTime, WorkerId};
use piecework_proto::storage::v1 as pb;

/// (judged, agreed, judged when published, agreed when published).
pub(super) type Counts = (u32, u32, u32, u32);

/// The counts that say all of a record's rating, if they do.
pub(super) fn counts_alone(record: &WorkerRecord) -> Option<Counts> {
    let rating = &record.rating;
    let counts = (rating.record.judged(), rating.record.agreed);
    let published = (rating.published.judged, rating.published.agreed);
    (*rating == of_counts(counts, published, record.idle_since)).then_some((
        counts.0,
        counts.1,
        published.0,
        published.1,
    ))
}

/// The rating that counts say: evidence of agreement, as old as the worker's idle time.
pub(super) fn of_counts(
    (judged, agreed): (u32, u32),
    published: (u32, u32),
    idle_since: EngineTime,
) -> Rating {
    Rating {
        record: Record::of_counts(judged, agreed),
        as_of: if judged == 0 { EngineTime(0) } else { idle_since },
        published: Published { judged: published.0, agreed: published.1, bulletin: None },
    }
}

pub(crate) fn write_rating(rating: &Rating) -> pb::Rating {
    let Rating { record, as_of, published } = rating;
    pb::Rating {
        agreement: write_tally(record.agreement),
        gold: write_tally(record.gold),
        review: write_tally(record.review),
        pace: write_tally(record.pace),
        agreed: record.agreed,
        window: record.window,
        windowed: record.windowed,
        as_of_engine_ms: as_of.0,
        published: published.judged,
        published_agreed: published.agreed,
        bulletin: published.bulletin.map(|bulletin| pb::Bulletin {
            accuracy_ppm: bulletin.accuracy_ppm,
            low_ppm: bulletin.low_ppm,
            high_ppm: bulletin.high_ppm,
            speed_milli: bulletin.speed_milli,
            consistency_milli: bulletin.consistency_milli,
            overall_milli: bulletin.overall_milli,
        }),
    }
}

pub(super) fn read_rating(message: pb::Rating) -> Rating {
    Rating {
        record: Record {
            agreement: read_tally(message.agreement),
            gold: read_tally(message.gold),
            review: read_tally(message.review),
            agreed: message.agreed,
            pace: read_tally(message.pace),
            window: message.window,
            windowed: message.windowed,
        },
        as_of: EngineTime(message.as_of_engine_ms),
        published: Published {
            judged: message.published,
            agreed: message.published_agreed,
            bulletin: message.bulletin.map(|bulletin| Bulletin {
                accuracy_ppm: bulletin.accuracy_ppm,
                low_ppm: bulletin.low_ppm,
                high_ppm: bulletin.high_ppm,
                speed_milli: bulletin.speed_milli,
                consistency_milli: bulletin.consistency_milli,
                overall_milli: bulletin.overall_milli,
            }),
        },
    }
}

pub(crate) fn read_skill_rating(worker: WorkerId, skill: &str, message: pb::Rating) -> SkillRating {
    SkillRating { worker, skill: skill.to_owned(), rating: read_rating(message) }
}

fn write_tally(tally: Tally) -> Option<pb::Evidence> {
    let Tally { right, all, answers } = tally;
    (tally != Tally::default()).then_some(pb::Evidence { right, all, answers })
}

fn read_tally(message: Option<pb::Evidence>) -> Tally {
    message.map_or(Tally::default(), |m| Tally { right: m.right, all: m.all, answers: m.answers })
}
