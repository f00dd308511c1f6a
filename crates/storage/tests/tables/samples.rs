//! Nouns to store, any number of different ones: a seed gives one, always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use piecework_core::change::{
    Change, Changed, CreateKeyId, CreateKeyRow, Parent, PartitionRow, PinnedTerms, TenantRow,
};
use piecework_core::event::{
    Event, Log, Method, ResultAnswer, ResultState, TaskResult, Vote, What, WorkerEvent,
};
use piecework_core::lease::{
    Draft, Judged, Lease, LeaseState, ReturnReason, Revocation, Submitted,
};
use piecework_core::limits::{TIER_DEFAULT, WEIGHT_DEFAULT};
use piecework_core::project::{
    Assignment, DynamicOverlap, Late, LateExtra, LeasePolicy, Newcomers, Project, ProjectSpec,
    ProjectState, ProjectTally, Requirements, Sweep, Terms,
};
use piecework_core::quality::{Basis, Bulletin, Published, Rating, Record, Tally, Weighed};
use piecework_core::relaxation::Relaxation;
use piecework_core::requester::Requester;
use piecework_core::schema::{Answer, Field, Schema};
use piecework_core::submission::{Review, Submission, Verdict};
use piecework_core::task::{FailureCause, Said, TaskOrder, TaskRecord, TaskSpec, TaskState};
use piecework_core::worker::{
    LeaseRequest, Skill, SkillRating, SkillSource, WorkTally, Worker, WorkerKind, WorkerRecord,
    WorkerSpec, WorkerState,
};
use piecework_core::{
    ClientId, Currency, EngineTime, Fingerprint, LeaseId, Millis, Money, Now, ProjectId,
    RequesterId, Revision, Sequence, TaskId, TaskNumber, TenantId, WallTime, WorkerId,
};
use piecework_storage::{CommandHeader, encode_command};

#[path = "answers.rs"]
mod answers;

