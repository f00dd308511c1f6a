//! What requesters ask: projects, tasks, other requirements, an end.

use std::collections::BTreeSet;
use std::time::Duration;

use piecework_core::command::{
    CancelTasks, CreateKey, CreateTasks, ResolveTask, Steer, SteerProject, TaskKey, TaskRef,
    UpdateProject, UpdateRequester, UpdateTask,
};
use piecework_core::project::{Assignment, ProjectSpec};
use piecework_core::schema::{Field, FieldKind};
use piecework_core::{Command, Now, Request, TaskNumber, TenantId, WallTime};

use super::book::{About, Sent, any};
use super::{Kind, Workload, cast, said};

impl Workload {
    /// A call about a project, in the name of its requester.
    pub(super) fn of_work(&self, at: usize, command: Command) -> Sent {
        self.sent(self.book.works[at].tenant, About::Work(at), command)
    }

    /// A call of a platform's own connection.
    pub(super) fn sent(&self, tenant: TenantId, about: About, command: Command) -> Sent {
        let request = Request { tenant, command };
        Sent { client: tenant.0, about, request, wait: Duration::ZERO, creates: false }
    }

    /// A task of a project, by its name or its number; seldom one that never was.
    pub(super) fn any_task(&mut self, at: usize) -> Option<TaskRef> {
        let work = &self.book.works[at];
        let project = work.stage.name()?.clone();
        let task = match self.random.one_in(30) || work.tasks.is_empty() {
            true => TaskKey::Number(TaskNumber(500)),
            false => self.random.pick(&work.tasks).clone(),
        };
        Some(TaskRef { project, task })
    }

    pub(super) fn task_call(&mut self, kind: Kind, now: Now) -> Option<Sent> {
        let at = self.book.any_work(&mut self.random)?;
        if kind == Kind::Upload {
            let most = self.random.between(1, 6);
            return self.upload(at, most, now);
        }
        let task = self.any_task(at)?;
        let other = self.random.one_in(3);
        let command = match kind {
            Kind::UpdateTask => {
                let priority = self.random.one_in(2).then_some(if other { 5 } else { -5 });
                let at = WallTime(now.wall.0 + self.random.between(500, 60_000));
                let deadlines = self.mix.deadlines > 0 && self.random.one_in(2);
                let deadline = deadlines.then_some(if other { None } else { Some(at) });
                Command::UpdateTasks(vec![UpdateTask { task, overlap: None, priority, deadline }])
            }
            Kind::Overlap => {
                let overlap = self.random.between(1, self.mix.overlap + 2);
                let overlap = Some(u16::try_from(overlap).expect("a few"));
                Command::UpdateTasks(vec![UpdateTask {
                    task,
                    overlap,
                    priority: None,
                    deadline: None,
                }])
            }
            Kind::CancelTask => Command::CancelTasks(CancelTasks {
                tasks: if other { vec![task, self.any_task(at)?] } else { vec![task] },
                revoke_leases: self.random.one_in(2),
            }),
            Kind::Resolve => {
                let answer = match self.random.one_in(8) {
                    true => said::wrong(&mut self.random),
                    false => said::answer(&mut self.random),
                };
                Command::ResolveTask(Box::new(ResolveTask { task, answer }))
            }
            _ => {
                let mut tasks = vec![task];
                for _ in 0..8 {
                    tasks.extend(self.any_task(at));
                }
                Command::RequeueTasks(tasks)
            }
        };
        Some(self.of_work(at, command))
    }

    /// Creates up to `most` tasks in one call.
    pub(super) fn upload(&mut self, at: usize, most: u64, now: Now) -> Option<Sent> {
        let mut unnamed = self.mix.unnamed;
        if self.random.one_in(2) {
            unnamed = 0;
        }
        let work = &mut self.book.works[at];
        let project = work.stage.name()?.clone();
        let mut tasks = Vec::new();
        for _ in 0..most {
            work.uploads += 1;
            let named = !self.random.percent(unnamed);
            let name = named.then(|| cast::id(&format!("t{}", work.uploads)));
            tasks.push(cast::task(&mut self.random, &self.mix, name, now));
        }
        let request_id = cast::id(&format!("upload-{}", work.uploads));
        let key = CreateKey { request_id, content: cast::fingerprint(&tasks) };
        let key = (!self.random.one_in(5)).then_some(key);
        Some(self.of_work(at, Command::CreateTasks(CreateTasks { project, tasks, key })))
    }

