//! Who takes part: projects, tasks and workers, drawn at random.
//!
//! Not here: schemas and answers (`said.rs`).

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::command::NewTask;
use piecework_core::limits::{TIER_DEFAULT, WEIGHT_DEFAULT};
use piecework_core::project::{
    Aggregation, Assignment, DynamicOverlap, Late, LateExtra, LeasePolicy, Newcomers, ProjectSpec,
    Requirements, Terms,
};
use piecework_core::quality::Basis;
use piecework_core::relaxation::Relaxation;
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{ClientId, Currency, Fingerprint, Millis, Money, Now, WallTime};

use super::book::Favour;
use super::mix::Mix;
use super::said;
use crate::random::Random;

/// The skills there are.
pub(super) const SKILLS: [&str; 3] = ["lang:fi", "maps", "medical"];
const REGIONS: [&str; 2] = ["eu", "us"];

/// An id that the rule allows.
pub(super) fn id(text: &str) -> ClientId {
    ClientId::new(text).expect("letters and digits")
}

fn small<T: TryFrom<u64>>(number: u64) -> T {
    T::try_from(number).ok().expect("drawn small enough")
}

/// A new project's spec.
pub(super) fn project(random: &mut Random, mix: &Mix) -> ProjectSpec {
    let picks = random.percent(mix.worker_picks);
    let mut spec = ProjectSpec {
        title: String::new(),
        terms: terms(random, mix),
        requirements: match random.percent(mix.demanding) {
            true => requirements(random),
            false => Requirements::default(),
        },
        overlap: small(random.between(1, mix.overlap)),
        dynamic: random.percent(mix.dynamic).then(|| DynamicOverlap {
            max: small(mix.overlap + random.below(3)),
            target_ppm: small(random.between(500_000, 990_000)),
        }),
        assignment: if picks { Assignment::WorkerPicks } else { Assignment::ServerPicks },
        payload_bytes_max: small(random.between(6, 12)),
        tier: tier(random, mix),
        grants_per_minute: rate(random, mix),
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    };
    relax(random, mix, &mut spec);
    spec
}

/// The tier of a project.
pub(super) fn tier(random: &mut Random, mix: &Mix) -> u8 {
    if random.percent(mix.tiers) { small(random.below(5)) } else { TIER_DEFAULT }
}

/// Grants a minute: few, or no limit.
pub(super) fn rate(random: &mut Random, mix: &Mix) -> u32 {
    if random.percent(mix.rates) { small(*random.pick(&[45, 100, 300, 900])) } else { 0 }
}

/// How a platform treats a requester.
pub(super) fn favour(random: &mut Random, mix: &Mix) -> Favour {
    let mut favour = Favour {
        weight: WEIGHT_DEFAULT,
        tier_ceiling: 0,
        grants_per_minute: rate(random, mix),
        blocked: BTreeSet::new(),
        allowed: BTreeSet::new(),
    };
    if random.percent(mix.favours) {
        favour.weight = small(*random.pick(&[1, 30, 100, 100, 250, 10_000]));
        favour.tier_ceiling = small(random.below(4));
    }
    let mut some = |most| -> BTreeSet<ClientId> {
        (0..random.below(most)).map(|_| id(&format!("w{}", random.below(8)))).collect()
    };
    if mix.favours > 60 {
        favour.blocked = some(4);
    } else if mix.favours > 45 {
        favour.allowed = some(8);
    }
    favour
}

/// Steps at which a project asks for less and less.
pub(super) fn relax(random: &mut Random, mix: &Mix, spec: &mut ProjectSpec) {
    spec.relaxation.clear();
    if !random.percent(mix.relaxation) {
        return;
    }
    let (mut after, mut needs) = (Millis(0), spec.requirements.clone());
    for _ in 0..random.between(1, 3) {
        after.0 += random.between(200, 8_000);
        needs.min_rating = small(random.below(u64::from(needs.min_rating) + 1));
        for level in needs.skills.values_mut() {
            *level = small(random.below(u64::from(*level) + 1));
        }
        if random.one_in(2) {
            needs.skills.pop_first();
        }
        if random.one_in(2) {
            needs.regions.clear();
        }
        spec.relaxation.push(Relaxation { after, requirements: needs.clone() });
    }
}

