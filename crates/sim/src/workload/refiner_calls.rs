//! What a refiner says: of a crowd, from votes that it makes up, and of tasks, which it
//! saw as they are, were, or never were.
//!
//! Not here: the daemon's own refiner, which reads durable answers and has tests of its own.

use std::time::Duration;

use piecework_core::command::{FieldOpinion, Learn, Refine, RefinedTask};
use piecework_core::quality::{Refinement, Refiner, Votes};
use piecework_core::{Command, Now, ProjectId, Request, TaskNumber, TenantId, WorkerId};

use super::book::{About, Sent};
use super::{Kind, Workload};

impl Workload {
    pub(super) fn refiner_call(&mut self, kind: Kind, now: Now) -> Sent {
        let works = self.book.works.len() as u64 + 1;
        let project = ProjectId(self.few(1, works));
        let field = u16::from(self.random.one_in(6));
        let command = match kind {
            Kind::Learn => Command::Learn(self.learnt(project, field, now)),
            _ => {
                let tasks = (0..self.random.between(1, 12)).map(|_| self.refined()).collect();
                Command::Refine(Refine { project, tasks })
            }
        };
        // A number says nothing of its tenant: another's project is none.
        let tenant = TenantId(self.few(1, self.mix.tenants.into()));
        let request = Request { tenant, command };
        let (about, wait) = (About::Nobody, Duration::ZERO);
        Sent { client: 0, about, request, wait, creates: false }
    }

    fn learnt(&mut self, project: ProjectId, field: u16, now: Now) -> Learn {
        let classes = if field == 0 { 3 } else { 2 };
        let mut votes = Votes::new(classes);
        for _ in 0..self.random.between(4, 60) {
            let (task, worker) = (TaskNumber(self.few(1, 12)), WorkerId(self.few(1, 10)));
            let class = if self.random.percent(70) { 0 } else { self.random.below(2) };
            votes.put(task, worker, u16::try_from(class).expect("0 or 1"));
        }
        let settled = Refinement::start(votes.table(), Refiner::Smoothed).settled();
        let evidence = settled.evidence().expect("smoothed and settled");
        let mut through = now.engine;
        through.0 = through.0.saturating_sub(self.random.below(4_000));
        Learn { project, field, through, evidence }
    }

    fn refined(&mut self) -> RefinedTask {
        let fields = (0..self.random.between(1, 2)).map(|field| FieldOpinion {
            field: u16::try_from(field).expect("0 or 1"),
            class: u16::from(self.random.one_in(3)),
            confidence_ppm: self.few(300_000, 1_000_000),
        });
        let fields = fields.collect();
        let (task, answers) = (TaskNumber(self.few(1, 30)), self.few(1, 3));
        RefinedTask { task, answers, revision: self.few(0, 2), fields }
    }

    fn few(&mut self, low: u64, high: u64) -> u32 {
        u32::try_from(self.random.between(low, high)).expect("few")
    }
}
