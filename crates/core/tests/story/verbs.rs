//! What a line asks for: words become a command.

use std::collections::BTreeSet;
use std::sync::Arc;

use piecework_core::command::{
    CancelTasks, ClaimLeases, CreateKey, CreateProject, CreateRequester, CreateTasks, CreateWorker,
    ExtendLeases, GrantSkill, LeaseTasks, LifeSigns, NewTask, ReturnItem, ReturnLeases, SaveDraft,
    Steer, SteerProject, SubmitAnswers, SubmitItem, TaskKey, TaskRef, UpdateProject,
    UpdateRequester, UpdateTask, UpdateWorker,
};
use piecework_core::limits::WEIGHT_DEFAULT;
use piecework_core::project::Project;
use piecework_core::wishes::Wishes;
use piecework_core::worker::Worker;
use piecework_core::{
    ClientId, Command, Fingerprint, LeaseId, Outcome, ProjectId, TaskNumber, TenantId, WallTime,
};

use super::Story;
use super::options::{self, Words, id, length, number};
use crate::world::Did;

/// Does one line and tells what came of it.
pub(crate) fn act(story: &mut Story, words: &[&str]) -> Result<String, String> {
    let (verb, rest) = words.split_first().ok_or("no verb")?;
    let mut words = Words::new(rest);
    match *verb {
        // A prefix, not a command.
        "tenant" => {
            story.tenant = TenantId(number(words.need("tenant")?)?);
            return Ok(String::new());
        }
        "restart" => {
            let did = story.world.restart(story.now, story.tenant);
            return Ok(story.told(&did));
        }
        // For stories that need very many of something.
        "skills" => {
            let (worker, many) = (words.need("worker")?, number(words.need("number")?)?);
            for n in 1..=many {
                story.run(&grant(worker, &format!("skill-{n}"), "1", None)?);
            }
            return Ok(String::new());
        }
        _ => {}
    }
    let command = command(story, verb, &mut words)?;
    if let Some(word) = words.next() {
        return Err(format!("{word} is too much"));
    }
    let did = story.run(&command);
    Ok(story.told(&did))
}

fn command(story: &mut Story, verb: &str, words: &mut Words<'_>) -> Result<Command, String> {
    Ok(match verb {
        "requester" | "update-requester" => requester(verb, words)?,
        "project" => create_project(story, words)?,
        "update-project" => update_project(story, words)?,
        "pause" | "resume" | "close" | "cancel" | "delete" => steer(verb, words)?,
        "inspect-project" => Command::InspectProject { project: id(words.need("project")?)? },
        "find-task" => Command::InspectTask(story.task_ref(words.need("task")?)?),
        "task" | "tasks" => create_tasks(story, verb, words)?,
        "update-task" => update_task(story, words)?,
        "cancel-task" => cancel_tasks(story, words)?,
        "resolve" => story.resolve(words)?,
        "refine" => story.refine(words)?,
        "requeue" => Command::RequeueTasks(story.task_refs(words)?),
        "worker" | "update-worker" => worker(story, verb, words)?,
        "grant" => {
            let (worker, skill) = (words.need("worker")?, words.need("skill")?);
            let level = words.need("level")?;
            let until = words.next().map(|_| words.need("time")).transpose()?;
            grant(worker, skill, level, until)?
        }
        "revoke" => Command::RevokeSkill {
            worker: id(words.need("worker")?)?,
            skill: words.need("skill")?.into(),
        },
        "suspend" => Command::SuspendWorker {
            worker: id(words.need("worker")?)?,
            reason: words.next().unwrap_or("fraud").into(),
        },
        "reinstate" => Command::ReinstateWorker { worker: id(words.need("worker")?)? },
        "inspect-worker" => Command::InspectWorker { worker: id(words.need("worker")?)? },
        "lease" => lease(story, words)?,
        "extend" => extend(story, words)?,
        "submit" => submit(story, words)?,
        "return" => give_back(story, words)?,
        "claim" => claim(story, words)?,
        "life" => life(story, words)?,
        "draft" => draft(story, words)?,
        "tick" => Command::Tick,
        "sweep" => Command::Sweep { project: story.project_id(words.need("project")?)? },
        other => return Err(format!("no verb {other}")),
    })
}

impl Story {
    fn run(&mut self, command: &Command) -> Did {
        let did = self.world.step(self.now, self.tenant, command.clone());
        if let (Command::Submit(sent), Ok(Outcome::Submitted(receipts))) = (command, &did.outcome) {
            for (item, receipt) in sent.items.iter().zip(receipts) {
                let Ok(receipt) = receipt else { continue };
                let key = (item.lease, item.answer.fingerprint);
                let first = self.receipts.entry(key).or_insert_with(|| receipt.clone());
                assert_eq!(first, receipt, "another receipt for the same answer");
            }
        }
        did
    }