fn terms(random: &mut Random, mix: &Mix) -> Terms {
    Terms {
        instructions: BTreeMap::new(),
        schema: said::schema(random),
        aggregation: *random.pick(&[
            Aggregation::Majority,
            Aggregation::Majority,
            Aggregation::First,
            Aggregation::Collect,
            Aggregation::Weighted,
            Aggregation::Online,
            Aggregation::Refined,
            Aggregation::DawidSkene,
        ]),
        reward: Money { micros: small(random.below(9) * 1_000), currency: Currency::USD },
        lease: lease(random, mix),
        expected: expected(random, mix),
    }
}

/// How long an answer takes, as somebody declares.
pub(super) fn expected(random: &mut Random, mix: &Mix) -> Option<Millis> {
    random.percent(mix.paces).then(|| Millis(random.between(1, 9_000)))
}

/// A lease policy within the mix.
pub(super) fn lease(random: &mut Random, mix: &Mix) -> LeasePolicy {
    let duration = Millis(random.between(mix.lease.0.0, mix.lease.1.0));
    let rest = *random.pick(&[10, 10, 4, 2]);
    LeasePolicy {
        max_hold: Millis(duration.0 + random.below(9_000)),
        max_attempts: small(random.between(1, 6)),
        late: if random.one_in(6) { Late::Refuse } else { Late::UntilReplaced },
        late_extra: *random.pick(&[
            LateExtra::Refuse,
            LateExtra::Refuse,
            LateExtra::KeepPayable,
            LateExtra::KeepUnpaid,
        ]),
        late_grace: Millis(duration.0 / rest),
        late_window: Millis(duration.0.min(*random.pick(&[1_500, 4_000, 60_000]))),
        ..LeasePolicy::of(duration)
    }
}

/// What a project may ask of its workers; seldom all of it.
pub(super) fn requirements(random: &mut Random) -> Requirements {
    let mut needs = Requirements::default();
    if random.one_in(2) {
        needs.skills.insert((*random.pick(&SKILLS)).into(), small(random.below(80)));
    }
    if random.one_in(3) {
        needs.min_rating = small(random.between(1, 85));
        needs.rating_basis =
            if needs.min_rating % 3 == 0 { Basis::LowerBound } else { Basis::Mean };
        needs.newcomers = *random.pick(&[
            Newcomers::Welcome,
            Newcomers::Limit(1),
            Newcomers::Limit(2),
            Newcomers::Refuse,
        ]);
    }
    if random.one_in(5) {
        needs.kinds = vec![*random.pick(&[WorkerKind::Human, WorkerKind::Human, WorkerKind::Ai])];
    }
    if random.one_in(5) {
        needs.regions = vec![(*random.pick(&REGIONS)).into()];
    }
    if random.one_in(4) {
        needs.quota_per_worker = small(random.between(1, 12));
    }
    needs
}

/// A worker's data; its own requester account comes by name.
pub(super) fn worker(random: &mut Random, mix: &Mix) -> WorkerSpec {
    let capacity = random.one_in(2).then(|| small(random.between(1, 6)));
    let person = random.below(2);
    WorkerSpec {
        kind: if random.one_in(5) { WorkerKind::Ai } else { WorkerKind::Human },
        region: (*random.pick(&REGIONS)).into(),
        device: String::new(),
        capacity,
        identity_cluster: match random.percent(mix.clusters) {
            true => format!("person-{person}"),
            false => String::new(),
        },
        requester: None,
        labels: BTreeMap::new(),
    }
}

/// A worker that may do everything, ten at a time.
pub(super) fn able() -> WorkerSpec {
    WorkerSpec {
        kind: WorkerKind::Human,
        region: REGIONS[0].into(),
        device: String::new(),
        capacity: Some(10),
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    }
}

/// A new task.
pub(super) fn task(random: &mut Random, mix: &Mix, name: Option<ClientId>, now: Now) -> NewTask {
    let deadline = random.percent(mix.deadlines);
    let deadline = deadline.then(|| WallTime(now.wall.0 + random.between(1_000, 120_000)));
    let overlap = random.one_in(4);
    let bytes = if random.one_in(12) { 9 } else { random.index(8) };
    let mut task = NewTask {
        name,
        payload: vec![b'p'; bytes],
        content_type: String::new(),
        priority: if random.one_in(4) { small::<i8>(random.below(5)) - 2 } else { 0 },
        deadline,
        overlap: overlap.then(|| small(random.between(1, mix.overlap + 1))),
        expected: expected(random, mix),
        labels: BTreeMap::new(),
        content: Fingerprint::default(),
    };
    task.content = fingerprint(&task);
    task
}

/// Of anything that can be written down.
pub(super) fn fingerprint(what: &impl std::fmt::Debug) -> Fingerprint {
    Fingerprint::of(&[format!("{what:?}").as_bytes()])
}
