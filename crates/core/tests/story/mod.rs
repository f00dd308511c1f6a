//! A story: a text case, told to an engine line by line.
//!
//! ```text
//! # A comment. The first column is the time in milliseconds; `engine/wall` where
//! # the two differ. After `->` stands what must come of the line; without it, the
//! # line must merely not be refused.
//! 0      project p overlap 1 lease 30s
//! 0      task t1
//! 0      worker w1
//! 0      lease w1            -> lease-1 t1 until 30000
//! 30000  tick                -> lease-1 expired
//! 30000  expect task t1 open counted 0 live 0 wanted 1
//! ```
//!
//! Lease names are shortened: `lease-1` is the first lease of the story. A task
//! of another project than the story's first is written `q/t1`, one without an
//! id of its own `~7`. `auto` as a first line rings what is due before each line;
//! `limits …` sets the daemon's limits. `README.md` beside the cases lists all words.
//!
//! Not here: what holds after every line whatever the story says (`world`).

mod facts;
mod options;
mod refining;
mod refusals;
mod tell;
mod verbs;

use std::collections::BTreeMap;

use piecework_core::submission::Receipt;
use piecework_core::{
    ClientId, EngineTime, Fingerprint, LeaseId, Limits, Now, TaskId, TenantId, WallTime,
};

use crate::world::World;

pub(crate) use refusals::{REFUSALS, refusal};

/// A story under way.
pub(crate) struct Story {
    world: World,
    now: Now,
    tenant: TenantId,
    auto: bool,
    /// Shortened names of leases: the place in this list, from 1.
    leases: Vec<LeaseId>,
    /// The story's first project, which needs no mention.
    home: Option<ClientId>,
    /// The first receipt for each answer: a retry gets it again.
    receipts: BTreeMap<(LeaseId, Fingerprint), Receipt>,
}

/// Tells a whole story.
///
/// # Errors
/// The first line that went otherwise, with what came instead.
pub(crate) fn tell(text: &str) -> Result<(), String> {
    let mut story = Story {
        // Whatever waits is packed.
        world: World::new(Limits { unpacked_max: 0, ..Limits::default() }),
        now: Now::default(),
        tenant: TenantId::DEFAULT,
        auto: false,
        leases: Vec::new(),
        home: None,
        receipts: BTreeMap::new(),
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
        if !line.is_empty() {
            story.line(line).map_err(|why| format!("line {}: {line}\n  {why}", number + 1))?;
        }
    }
    Ok(())
}

/// The expectations of a story, for the list of refusals that stories tell.
pub(crate) fn expectations(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .filter_map(|l| l.split_once("->").map(|(_, expected)| expected.trim()))
}

impl Story {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line == "auto" {
            self.auto = true;
            return Ok(());
        }
        if let Some(limits) = line.strip_prefix("limits ") {
            let limits = options::limits(&words(limits))?;
            self.world = World::new(limits);
            return Ok(());
        }
        let (time, rest) = line.split_once(char::is_whitespace).ok_or("no verb")?;
        self.pass(time)?;
        if self.auto {
            self.world.ring(self.now, self.tenant);
        }
        let (command, expected) = match rest.split_once("->") {
            Some((command, expected)) => (command.trim(), Some(expected.trim())),
            None => (rest.trim(), None),
        };
        let words = words(command);
        if words.first() == Some(&"expect") {
            self.expect(&words[1..])?;
        } else {
            let told = verbs::act(self, &words)?;
            compare(&told, expected)?;
        }
        self.world.check_rebuilt(self.now);
        Ok(())
    }

    /// Moves both clocks.
    fn pass(&mut self, time: &str) -> Result<(), String> {
        let (engine, wall) = time.split_once('/').unwrap_or((time, time));
        let number = |text: &str| text.parse().map_err(|_| format!("{text} is no time"));
        let next = Now { engine: EngineTime(number(engine)?), wall: WallTime(number(wall)?) };
        if next.engine < self.now.engine {
            return Err("engine time never goes back".into());
        }
        self.now = next;
        Ok(())
    }

    /// The shortened name of a lease.
    fn lease_name(&mut self, id: LeaseId) -> String {
        let at = self.leases.iter().position(|l| *l == id).unwrap_or_else(|| {
            self.leases.push(id);
            self.leases.len() - 1
        });
        format!("lease-{}", at + 1)
    }

    /// A task's name as the story writes it.
    fn task_name(&self, id: TaskId) -> String {
        let own = self.world.rows.specs.get(&id).and_then(|s| s.name.clone());
        let own = own.map_or_else(|| format!("~{}", id.number), |name| name.to_string());
        match self.world.rows.projects.get(&id.project) {
            Some(project) if Some(&project.name) == self.home.as_ref() => own,
            Some(project) => format!("{}/{own}", project.name),
            None => format!("{id}"),
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn compare(told: &str, expected: Option<&str>) -> Result<(), String> {
    match expected {
        Some(expected) if words(expected) == words(told) => Ok(()),
        Some(_) => Err(format!("came: {told}")),
        None if told.contains("refused") => Err(format!("came: {told}")),
        None => Ok(()),
    }
}