    /// The newest project of that name.
    pub(crate) fn project_id(&self, name: &str) -> Result<ProjectId, String> {
        let named = |p: &&Project| p.tenant == self.tenant && p.name.as_str() == name;
        let found = self.world.rows.projects.values().rfind(named);
        found.map(|p| p.id).ok_or_else(|| format!("no project {name}"))
    }

    pub(crate) fn worker_row(&self, name: &str) -> Option<&Worker> {
        let mut workers = self.world.rows.workers.values();
        workers.find(|w| w.tenant == self.tenant && w.name.as_str() == name)
    }

    /// `t1`, `~7`, `q/t1`.
    pub(crate) fn task_ref(&self, text: &str) -> Result<TaskRef, String> {
        let (project, task) = match text.split_once('/') {
            Some((project, task)) => (id(project)?, task),
            None => (self.home.clone().ok_or("no project yet")?, text),
        };
        let task = match task.strip_prefix('~') {
            Some(n) => TaskKey::Number(TaskNumber(number(n)?)),
            None => TaskKey::Named(id(task)?),
        };
        Ok(TaskRef { project, task })
    }

    fn task_refs(&self, words: &mut Words<'_>) -> Result<Vec<TaskRef>, String> {
        let mut tasks = Vec::new();
        while let Some(word) = words.peek().filter(|w| *w != "revoke") {
            tasks.push(self.task_ref(word)?);
            words.next();
        }
        Ok(tasks)
    }

    pub(crate) fn lease_id(&self, text: &str) -> Result<LeaseId, String> {
        let at: usize = number(text.strip_prefix("lease-").ok_or("leases are lease-N")?)?;
        // A lease that nobody ever got.
        Ok(self.leases.get(at.wrapping_sub(1)).copied().unwrap_or_default())
    }
}

fn key(request_id: &str, content: &str) -> Result<CreateKey, String> {
    let content = Fingerprint::of(&[content.as_bytes()]);
    Ok(CreateKey { request_id: id(request_id)?, content })
}

/// `-` asks the daemon for a name.
fn own_name(text: &str) -> Result<Option<ClientId>, String> {
    if text == "-" { Ok(None) } else { id(text).map(Some) }
}

fn requester(verb: &str, words: &mut Words<'_>) -> Result<Command, String> {
    let name = words.need("requester")?;
    let (mut display, mut etag, mut request) = (None, None, None);
    // Whom a name stands for does not matter: only the options are read.
    let mut of = UpdateRequester::of(id("r")?);
    while let Some(word) = words.next() {
        let value = words.need("value")?;
        match word {
            "display" => display = Some(value.to_owned()),
            "etag" => etag = Some(number(value)?),
            "key" => request = Some(key(value, display.as_deref().unwrap_or_default())?),
            _ if options::requester(&mut of, word, value)? => {}
            other => return Err(format!("no option {other}")),
        }
    }
    Ok(if verb == "requester" {
        Command::CreateRequester(CreateRequester {
            name: own_name(name)?,
            display_name: display.unwrap_or_default(),
            key: request,
            weight: of.weight.unwrap_or(WEIGHT_DEFAULT),
            tier_ceiling: of.tier_ceiling.unwrap_or_default(),
            grants_per_minute: of.grants_per_minute.unwrap_or_default(),
            blocked_workers: of.blocked_workers.unwrap_or_default(),
            allowed_workers: of.allowed_workers.unwrap_or_default(),
            ..CreateRequester::default()
        })
    } else {
        let (requester, display_name) = (id(name)?, display);
        Command::UpdateRequester(UpdateRequester { requester, display_name, etag, ..of })
    })
}

fn create_project(story: &mut Story, words: &mut Words<'_>) -> Result<Command, String> {
    let name = own_name(words.need("project")?)?;
    let mut requester = None;
    let (mut spec, mut request) = (options::plain_project(), None);
    while let Some(word) = words.next() {
        match word {
            "of" => requester = Some(id(words.need("requester")?)?),
            "key" => request = Some(key(words.need("key")?, &format!("{spec:?}"))?),
            _ if options::project(&mut spec, word, words)? => {}
            other => return Err(format!("no option {other}")),
        }
    }
    let requester = match requester {
        Some(requester) => requester,
        None => {
            let made = requester_command("r")?;
            story.run(&made);
            id("r")?
        }
    };
    if story.home.is_none() {
        story.home.clone_from(&name);
    }
    Ok(Command::CreateProject(Box::new(CreateProject { name, requester, spec, key: request })))
}

