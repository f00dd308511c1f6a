//! Who takes part in a history: projects with random policies, random workers.

use std::collections::BTreeMap;

use piecework_core::project::{
    Aggregation, Assignment, Late, LateExtra, LeasePolicy, Newcomers, ProjectSpec, Requirements,
    Terms,
};
use piecework_core::quality::Basis;
use piecework_core::schema::{Field, FieldKind, Finite, Schema};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{Currency, Limits, Millis, Money};
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;

/// Limits so small that everything happens within a minute.
pub(crate) fn tiny_limits() -> Limits {
    Limits {
        restart_grace: Millis(1_500),
        expiry_bar: Millis(5_000),
        claim_within: Millis(2_000),
        decline_within: Millis(1_000),
        declines_in_a_row: 2,
        decline_cooldown: Millis(3_000),
        create_keys_kept: Millis(20_000),
        create_keys_max: 5,
        service_gap: Millis(4_000),
        rating_half_life: Millis(60_000),
        unpacked_max: 1,
    }
}

/// A project's policies, small enough to be drawn at random.
#[derive(Debug, Clone)]
pub(crate) struct ProjectPlan {
    lease: u16,
    hold: u16,
    attempts: u8,
    late: u8,
    /// A lease's share that an expired place rests: its tenth, or this part.
    rest: u8,
    overlap: u8,
    worker_picks: bool,
    human_only: bool,
    skill: Option<u8>,
    quota: u8,
    newcomers: u8,
    min_rating: u8,
    reward: u8,
    payload_max: u8,
    /// A bit for each kind of field that it asks for.
    kinds: u8,
    aggregation: Aggregation,
    tier: u8,
}

/// Each as often as the others, but the majority: ties and ratings come of it.
fn aggregations() -> impl Strategy<Value = Aggregation> {
    prop_oneof![
        1 => Just(Aggregation::First),
        3 => Just(Aggregation::Majority),
        1 => Just(Aggregation::Weighted),
        1 => Just(Aggregation::Online),
        1 => Just(Aggregation::Refined),
        1 => Just(Aggregation::DawidSkene),
        1 => Just(Aggregation::Collect),
    ]
}

pub(crate) fn projects() -> impl Strategy<Value = ProjectPlan> {
    let policy = (2_000_u16..12_000, 0_u16..9_000, 1_u8..6, 0_u8..8, 1_u8..4, 1_u8..5);
    let kinds = (0_u8..6, 0_u8..6, prop_oneof![4 => Just(None), 1 => (0_u8..90).prop_map(Some)]);
    let limits = (0_u8..9, 0_u8..8, 0_u8..90, any::<u8>(), 6_u8..16, 1_u8..4);
    // One kind, or any of them together; without any of them an answer is free.
    let asked =
        prop_oneof![3 => Just(1_u8), 3 => (0_u32..6).prop_map(|bit| 1 << bit), 2 => 0_u8..64];
    (policy, kinds, limits, (asked, aggregations())).prop_map(
        |(
            (lease, hold, attempts, late, overlap, rest),
            (picks, human, skill),
            (quota, newcomers, min_rating, reward, payload_max, tier),
            (asked, aggregation),
        )| ProjectPlan {
            lease,
            hold,
            attempts,
            late,
            rest,
            overlap,
            worker_picks: picks == 0,
            human_only: human == 0,
            skill,
            quota: if quota < 6 { 0 } else { quota },
            newcomers,
            min_rating: if newcomers < 5 { 0 } else { min_rating },
            reward,
            payload_max,
            kinds: asked,
            aggregation,
            tier,
        },
    )
}