    pub(super) fn project_call(&mut self, kind: Kind) -> Option<Sent> {
        if kind == Kind::NewProject {
            if self.book.works.len() < 8 {
                let tenant = TenantId(1 + u32::from(self.mix.tenants > 1 && self.random.one_in(2)));
                let spec = cast::project(&mut self.random, &self.mix);
                self.book.want_work(&mut self.random, tenant, spec);
            }
            return None;
        }
        if kind == Kind::Rename {
            return self.rename();
        }
        if kind == Kind::Favour {
            return self.favour();
        }
        let at = self.book.any_work(&mut self.random)?;
        let revoke_leases = self.random.one_in(2);
        Some(match kind {
            Kind::Pause => self.steer(at, Steer::Pause)?,
            Kind::Resume => self.steer(at, Steer::Resume)?,
            Kind::Close => self.steer(at, Steer::Close)?,
            Kind::Cancel => self.steer(at, Steer::Cancel { revoke_leases })?,
            Kind::Delete => self.steer(at, Steer::Delete)?,
            Kind::Require => {
                let mut spec = self.book.works[at].spec.clone();
                spec.requirements = match self.random.one_in(2) {
                    true => Default::default(),
                    false => cast::requirements(&mut self.random),
                };
                cast::relax(&mut self.random, &self.mix, &mut spec);
                if self.random.one_in(3) {
                    spec.tier = cast::tier(&mut self.random, &self.mix);
                    spec.grants_per_minute = cast::rate(&mut self.random, &self.mix);
                }
                if self.mix.worker_picks > 0 && self.random.one_in(4) {
                    spec.assignment =
                        *self.random.pick(&[Assignment::WorkerPicks, Assignment::ServerPicks]);
                }
                self.update(at, spec)?
            }
            _ => {
                let spec = self.other_terms(at);
                self.update(at, spec)?
            }
        })
    }

    /// Another display name, sometimes for an etag that is long past.
    fn rename(&mut self) -> Option<Sent> {
        let at = any(&mut self.random, &self.book.payers, |p| p.stage.name().is_some())?;
        let payer = &self.book.payers[at];
        let requester = payer.stage.name()?.clone();
        let display_name = Some(format!("no. {}", self.random.below(3)));
        let etag = self.random.one_in(3).then_some(1);
        let update = UpdateRequester { display_name, etag, ..UpdateRequester::of(requester) };
        Some(self.sent(payer.tenant, About::Nobody, Command::UpdateRequester(update)))
    }

    /// Another treatment of a requester by its platform.
    fn favour(&mut self) -> Option<Sent> {
        let at = any(&mut self.random, &self.book.payers, |p| p.stage.name().is_some())?;
        let other = cast::favour(&mut self.random, &self.mix);
        let mut update = UpdateRequester::of(self.book.payers[at].stage.name()?.clone());
        update.weight = Some(other.weight);
        update.tier_ceiling = self.random.one_in(2).then_some(other.tier_ceiling);
        update.grants_per_minute = self.random.one_in(2).then_some(other.grants_per_minute);
        update.blocked_workers = Some(other.blocked);
        update.allowed_workers = Some(other.allowed);
        Some(self.sent(
            self.book.payers[at].tenant,
            About::Nobody,
            Command::UpdateRequester(update),
        ))
    }

    /// A requester that is treated like any other, and blocks nobody.
    pub(super) fn lift_payer(&mut self, at: usize) -> Option<Sent> {
        let payer = &self.book.payers[at];
        let mut update = UpdateRequester::of(payer.stage.name()?.clone());
        update.grants_per_minute = Some(0);
        update.blocked_workers = Some(BTreeSet::new());
        update.allowed_workers = Some(BTreeSet::new());
        Some(self.sent(payer.tenant, About::Nobody, Command::UpdateRequester(update)))
    }

    fn other_terms(&mut self, at: usize) -> ProjectSpec {
        let mut spec = self.book.works[at].spec.clone();
        match self.random.below(5) {
            4 => spec.terms.expected = cast::expected(&mut self.random, &self.mix),
            0 => spec.terms.lease = cast::lease(&mut self.random, &self.mix),
            1 => spec.terms.reward.micros += 500,
            2 => spec.overlap = spec.overlap % 3 + 1,
            _ => spec.terms.schema.fields.push(Field {
                name: format!("note{}", spec.terms.schema.fields.len()),
                kind: if self.random.one_in(2) { FieldKind::Free } else { FieldKind::Boolean },
                // Sometimes what no schema may do.
                required: self.random.one_in(3),
            }),
        }
        spec
    }

    pub(super) fn steer(&mut self, at: usize, to: Steer) -> Option<Sent> {
        let work = &self.book.works[at];
        let project = work.stage.name()?.clone();
        let etag = self.random.one_in(8).then_some(work.etag);
        Some(self.of_work(at, Command::SteerProject(SteerProject { project, to, etag })))
    }

    pub(super) fn update(&mut self, at: usize, spec: ProjectSpec) -> Option<Sent> {
        let work = &self.book.works[at];
        let (project, etag) = (work.stage.name()?.clone(), work.etag);
        let update = UpdateProject { project, spec, etag };
        Some(self.of_work(at, Command::UpdateProject(Box::new(update))))
    }

    pub(super) fn read(&mut self) -> Option<Sent> {
        if self.random.one_in(2) {
            let at = self.book.idle(&mut self.random, |_| true)?;
            return Some(self.of_worker(at, |worker| Command::InspectWorker { worker }));
        }
        let at = self.book.any_work(&mut self.random)?;
        if self.random.one_in(2) {
            let task = self.any_task(at)?;
            return Some(self.of_work(at, Command::InspectTask(task)));
        }
        let project = self.book.works[at].stage.name()?.clone();
        Some(self.of_work(at, Command::InspectProject { project }))
    }
}