/// The requester of projects that name none.
fn requester_command(name: &str) -> Result<Command, String> {
    let words = [name];
    requester("requester", &mut Words::new(&words))
}

fn update_project(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let name = words.need("project")?;
    let old = story.project_id(name).ok().and_then(|id| story.world.rows.projects.get(&id));
    let mut spec = old.map_or_else(options::plain_project, |p| p.spec.clone());
    let mut etag = old.map_or(1, |p| p.version);
    while let Some(word) = words.next() {
        match word {
            "etag" => etag = number(words.need("etag")?)?,
            _ if options::project(&mut spec, word, words)? => {}
            other => return Err(format!("no option {other}")),
        }
    }
    Ok(Command::UpdateProject(Box::new(UpdateProject { project: id(name)?, spec, etag })))
}

fn steer(verb: &str, words: &mut Words<'_>) -> Result<Command, String> {
    let project = id(words.need("project")?)?;
    let (mut revoke_leases, mut etag) = (false, None);
    while let Some(word) = words.next() {
        match word {
            "revoke" => revoke_leases = true,
            "etag" => etag = Some(number(words.need("etag")?)?),
            other => return Err(format!("no option {other}")),
        }
    }
    let to = match verb {
        "pause" => Steer::Pause,
        "resume" => Steer::Resume,
        "close" => Steer::Close,
        "cancel" => Steer::Cancel { revoke_leases },
        _ => Steer::Delete,
    };
    Ok(Command::SteerProject(SteerProject { project, to, etag }))
}

/// `task t1 …`, several with commas (`task t1,t2`), `task -` without an own id;
/// `tasks 2500` are so many without own ids.
fn create_tasks(story: &Story, verb: &str, words: &mut Words<'_>) -> Result<Command, String> {
    let first = words.need("task")?;
    let (mut names, mut project) = (Vec::new(), story.home.clone());
    if verb == "tasks" {
        names = vec![None; number(first)?];
    } else {
        for name in first.split(',') {
            let own = name.split_once('/');
            if let Some((named, _)) = own {
                project = Some(id(named)?);
            }
            names.push(own_name(own.map_or(name, |(_, task)| task))?);
        }
    }
    let mut plain = NewTask {
        name: None,
        payload: Vec::new(),
        content_type: "text/plain".into(),
        priority: 0,
        deadline: None,
        overlap: None,
        expected: None,
        labels: std::collections::BTreeMap::new(),
        content: Fingerprint::default(),
    };
    let (mut request, mut sizes) = (None, Vec::new());
    while let Some(word) = words.next() {
        let value = words.need("value")?;
        match word {
            "in" => project = Some(id(value)?),
            "overlap" => plain.overlap = Some(number(value)?),
            "priority" => plain.priority = number(value)?,
            "deadline" => plain.deadline = Some(WallTime(number(value)?)),
            // One size for all, or one for each.
            "payload" => {
                sizes = value.split(',').map(number).collect::<Result<Vec<usize>, _>>()?;
            }
            "key" => request = Some(key(value, &format!("{first} {plain:?} {sizes:?}"))?),
            other => return Err(format!("no option {other}")),
        }
    }
    let tasks = names.into_iter().enumerate().map(|(at, name)| {
        let size = sizes.get(at).or(sizes.last()).copied().unwrap_or_default();
        let mut task = NewTask { name, payload: vec![b'x'; size], ..plain.clone() };
        task.content = Fingerprint::of(&[format!("{task:?}").as_bytes()]);
        task
    });
    let project = project.ok_or("no project yet")?;
    Ok(Command::CreateTasks(CreateTasks { project, tasks: tasks.collect(), key: request }))
}

fn update_task(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let task = story.task_ref(words.need("task")?)?;
    let mut update = UpdateTask { task, overlap: None, priority: None, deadline: None };
    while let Some(word) = words.next() {
        let value = words.need("value")?;
        match (word, value) {
            ("overlap", _) => update.overlap = Some(number(value)?),
            ("priority", _) => update.priority = Some(number(value)?),
            ("deadline", "none") => update.deadline = Some(None),
            ("deadline", _) => update.deadline = Some(Some(WallTime(number(value)?))),
            (other, _) => return Err(format!("no option {other}")),
        }
    }
    Ok(Command::UpdateTasks(vec![update]))
}

fn cancel_tasks(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let tasks = story.task_refs(words)?;
    let revoke_leases = words.next().is_some();
    Ok(Command::CancelTasks(CancelTasks { tasks, revoke_leases }))
}

