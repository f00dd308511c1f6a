//! The same history once more, and the same questions to an engine rebuilt from rows.

use piecework_core::command::{ExtendLeases, Learn, LeaseTasks, SubmitAnswers, SubmitItem};
use piecework_core::quality::{Refinement, Refiner, Votes};
use piecework_core::wishes::Wishes;
use piecework_core::{Command, Fingerprint, Millis, TaskNumber, WallTime, WorkerId};

use super::cast::tiny_limits;
use super::player::{Player, TENANT, id};
use super::said::said;
use crate::world::World;

impl Player {
    /// The same commands at the same times change the same rows, whether or not
    /// settled tasks ever leave the engine.
    pub(super) fn replay(&self) {
        let mut again = World::new(tiny_limits());
        again.forgets = false;
        for entry in &self.past {
            let did = match &entry.command {
                Some(command) => again.step(entry.now, TENANT, command.clone()),
                None => again.restart(entry.now, TENANT),
            };
            assert_eq!(did, entry.did, "the same history went another way: {:?}", entry.command);
        }
        assert_eq!(again.rows, self.world.rows, "the same history left other rows");
    }

    /// An engine rebuilt from the rows answers like the one that made them.
    pub(super) fn probe(&mut self) {
        if self.now.engine < self.rows().partition.grace_until {
            self.now.engine = self.rows().partition.grace_until;
            self.ring();
        }
        let mut second = World::new(tiny_limits());
        second.engine = self.world.rebuilt(self.now);
        second.rows = self.world.rows.clone();
        second.position = self.world.position;
        for command in self.lessons().into_iter().chain(self.probes()) {
            let first = self.world.step(self.now, TENANT, command.clone());
            let second = second.step(self.now, TENANT, command.clone());
            assert_eq!(first, second, "rebuilt, it went otherwise: {command:?}");
        }
        for _ in 0..8 {
            self.now.engine = self.now.engine + Millis(3_000);
            self.now.wall = WallTime(self.now.wall.0 + 3_000);
            let first = self.world.ring(self.now, TENANT);
            let second = second.ring(self.now, TENANT);
            let (first, second) = (first.into_iter(), second.into_iter());
            assert!(first.eq(second), "rebuilt, time went otherwise");
        }
    }

    /// What is known of a crowd lives in memory alone: both are told the same, as the
    /// refiner would after a start.
    fn lessons(&self) -> Vec<Command> {
        let learn = |project, (field, classes): (u16, u16)| {
            let mut votes = Votes::new(classes);
            for (task, worker) in (1..9).flat_map(|task| (1..4).map(move |worker| (task, worker))) {
                let class = u16::from(task * worker % 4 == 0);
                votes.put(TaskNumber(task), WorkerId(worker), class);
            }
            let settled = Refinement::start(votes.table(), Refiner::Smoothed).settled();
            let evidence = settled.evidence().expect("smoothed and settled");
            Command::Learn(Learn { project, field, through: self.now.engine, evidence })
        };
        let mut lessons = Vec::new();
        for project in self.rows().projects.values() {
            let fields = (0..).zip(&project.spec.terms.schema.fields);
            let classes = fields.filter_map(|(index, field)| Some((index, field.kind.classes()?)));
            lessons.extend(classes.map(|field| learn(project.id, field)));
        }
        lessons
    }

    /// Questions whose answers do not depend on whose turn it is among requesters.
    fn probes(&self) -> Vec<Command> {
        let rows = self.rows();
        let mut probes = Vec::new();
        for lease in rows.leases.values() {
            let worker = self.name(lease.worker);
            let (leases, by) = (vec![lease.id], None);
            probes.push(Command::Extend(ExtendLeases { worker: worker.clone(), leases, by }));
            if lease.id.task.number.0 % 3 == 0 {
                let items = vec![SubmitItem { lease: lease.id, answer: said(4) }];
                probes.push(Command::Submit(SubmitAnswers { worker, items }));
            }
        }
        for project in rows.projects.values() {
            probes.push(Command::InspectProject { project: project.name.clone() });
            for worker in rows.workers.values() {
                let (worker, projects) = (worker.name.clone(), vec![project.name.clone()]);
                let (task, request_id) = (None, Some(id("probe", project.id)));
                let content = Fingerprint::default();
                let wishes = Wishes::among(projects);
                let lease = LeaseTasks {
                    worker,
                    count: 2,
                    wishes,
                    task,
                    claim: false,
                    request_id,
                    content,
                };
                probes.push(Command::Lease(lease));
            }
        }
        for worker in rows.workers.values() {
            probes.push(Command::InspectWorker { worker: worker.name.clone() });
        }
        probes
    }
}