pub(crate) const TENANT: TenantId = TenantId::DEFAULT;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).unwrap()
    }

    pub(crate) fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(u32::try_from(all.len()).unwrap()) as usize].clone()
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
        self.yes().then(|| make(self))
    }

    /// For fields that came later: what was there before keeps its values.
    pub(crate) fn later(&self) -> Dice {
        Dice(!self.0)
    }

    pub(crate) fn text(&mut self) -> String {
        let length = self.below(12);
        (0..length).map(|_| self.of(&['a', 'ä', 'z', ' ', '字'])).collect()
    }

    fn pairs(&mut self) -> BTreeMap<String, String> {
        (0..self.below(3)).map(|_| (self.text(), self.text())).collect()
    }

    pub(crate) fn fingerprint(&mut self) -> Fingerprint {
        Fingerprint(u128::from(self.next()) << 64 | u128::from(self.next()))
    }

    fn engine(&mut self) -> EngineTime {
        EngineTime(self.next() >> self.below(64))
    }

    fn wall(&mut self) -> WallTime {
        WallTime(self.next() >> self.below(64))
    }

    fn millis(&mut self) -> Millis {
        Millis(self.next() >> self.below(64))
    }

    fn money(&mut self) -> Money {
        let currency = Currency::new(self.of(&["USD", "EUR", "JPY"])).unwrap();
        Money { micros: i64::from(self.below(1_000_000)), currency }
    }

    /// Mostly small, now and then of every size class that pages know.
    fn bytes(&mut self) -> Vec<u8> {
        let length = match self.below(40) {
            0 => self.below(300_000),
            1 => 16_384 + self.below(2_000),
            2 | 3 => self.below(5_000),
            _ => self.below(400),
        };
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    pub(crate) fn task(&mut self) -> TaskId {
        TaskId { project: ProjectId(1 + self.below(3)), number: TaskNumber(1 + self.below(200)) }
    }

    pub(crate) fn lease_id(&mut self) -> LeaseId {
        LeaseId { task: self.task(), number: 1 + self.below(5) }
    }

    pub(crate) fn requester(&mut self) -> Requester {
        let (mut later, id) = (self.later(), 1 + self.below(4));
        Requester {
            id: RequesterId(id),
            tenant: TENANT,
            name: name("r", id),
            display_name: self.text(),
            labels: self.pairs(),
            weight: later.of(&[1, WEIGHT_DEFAULT, 10_000]),
            tier_ceiling: later.of(&[0, 4]),
            grants_per_minute: later.of(&[0, 60]),
            blocked_workers: later.listed(),
            allowed_workers: later.listed(),
            created: self.wall(),
            version: self.below(9),
        }
    }

    fn listed(&mut self) -> BTreeSet<ClientId> {
        (0..self.below(3)).map(|_| name("w", self.below(9))).collect()
    }

    pub(crate) fn terms(&mut self) -> Terms {
        let field = |d: &mut Dice| Field { name: d.text(), kind: d.kind(), required: d.yes() };
        Terms {
            instructions: self.pairs(),
            schema: Schema { fields: (0..self.below(3)).map(|_| field(self)).collect() },
            aggregation: self.aggregation(),
            reward: self.money(),
            lease: LeasePolicy {
                duration: self.millis(),
                max_hold: self.millis(),
                max_attempts: self.below(9),
                late: self.of(&[Late::UntilReplaced, Late::Refuse]),
                late_extra: self.of(&[
                    LateExtra::Refuse,
                    LateExtra::KeepPayable,
                    LateExtra::KeepUnpaid,
                ]),
                late_grace: self.millis(),
                late_window: self.millis(),
            },
            expected: self.maybe(Dice::millis),
        }
    }

    pub(crate) fn project(&mut self) -> Project {
        let (mut later, id) = (self.later(), 1 + self.below(3));
        let revoke_leases = self.yes();
        let skills = self.skills();
        Project {
            id: ProjectId(id),
            tenant: TENANT,
            requester: RequesterId(self.below(4)),
            name: name("p", id),
            spec: ProjectSpec {
                title: self.text(),
                terms: self.terms(),
                requirements: self.requirements(skills),
                overlap: self.of(&[1, 1_000]),
                dynamic: later.maybe(|d| DynamicOverlap { max: 1_000, target_ppm: d.below(9) }),
                assignment: self.of(&[Assignment::ServerPicks, Assignment::WorkerPicks]),
                payload_bytes_max: self.below(65_536),
                tier: later.of(&[0, TIER_DEFAULT, 4]),
                grants_per_minute: later.of(&[0, 60]),
                relaxation: (0..later.below(3)).map(|_| later.relaxation()).collect(),
                labels: self.pairs(),
            },
            revision: Revision(self.below(5)),
            state: self.of(&[
                ProjectState::Active,
                ProjectState::Paused,
                ProjectState::Closed,
                ProjectState::Cancelled { revoke_leases },
                ProjectState::Deleting,
            ]),
            created: self.wall(),
            updated: self.wall(),
            version: self.below(9),
        }
    }

    fn skills(&mut self) -> BTreeMap<String, u8> {
        (0..self.below(3)).map(|_| (self.text(), 50)).collect()
    }

    fn requirements(&mut self, skills: BTreeMap<String, u8>) -> Requirements {
        Requirements {
            skills,
            min_rating: self.of(&[0, 100]),
            rating_basis: self.later().of(&[Basis::Mean, Basis::LowerBound]),
            kinds: self.of(&[vec![], vec![WorkerKind::Ai, WorkerKind::Human]]),
            regions: self.of(&[vec![], vec!["fi".to_owned()]]),
            quota_per_worker: self.below(9),
            newcomers: self.of(&[Newcomers::Welcome, Newcomers::Limit(3), Newcomers::Refuse]),
        }
    }

    fn relaxation(&mut self) -> Relaxation {
        let (after, skills) = (self.millis(), self.skills());
        Relaxation { after, requirements: self.requirements(skills) }
    }

    pub(crate) fn tally(&mut self) -> ProjectTally {
        let mut later = self.later();
        ProjectTally {
            project: ProjectId(1 + self.below(3)),
            last_task: TaskNumber(self.below(200)),
            last_sequence: Sequence(self.next()),
            open: self.next(),
            payable_micros: -5,
            kept: u64::MAX,
            virtual_time: self.next(),
            requester_time: later.next(),
            waiting_since: later.engine(),
            p75_ms: later.next(),
            p50_ms: later.next(),
            ..ProjectTally::default()
        }
    }

    fn order(&mut self) -> TaskOrder {
        TaskOrder {
            priority: self.of(&[-100, 0, 100]),
            deadline: self.maybe(Dice::wall),
            wanted: self.of(&[1, 1_000]),
            most: self.later().of(&[0, 1_000]),
            ready_at: self.engine(),
            size_class: self.later().of(&[0, 7, 17]),
            duration_class: self.later().of(&[0, 16]),
        }
    }

    pub(crate) fn spec(&mut self, id: TaskId) -> TaskSpec {
        let mut spec = TaskSpec {
            id,
            name: self.maybe(|_| name("own", id.number.0)),
            payload: self.bytes(),
            content_type: self.text(),
            labels: self.pairs(),
            expected: self.maybe(Dice::millis),
            order: self.order(),
            content: self.fingerprint(),
            created: self.wall(),
        };
        spec.order.size_class = TaskOrder::size_class(spec.payload.len());
        spec.order.duration_class = TaskOrder::duration_class(spec.expected);
        spec
    }

    fn cause(&mut self) -> FailureCause {
        self.of(&[
            FailureCause::AttemptsExhausted,
            FailureCause::BrokenTask,
            FailureCause::Deadline,
        ])
    }

    fn task_state(&mut self) -> TaskState {
        let (incomplete, cause) = (self.yes(), self.cause());
        self.of(&[
            TaskState::Open,
            TaskState::Done { incomplete },
            TaskState::Failed { cause },
            TaskState::Cancelled,
        ])
    }

    pub(crate) fn record(&mut self, id: TaskId) -> TaskRecord {
        TaskRecord {
            id,
            order: self.order(),
            state: self.task_state(),
            last_lease: self.below(9),
            last_answer: self.below(9),
            expiries: self.below(9),
            lapsed: self.yes(),
            attempts: (0..self.below(3)).map(WorkerId).collect(),
            broken: (0..self.below(3)).map(WorkerId).collect(),
            result: self.maybe(|d| Sequence(d.next())),
            result_revision: self.below(9),
            said: self.later().maybe(|d| Said {
                answer: d.fingerprint(),
                confidence_ppm: d.below(9),
                answers: d.below(9),
            }),
            resolved: self.later().yes(),
        }
    }

    fn verdict(&mut self) -> Verdict {
        self.of(&[
            Verdict::Counted,
            Verdict::CountedLate,
            Verdict::KeptPayable,
            Verdict::KeptUnpaid,
        ])
    }

    pub(crate) fn lease(&mut self, id: LeaseId) -> Lease {
        let reason = self.of(&[
            ReturnReason::Declined,
            ReturnReason::NotForMe,
            ReturnReason::OutOfTime,
            ReturnReason::Unstarted,
            ReturnReason::BrokenTask,
        ]);
        let why = self.of(&[Revocation::WorkerSuspended, Revocation::TaskCancelled]);
        let state = match self.below(5) {
            0 => LeaseState::Live,
            1 => LeaseState::Expired {
                rests_until: self.engine(),
                window_ends: self.engine(),
                released: self.yes(),
            },
            2 => LeaseState::Submitted(Submitted {
                verdict: self.verdict(),
                payable_micros: 7,
                answer: self.fingerprint(),
                meaning: self.later().fingerprint(),
                values: self.values(),
                judged: self.maybe(Dice::yes).map(|right| self.later().judged(right)),
                at: self.wall(),
                took: self.millis(),
                order: self.below(9),
            }),
            3 => LeaseState::Returned { reason, at: self.engine() },
            _ => LeaseState::Revoked { why },
        };
        Lease {
            id,
            worker: WorkerId(1 + self.below(4)),
            request: self.below(9),
            revision: Revision(self.below(9)),
            granted: self.engine(),
            granted_wall: self.wall(),
            deadline: self.engine(),
            state,
            claim_by: self.later().maybe(Dice::engine),
            draft: false,
        }
    }

    fn judged(&mut self, right: bool) -> Judged {
        Judged {
            says: Weighed {
                right: if right { 1_000 } else { 0 },
                weight: self.of(&[1_000, 1_000, 250]),
            },
            areas: (0..self.below(3)).map(|_| self.text()).collect(),
        }
    }

    pub(crate) fn draft(&mut self, lease: LeaseId) -> Draft {
        let length = 1 + self.below(2_000) as usize;
        Draft { lease, bytes: vec![6; length] }
    }

    pub(crate) fn submission(&mut self, lease: LeaseId) -> Submission {
        // One nth per lease, as the engine has it: a derived row has one origin.
        let nth = lease.task.project.0 * 10_000 + lease.task.number.0 * 10 + lease.number;
        Submission {
            lease,
            worker: WorkerId(1 + lease.number),
            revision: Revision(self.below(9)),
            answer: Answer {
                bytes: self.bytes(),
                content_type: "application/json".to_owned(),
                ..answered(self.fingerprint())
            },
            verdict: self.verdict(),
            review: self.of(&[
                Review::None,
                Review::Pending,
                Review::Accepted,
                Review::Rejected,
                Review::Revise,
            ]),
            counted: self.yes(),
            payable: self.money(),
            leased: self.wall(),
            submitted: self.wall(),
            took: self.millis(),
            nth,
        }
    }

    pub(crate) fn event(&mut self, log: Log, sequence: Sequence) -> Event {
        let what = match self.below(4) {
            0 => What::Submitted(self.lease_id()),
            1 => What::Result(Box::new(self.result())),
            2 => What::TaskEnded { task: self.task(), state: self.task_state() },
            _ => What::Worker { worker: WorkerId(self.below(4)), what: self.worker_event() },
        };
        Event { log, sequence, at: self.wall(), what }
    }

    fn result(&mut self) -> TaskResult {
        let (incomplete, cause) = (self.yes(), self.cause());
        let answer = match self.below(3) {
            0 => None,
            1 => Some(ResultAnswer::Of(self.lease_id())),
            _ => Some(ResultAnswer::Values {
                revision: Revision(self.below(9)),
                values: self.result_values(),
            }),
        };
        let vote = |d: &mut Dice| Vote {
            lease: d.lease_id(),
            worker: WorkerId(d.below(4)),
            kind: d.of(&[WorkerKind::Human, WorkerKind::Ai]),
        };
        TaskResult {
            task: self.task(),
            revision: self.below(9),
            state: self.of(&[ResultState::Final { incomplete }, ResultState::Failed { cause }]),
            answer,
            confidence_ppm: self.below(1_000_001),
            votes: {
                let fields = u16::try_from(self.below(3)).unwrap();
                self.field_votes(fields)
            },
            answers: (0..self.below(3)).map(|_| vote(self)).collect(),
            cost: self.money(),
            method: self.later().of(&[Method::First, Method::Majority, Method::Requester]),
        }
    }

    fn worker_event(&mut self) -> WorkerEvent {
        match self.below(5) {
            0 => WorkerEvent::Suspended { reason: self.text() },
            1 => WorkerEvent::Reinstated,
            2 => WorkerEvent::SkillGranted { skill: self.text(), level: 100 },
            3 => WorkerEvent::SkillRevoked { skill: self.text() },
            _ => WorkerEvent::RatingPublished {
                rating_milli: self.below(100_001),
                judged: self.below(99),
            },
        }
    }

    pub(crate) fn worker(&mut self) -> Worker {
        let id = 1 + self.below(4);
        let skill = |d: &mut Dice| Skill {
            level: d.of(&[0, 100]),
            source: d.of(&[SkillSource::Granted, SkillSource::Test, SkillSource::Computed]),
            expires: d.maybe(Dice::wall),
        };
        Worker {
            id: WorkerId(id),
            tenant: TENANT,
            name: name("w", id),
            spec: WorkerSpec {
                kind: self.of(&[WorkerKind::Human, WorkerKind::Ai]),
                region: self.text(),
                device: self.text(),
                capacity: self.maybe(|d| d.below(9)),
                identity_cluster: self.text(),
                requester: self.maybe(|d| RequesterId(d.below(4))),
                labels: self.pairs(),
            },
            skills: (0..self.below(3)).map(|_| (self.text(), skill(self))).collect(),
            state: match self.yes() {
                true => WorkerState::Active,
                false => WorkerState::Suspended { reason: self.text() },
            },
            created: self.wall(),
            version: self.below(9),
        }
    }

    pub(crate) fn worker_record(&mut self) -> WorkerRecord {
        let worker = WorkerId(1 + self.below(4));
        let [judged, agreed, published, published_agreed] = [99; 4].map(|end| self.below(end));
        WorkerRecord {
            worker,
            rating: self.later().rating([judged, agreed], [published, published_agreed]),
            expiries_in_a_row: self.below(9),
            declines_in_a_row: self.below(9),
            cool_until: self.engine(),
            idle_since: self.engine(),
            last_request: self.below(9),
            answers: self.below(9),
        }
    }

    /// With counts, and now and then more than these say.
    fn rating(&mut self, counts: [u32; 2], published: [u32; 2]) -> Rating {
        let share = |d: &mut Dice| f64::from(d.below(1_000_000)) / 7_000.0;
        let tally = |d: &mut Dice, answers| Tally { right: share(d), all: share(d), answers };
        let [judged, agreed] = counts;
        let gold = self.below(judged + 1);
        Rating {
            record: Record {
                agreement: tally(self, judged - gold),
                gold: tally(self, gold),
                review: tally(self, 0),
                agreed,
                pace: tally(self, 7),
                window: self.next(),
                windowed: self.below(65),
            },
            as_of: self.engine(),
            published: Published {
                judged: published[0],
                agreed: published[1],
                bulletin: self.maybe(|d| Bulletin {
                    accuracy_ppm: d.below(1_000_001),
                    low_ppm: d.below(1_000_001),
                    high_ppm: d.below(1_000_001),
                    speed_milli: d.maybe(|d| d.below(100_001)),
                    consistency_milli: d.maybe(|d| d.below(100_001)),
                    overall_milli: d.below(100_001),
                }),
            },
        }
    }

    fn skill_rating(&mut self) -> SkillRating {
        let [judged, agreed, published] = [99; 3].map(|end| self.below(end));
        SkillRating {
            worker: WorkerId(1 + self.below(4)),
            skill: self.of(&["lang:fi", "maps", "a-skill-longer-than-22-bytes"]).to_owned(),
            rating: self.rating([judged, agreed], [published, published]),
        }
    }

    pub(crate) fn lease_request(&mut self) -> LeaseRequest {
        LeaseRequest {
            worker: WorkerId(1 + self.below(4)),
            number: self.below(9),
            request_id: name("q", self.below(99)),
            content: self.fingerprint(),
            leases: (0..self.below(3)).map(|_| self.lease_id()).collect(),
        }
    }

    pub(crate) fn create_key(&mut self) -> CreateKeyRow {
        let parent = self.of(&[
            Parent::Requesters,
            Parent::Projects,
            Parent::Workers,
            Parent::Tasks(ProjectId(2)),
        ]);
        // Some longer than what a key holds inline.
        let request_id = name(&"k".repeat(self.below(40) as usize), self.below(5));
        CreateKeyRow {
            id: CreateKeyId { tenant: TENANT, parent, request_id },
            content: self.fingerprint(),
            until: self.engine(),
            made: (0..self.below(4)).collect(),
        }
    }

    fn log(&mut self) -> Log {
        self.of(&[Log::Project(ProjectId(1)), Log::Project(ProjectId(2)), Log::Workers(TENANT)])
    }

    /// One change of any kind.
    pub(crate) fn change(&mut self) -> Change {
        let mut later = self.later();
        let change = self.change_of_old();
        if later.below(24) > 0 {
            return change;
        }
        let lease = later.lease_id();
        match later.below(3) {
            0 => Change::SkillRating(Box::new(later.skill_rating())),
            1 => Change::Draft(Box::new(later.draft(lease))),
            _ => Change::DraftGone(lease),
        }
    }

    /// Of the kinds there were at first.
    #[expect(clippy::too_many_lines, reason = "one arm per kind")]
    pub(crate) fn change_of_old(&mut self) -> Change {
        match self.below(24) {
            0 => Change::Requester(Box::new(self.requester())),
            1 => Change::Project(Box::new(self.project())),
            2 => Change::Terms(Box::new(PinnedTerms {
                project: ProjectId(1 + self.below(3)),
                revision: Revision(1 + self.below(3)),
                terms: self.terms(),
            })),
            3 => Change::ProjectTally(self.tally()),
            4 | 5 => Change::Specs(self.specs()),
            6 | 7 => {
                let task = self.task();
                Change::Task(Box::new(self.record(task)))
            }
            8 | 9 => {
                let lease = self.lease_id();
                Change::Lease(Box::new(self.lease(lease)))
            }
            10 | 11 => {
                let lease = self.lease_id();
                Change::Submission(Box::new(self.submission(lease)))
            }
            12 => {
                let (log, sequence) = (self.log(), Sequence(1 + u64::from(self.below(300))));
                Change::Event(Box::new(self.event(log, sequence)))
            }
            13 => Change::Worker(Box::new(self.worker())),
            14 => Change::WorkerRecord(self.worker_record()),
            15 => Change::LeaseRequest(Box::new(self.lease_request())),
            16 => {
                let LeaseRequest { worker, number, .. } = self.lease_request();
                Change::LeaseRequestGone { worker, number }
            }
            17 => Change::WorkTally(WorkTally {
                worker: WorkerId(1 + self.below(4)),
                project: ProjectId(1 + self.below(3)),
                answers: self.below(99),
                p75_ms: self.later().next(),
            }),
            18 => Change::CreateKey(Box::new(self.create_key())),
            19 => Change::CreateKeyGone(self.create_key().id),
            20 => match self.yes() {
                true => Change::Sweep(Sweep {
                    project: ProjectId(1 + self.below(3)),
                    next: TaskNumber(self.below(200)),
                    since: self.engine(),
                }),
                false => Change::SweepGone(ProjectId(1 + self.below(3))),
            },
            21 => match self.yes() {
                true => Change::Partition(PartitionRow {
                    grace_until: self.engine(),
                    last_requester: self.below(9),
                    ..PartitionRow::default()
                }),
                false => Change::Tenant(TenantRow {
                    tenant: TENANT,
                    last_worker_event: Sequence(self.below(99).into()),
                }),
            },
            22 => {
                let TaskId { project, number } = self.task();
                let last = TaskNumber(number.0 + self.below(100));
                Change::TasksGone { project, first: number, last }
            }
            _ => match self.yes() {
                true => Change::EventsGone {
                    log: self.log(),
                    through: Sequence(u64::from(self.below(300))),
                },
                false => Change::ProjectGone(ProjectId(1 + self.below(3))),
            },
        }
    }

    /// The same, and what the first release did not know.
    pub(crate) fn change_of_today(&mut self) -> Change {
        let lease = self.lease_id();
        match self.below(16) {
            0 => Change::Draft(Box::new(self.draft(lease))),
            1 => Change::DraftGone(lease),
            2 => Change::SkillRating(Box::new(self.skill_rating())),
            _ => self.change(),
        }
    }

    fn specs(&mut self) -> Vec<Arc<TaskSpec>> {
        let first = self.task();
        let count = self.below(40);
        let ids = (0..count).map(|more| TaskId {
            project: first.project,
            number: TaskNumber(first.number.0 + more),
        });
        ids.map(|id| Arc::new(self.spec(id))).collect()
    }
}

pub(crate) fn name(kind: &str, number: u32) -> ClientId {
    ClientId::new(&format!("{kind}-{number}")).unwrap()
}

pub(crate) fn changed(change: Change) -> Changed {
    Changed { tenant: TENANT, change }
}

pub(crate) fn header() -> CommandHeader<'static> {
    CommandHeader { tenant: TENANT, kind: "tick", actor: None, request_id: None, refusal: None }
}

/// The body of a group of one command.
pub(crate) fn body(changes: impl IntoIterator<Item = Change>) -> Bytes {
    let changes: Vec<Changed> = changes.into_iter().map(changed).collect();
    let mut body = Vec::new();
    encode_command(&mut body, &header(), &changes);
    body.into()
}

pub(crate) fn at(engine_ms: u64) -> Now {
    Now { engine: EngineTime(engine_ms), wall: WallTime(engine_ms + 1_000_000) }
}

/// As a reader gets it: its content is not kept.
fn answered(fingerprint: Fingerprint) -> Answer {
    Answer { fingerprint, meaning: fingerprint, ..Answer::default() }
}