impl ProjectPlan {
    pub(crate) fn spec(&self) -> ProjectSpec {
        let duration = Millis(self.lease.into());
        let lease = LeasePolicy {
            max_hold: Millis(u64::from(self.lease) + u64::from(self.hold)),
            max_attempts: self.attempts.into(),
            late: if self.late == 0 { Late::Refuse } else { Late::UntilReplaced },
            late_extra: match self.late {
                0..4 => LateExtra::Refuse,
                4..6 => LateExtra::KeepPayable,
                _ => LateExtra::KeepUnpaid,
            },
            late_grace: Millis(
                u64::from(self.lease) / u64::from([10_u8, 10, 2, 1][usize::from(self.rest) % 4]),
            ),
            ..LeasePolicy::of(duration)
        };
        ProjectSpec {
            title: String::new(),
            terms: Terms {
                instructions: BTreeMap::new(),
                schema: self.schema(),
                aggregation: self.aggregation,
                reward: Money { micros: self.reward.into(), currency: Currency::USD },
                lease,
                expected: None,
            },
            requirements: Requirements {
                skills: self.skill.map(|level| ("skill".to_owned(), level)).into_iter().collect(),
                min_rating: self.min_rating,
                rating_basis: if self.tier == 1 { Basis::LowerBound } else { Basis::Mean },
                kinds: if self.human_only { vec![WorkerKind::Human] } else { Vec::new() },
                regions: Vec::new(),
                quota_per_worker: self.quota.into(),
                newcomers: match self.newcomers {
                    5 => Newcomers::Refuse,
                    6 => Newcomers::Limit(1),
                    _ => Newcomers::Welcome,
                },
            },
            overlap: self.overlap.into(),
            dynamic: None,
            assignment: match self.worker_picks {
                true => Assignment::WorkerPicks,
                false => Assignment::ServerPicks,
            },
            payload_bytes_max: self.payload_max.into(),
            tier: self.tier,
            grants_per_minute: 0,
            relaxation: Vec::new(),
            labels: BTreeMap::new(),
        }
    }
}

impl ProjectPlan {
    /// A field of each kind that is asked for.
    fn schema(&self) -> Schema {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let finite = |number| Finite::new(number).expect("finite");
        let (least, most) = (Some(finite(0.0)), Some(finite(100.0)));
        let kinds = [
            ("label", FieldKind::Choice(texts(&["a", "b", "c"]))),
            ("sure", FieldKind::Boolean),
            ("tags", FieldKind::MultiChoice(texts(&["tail", "ears"]))),
            ("age", FieldKind::Number { tolerance: finite(1.0), least, most }),
            ("place", FieldKind::Text),
            ("note", FieldKind::Free),
        ];
        let asked = kinds.into_iter().enumerate().filter(|(bit, _)| self.kinds & (1 << bit) > 0);
        let field = |(_, (name, kind)): (usize, (&str, FieldKind))| Field {
            name: name.to_owned(),
            kind,
            required: name != "note",
        };
        Schema { fields: asked.map(field).collect() }
    }

    /// What another project becomes by these policies: its fields stay, and any that it
    /// does not have yet may be left out.
    pub(crate) fn over(&self, old: &Schema) -> ProjectSpec {
        let mut spec = self.spec();
        let mut schema = old.clone();
        for field in spec.terms.schema.fields {
            if !schema.fields.is_empty() && !schema.fields.iter().any(|f| f.name == field.name) {
                schema.fields.push(Field { required: false, ..field });
            }
        }
        spec.terms.schema = schema;
        spec
    }
}

/// A worker, small enough to be drawn at random.
#[derive(Debug, Clone)]
pub(crate) struct WorkerPlan {
    ai: bool,
    capacity: Option<u8>,
    cluster: u8,
    own: Option<u8>,
}

pub(crate) fn workers() -> impl Strategy<Value = WorkerPlan> {
    let capacity = prop_oneof![1 => Just(None), 4 => (1_u8..5).prop_map(Some)];
    let own = prop_oneof![5 => Just(None), 1 => any::<u8>().prop_map(Some)];
    (0_u8..4, capacity, 0_u8..5, own).prop_map(|(kind, capacity, cluster, own)| WorkerPlan {
        ai: kind == 0,
        capacity,
        cluster,
        own,
    })
}

impl WorkerPlan {
    /// The worker, without the requester account that `own` points at.
    pub(crate) fn spec(&self, cluster: Option<String>) -> WorkerSpec {
        let own = match self.cluster {
            0 | 1 => format!("cluster-{}", self.cluster),
            _ => String::new(),
        };
        WorkerSpec {
            kind: if self.ai { WorkerKind::Ai } else { WorkerKind::Human },
            region: String::new(),
            device: String::new(),
            capacity: self.capacity.map(u32::from),
            identity_cluster: cluster.unwrap_or(own),
            requester: None,
            labels: BTreeMap::new(),
        }
    }

    pub(crate) fn own(&self) -> Option<u8> {
        self.own
    }
}