fn worker(story: &Story, verb: &str, words: &mut Words<'_>) -> Result<Command, String> {
    let name = words.need("worker")?;
    let old = story.worker_row(name).filter(|_| verb == "update-worker");
    let mut spec = old.map_or_else(options::plain_worker, |w| w.spec.clone());
    let of = spec.requester.and_then(|id| story.world.rows.requesters.get(&id));
    let mut requester = of.map(|r| r.name.clone());
    let (mut etag, mut request) = (old.map(|w| w.version), None);
    while let Some(word) = words.next() {
        match word {
            "requester" => requester = Some(id(words.need("requester")?)?),
            "etag" => etag = Some(number(words.need("etag")?)?),
            "key" => request = Some(key(words.need("key")?, &format!("{spec:?}"))?),
            _ if options::worker(&mut spec, word, words)? => {}
            other => return Err(format!("no option {other}")),
        }
    }
    Ok(if verb == "worker" {
        let name = own_name(name)?;
        Command::CreateWorker(CreateWorker { name, spec, requester, key: request })
    } else {
        Command::UpdateWorker(UpdateWorker { worker: id(name)?, spec, requester, etag })
    })
}

fn grant(worker: &str, skill: &str, level: &str, until: Option<&str>) -> Result<Command, String> {
    Ok(Command::GrantSkill(GrantSkill {
        worker: id(worker)?,
        skill: skill.into(),
        level: number(level)?,
        expires: until.map(number).transpose()?.map(WallTime),
    }))
}

fn lease(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let (mut count, mut projects, mut task, mut request_id) = (1, Vec::new(), None, None);
    let (mut claim, mut within) = (false, None);
    while let Some(word) = words.next() {
        if word == "push" {
            claim = true;
            continue;
        }
        let value = words.need("value")?;
        match word {
            "count" => count = number(value)?,
            "from" => projects = value.split(',').map(id).collect::<Result<_, _>>()?,
            "task" => task = Some(story.task_ref(value)?),
            "within" => within = Some(length(value)?),
            "request" => request_id = Some(id(value)?),
            other => return Err(format!("no option {other}")),
        }
    }
    let wishes = Wishes { within, ..Wishes::among(projects) };
    let content = Fingerprint::of(&[format!("{count} {wishes:?} {task:?}").as_bytes()]);
    Ok(Command::Lease(LeaseTasks { worker, count, wishes, task, claim, request_id, content }))
}

fn extend(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let (mut leases, mut by) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word {
            "by" => by = Some(length(words.need("time")?)?),
            lease => leases.push(story.lease_id(lease)?),
        }
    }
    Ok(Command::Extend(ExtendLeases { worker, leases, by }))
}

fn submit(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let mut items = Vec::new();
    while let Some(word) = words.next() {
        let lease = story.lease_id(word)?;
        let rows = &story.world.rows;
        let pinned = rows.leases.get(&lease).map(|l| (l.id.task.project, l.revision));
        let schema = pinned.and_then(|pin| rows.terms.get(&pin)).map(|t| t.schema.clone());
        let answer = options::answer(words.need("answer")?, &schema.unwrap_or_default());
        items.push(SubmitItem { lease, answer });
    }
    Ok(Command::Submit(SubmitAnswers { worker, items }))
}

fn claim(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let mut leases = Vec::new();
    while let Some(word) = words.next() {
        leases.push(story.lease_id(word)?);
    }
    Ok(Command::Claim(ClaimLeases { worker, leases }))
}

/// `life w1,w2 lease-3`: the caller speaks for these two, and for `of w3`.
fn life(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let workers = words.need("workers")?.split(',').filter(|name| *name != "-");
    let workers: Vec<ClientId> = workers.map(id).collect::<Result<_, _>>()?;
    let (mut leases, mut of) = (Vec::new(), BTreeSet::from_iter(workers.iter().cloned()));
    while let Some(word) = words.next() {
        match word {
            "of" => _ = of.insert(id(words.need("worker")?)?),
            lease => leases.push(story.lease_id(lease)?),
        }
    }
    Ok(Command::ShowLife(LifeSigns { workers, leases, of: Arc::new(of) }))
}

/// `draft w1 lease-1 half-an-answer`; without the last word there is none any more.
fn draft(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let lease = story.lease_id(words.need("lease")?)?;
    let bytes = words.next().unwrap_or_default().into();
    Ok(Command::SaveDraft(SaveDraft { worker, lease, bytes }))
}

fn give_back(story: &Story, words: &mut Words<'_>) -> Result<Command, String> {
    let worker = id(words.need("worker")?)?;
    let mut items = Vec::new();
    while let Some(word) = words.next() {
        let reason = options::reason(words.need("reason")?)?;
        items.push(ReturnItem { lease: story.lease_id(word)?, reason });
    }
    Ok(Command::Return(ReturnLeases { worker, items }))
}
