//! What a story expects of rows and of the engine: `expect …` lines.
//!
//! Every subject tells facts of one or more words; a line names those that it
//! cares about. The records of a log are all named, in their order.

use piecework_core::event::{
    Event, Fell, Log, ResultAnswer, ResultState, ResultValue, TaskResult, What, WorkerEvent,
};
use piecework_core::lease::LeaseState;
use piecework_core::project::ProjectState;
use piecework_core::quality::Basis;
use piecework_core::schema::FieldKind;
use piecework_core::submission::Review;
use piecework_core::task::TaskState;
use piecework_core::{LeaseId, TaskId};

use super::Story;
use super::tell::{failure, how, state, verdict};

impl Story {
    /// Checks one `expect` line.
    pub(crate) fn expect(&mut self, words: &[&str]) -> Result<(), String> {
        let (subject, rest) = words.split_first().ok_or("expect what?")?;
        let alone = matches!(*subject, "due" | "worker-events" | "sweep-due" | "create-keys");
        let (facts, expected) = if alone {
            (self.about_all(subject)?, rest)
        } else {
            let (of, expected) = rest.split_first().ok_or("expect of which?")?;
            (self.about(subject, of)?, expected)
        };
        // A log is told whole and in order; other facts as a line likes.
        let fits = match *subject {
            "events" | "worker-events" => facts.join(" ") == expected.join(" "),
            _ => !expected.is_empty() && are_facts(expected, &facts),
        };
        if fits {
            return Ok(());
        }
        Err(format!("is: {}", facts.join(", ")))
    }

    fn about_all(&mut self, subject: &str) -> Result<Vec<String>, String> {
        Ok(match subject {
            "due" => {
                let due = self.world.engine.next_due();
                let engine = due.engine.map_or("none".into(), |at| at.to_string());
                let wall = due.wall.map_or("none".into(), |at| at.0.to_string());
                vec![engine, format!("wall {wall}")]
            }
            "worker-events" => self.events(Log::Workers(self.tenant)),
            "sweep-due" => {
                let due = self.world.engine.sweep_due();
                let name = due.and_then(|id| self.world.rows.projects.get(&id)).map(|p| &p.name);
                vec![name.map_or("none".into(), ToString::to_string)]
            }
            "create-keys" => vec![self.world.rows.create_keys.len().to_string()],
            other => return Err(format!("no subject {other}")),
        })
    }

    fn about(&mut self, subject: &str, of: &str) -> Result<Vec<String>, String> {
        match subject {
            "task" => self.task_facts(of),
            "result" => self.result_facts(of),
            "lease" => self.lease_facts(of),
            "submission" => self.submission_facts(of),
            "worker" => self.worker_facts(of),
            "rating" => self.rating_facts(of),
            "project" => self.project_facts(of),
            "events" => {
                let log = Log::Project(self.project_id(of)?);
                Ok(self.events(log))
            }
            other => Err(format!("no subject {other}")),
        }
    }

    pub(crate) fn task_id(&self, text: &str) -> Result<TaskId, String> {
        use piecework_core::command::TaskKey;
        let task = self.task_ref(text)?;
        let project = self.project_id(task.project.as_str())?;
        let mut specs = self.world.rows.specs_of(project);
        let found = match &task.task {
            TaskKey::Number(number) => specs.find(|s| s.id.number == *number),
            TaskKey::Named(name) => specs.find(|s| s.name.as_ref() == Some(name)),
        };
        found.map(|s| s.id).ok_or_else(|| format!("no task {text}"))
    }

    fn task_facts(&self, text: &str) -> Result<Vec<String>, String> {
        let id = self.task_id(text)?;
        let spec = &self.world.rows.specs[&id];
        let record = self.world.rows.tasks.get(&id);
        let (counted, live) = self.world.rows.taken(id);
        let order = record.map_or(spec.order, |r| r.order);
        let deadline = order.deadline.map_or("none".into(), |at| at.0.to_string());
        Ok(vec![
            state(record.map_or(TaskState::Open, |r| r.state)),
            format!("counted {counted}"),
            format!("live {live}"),
            format!("wanted {}", order.wanted),
            format!("priority {}", order.priority),
            format!("deadline {deadline}"),
            format!("ready-at {}", order.ready_at),
            format!("attempts {}", record.map_or(0, |r| r.attempts.len())),
            format!("broken {}", record.map_or(0, |r| r.broken.len())),
            format!("expiries {}", record.map_or(0, |r| r.expiries)),
            format!("leases {}", record.map_or(0, |r| r.last_lease)),
        ])
    }

    fn result_facts(&mut self, text: &str) -> Result<Vec<String>, String> {
        let id = self.task_id(text)?;
        let at = self.world.rows.tasks.get(&id).and_then(|t| t.result);
        let Some(event) =
            at.and_then(|s| self.world.rows.events.get(&(Log::Project(id.project), s)))
        else {
            return Ok(vec!["none".into()]);
        };
        let What::Result(result) = event.what.clone() else { return Err("no result".into()) };
        let mut facts = vec![self.answer(&result)];
        match result.state {
            ResultState::Provisional => facts.push("provisional".into()),
            ResultState::Final { incomplete: true } => facts.push("incomplete".into()),
            ResultState::Final { incomplete: false } => facts.push("complete".into()),
            ResultState::Failed { cause } => facts.push(format!("failed {}", failure(cause))),
        }
        let (whole, rest) = (result.confidence_ppm / 1_000_000, result.confidence_ppm % 1_000_000);
        facts.push(format!("confidence {whole}.{:02}", rest / 10_000));
        facts.push(format!("votes {}", self.votes(&result)));
        let from = result
            .answers
            .iter()
            .map(|vote| self.world.rows.workers[&vote.worker].name.to_string());
        facts.push(format!("from {}", from.collect::<Vec<_>>().join(",")));
        facts.push(format!("by {:?}", result.method).to_lowercase());
        facts.push(format!("revision {}", result.revision));
        facts.push(format!("cost {}", result.cost.micros));
        Ok(facts)
    }

    /// What a result says: values joined by `,`, in the schema's order.
    fn answer(&self, result: &TaskResult) -> String {
        match &result.answer {
            None => "none".into(),
            Some(ResultAnswer::Of(lease)) => self.bytes(lease),
            Some(ResultAnswer::Given { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            Some(ResultAnswer::Values { values, .. }) => {
                let named = values.iter().enumerate().filter_map(|(field, value)| {
                    value.as_ref().map(|value| self.value(result, field, value))
                });
                named.collect::<Vec<_>>().join(",")
            }
        }
    }

    fn bytes(&self, lease: &LeaseId) -> String {
        String::from_utf8_lossy(&self.world.rows.submissions[lease].answer.bytes).into_owned()
    }

    fn value(&self, result: &TaskResult, field: usize, value: &ResultValue) -> String {
        match value {
            ResultValue::Choice(choice) => self.choice(result, field, *choice),
            ResultValue::Boolean(said) => said.to_string(),
            ResultValue::Number(number) => number.to_string(),
            ResultValue::Text(lease) => self.bytes(lease),
            ResultValue::Set(options) => {
                let options = options.iter().map(|option| self.choice(result, field, *option));
                format!("[{}]", options.collect::<Vec<_>>().join("|"))
            }
        }
    }

    /// How votes fell: `cat:2`; of numbers `7±0.5(1..8):2/3`, of texts the submission.
    fn votes(&self, result: &TaskResult) -> String {
        let votes = result.votes.iter().flat_map(|field| {
            let at = usize::from(field.field);
            let classes = |votes: &[(u16, u32)]| -> Vec<String> {
                let one =
                    |(class, n): &(u16, u32)| format!("{}:{n}", self.choice(result, at, *class));
                votes.iter().map(one).collect()
            };
            match &field.fell {
                Fell::Classes(votes) => classes(votes),
                Fell::Options { answers, chosen } => {
                    let mut told = classes(chosen);
                    told.push(format!("of:{answers}"));
                    told
                }
                Fell::Numbers(n) => vec![format!(
                    "{}±{}({}..{}):{}/{}",
                    n.median, n.spread, n.least, n.most, n.agree, n.answers
                )],
                Fell::Texts { texts, .. } => {
                    texts.iter().map(|(lease, n)| format!("{}:{n}", self.bytes(lease))).collect()
                }
            }
        });
        let votes = votes.collect::<Vec<_>>();
        if votes.is_empty() { "none".into() } else { votes.join(",") }
    }

    fn choice(&self, result: &TaskResult, field: usize, choice: u16) -> String {
        let leases = result.answers.iter().map(|vote| &self.world.rows.leases[&vote.lease]);
        let newest = leases.map(|l| l.revision).max().unwrap_or_default();
        let terms = &self.world.rows.terms[&(result.task.project, newest)];
        match &terms.schema.fields[field].kind {
            FieldKind::Boolean => (choice == 1).to_string(),
            kind => kind.choices()[usize::from(choice)].clone(),
        }
    }

    fn lease_facts(&self, text: &str) -> Result<Vec<String>, String> {
        let id: LeaseId = self.lease_id(text)?;
        let lease = self.world.rows.leases.get(&id).ok_or("no such lease")?;
        let mut facts = vec![how(&lease.state)];
        facts.push(format!("of {}", self.world.rows.workers[&lease.worker].name));
        facts.push(format!("until {}", lease.deadline));
        if let LeaseState::Expired { rests_until, window_ends, released } = lease.state {
            facts.push(format!("rests {rests_until}"));
            facts.push(format!("window {window_ends}"));
            facts.push(if released { "released" } else { "held" }.into());
        }
        facts.push(format!("revision {}", lease.revision));
        let claim = lease.claim_by.map_or("claimed".into(), |at| format!("claim-by {at}"));
        facts.push(claim);
        let draft = self.world.rows.drafts.get(&id);
        let draft = draft.map_or("none".into(), |bytes| String::from_utf8_lossy(bytes));
        facts.push(format!("draft {draft}"));
        Ok(facts)
    }

    fn submission_facts(&self, text: &str) -> Result<Vec<String>, String> {
        let id = self.lease_id(text)?;
        let s = self.world.rows.submissions.get(&id).ok_or("no such submission")?;
        let review = if s.review == Review::None { "none" } else { "some" };
        Ok(vec![
            verdict(s.verdict).into(),
            format!("review {review}"),
            if s.counted { "in-result" } else { "not-in-result" }.into(),
            format!("payable {}", s.payable.micros),
            format!("took {}", s.took.0),
            format!("nth {}", s.nth),
        ])
    }

    fn worker_facts(&self, text: &str) -> Result<Vec<String>, String> {
        let id = self.worker_row(text).ok_or("no such worker")?.id;
        let rows = &self.world.rows;
        let record = &rows.records[&id];
        let of = |l: &&piecework_core::lease::Lease| l.worker == id;
        let holds = rows.leases.values().filter(of).filter(|l| l.takes_capacity(self.now.engine));
        Ok(vec![
            format!("holds {}", holds.count()),
            format!("live {}", rows.leases.values().filter(of).filter(|l| l.is_live()).count()),
            format!("idle-since {}", record.idle_since),
            format!("expiries {}", record.expiries_in_a_row),
            format!("declines {}", record.declines_in_a_row),
            format!("cool-until {}", record.cool_until),
            format!("answers {}", record.answers),
            format!("requests {}", rows.requests.keys().filter(|(w, _)| *w == id).count()),
        ])
    }

    fn rating_facts(&self, text: &str) -> Result<Vec<String>, String> {
        // `w1`, or `w1/lang:fi` for a skill area.
        let (worker, skill) = text.split_once('/').map_or((text, None), |(w, s)| (w, Some(s)));
        let id = self.worker_row(worker).ok_or("no such worker")?.id;
        let rows = &self.world.rows;
        let area = |skill: &str| rows.areas.get(&(id, skill.to_owned())).map(|area| area.rating);
        let rating = match skill {
            Some(skill) => area(skill).unwrap_or_default(),
            None => rows.records[&id].rating,
        };
        let record = rating.faded(self.now.engine, self.world.limits.rating_half_life);
        let standing = record.standing();
        let score = |score: Option<f64>| score.map_or("none".into(), |s| format!("{s:.0}"));
        Ok(vec![
            format!("judged {}", record.judged()),
            format!("agreed {}", record.agreed),
            format!("weight {:.3}", record.agreement.all),
            format!("points {}", record.points(Basis::Mean)),
            format!("proved {}", record.points(Basis::LowerBound)),
            format!("speed {}", score(standing.speed)),
            format!("consistency {}", score(standing.consistency)),
            format!("overall {:.1}", standing.overall),
            format!("published {}", rating.published.judged),
        ])
    }

    fn project_facts(&self, text: &str) -> Result<Vec<String>, String> {
        let Ok(id) = self.project_id(text) else { return Ok(vec!["gone".into()]) };
        let (project, tally) = (&self.world.rows.projects[&id], &self.world.rows.tallies[&id]);
        let is = match project.state {
            ProjectState::Active => "active",
            ProjectState::Paused => "paused",
            ProjectState::Closed => "closed",
            ProjectState::Cancelled { .. } => "cancelled",
            ProjectState::Deleting => "deleting",
        };
        let sweep = self.world.rows.sweeps.get(&id);
        Ok(vec![
            is.into(),
            format!("revision {}", project.revision),
            format!("tasks {}", tally.last_task),
            format!("open {}", tally.open),
            format!("done {}", tally.done),
            format!("failed {}", tally.failed),
            format!("cancelled {}", tally.cancelled),
            format!("live {}", tally.live),
            format!("granted {}", tally.granted),
            format!("expired {}", tally.expired),
            format!("returned {}", tally.returned),
            format!("revoked {}", tally.revoked),
            format!("counted {}", tally.counted),
            format!("late {}", tally.counted_late),
            format!("kept {}", tally.kept),
            format!("payable {}", tally.payable_micros),
            format!("rows {}", self.world.rows.specs_of(id).count()),
            sweep.map_or("no sweep".into(), |s| format!("sweep {}", s.next)),
        ])
    }

    /// A log's records, first one first.
    fn events(&mut self, log: Log) -> Vec<String> {
        let of = |e: &&Event| e.log == log;
        let events: Vec<Event> = self.world.rows.events.values().filter(of).cloned().collect();
        let told = events.into_iter().map(|event| match event.what {
            What::Submitted(lease) => format!("submitted {}", self.lease_name(lease)),
            What::Result(result) => format!("result {}", self.task_name(result.task)),
            What::TaskEnded { task, state: is } => {
                format!("ended {} {}", self.task_name(task), state(is))
            }
            What::Worker { worker, what } => {
                format!("{} {}", self.world.rows.workers[&worker].name, befell(&what))
            }
        });
        told.collect()
    }
}

/// Whether these words are some of the facts, the longer fact first.
fn are_facts<'a>(mut words: &[&'a str], facts: &'a [String]) -> bool {
    let mut facts: Vec<Vec<&str>> = facts.iter().map(|f| f.split_whitespace().collect()).collect();
    facts.sort_by_key(|fact| std::cmp::Reverse(fact.len()));
    while !words.is_empty() {
        let Some(rest) = facts.iter().find_map(|fact| words.strip_prefix(fact.as_slice())) else {
            return false;
        };
        words = rest;
    }
    true
}

fn befell(what: &WorkerEvent) -> String {
    match what {
        WorkerEvent::Suspended { reason } => format!("suspended {reason}"),
        WorkerEvent::Reinstated => "reinstated".into(),
        WorkerEvent::SkillGranted { skill, level } => format!("granted {skill} {level}"),
        WorkerEvent::SkillRevoked { skill } => format!("revoked {skill}"),
        WorkerEvent::RatingPublished { rating_milli, judged } => {
            format!("rated {rating_milli} judged {judged}")
        }
    }
}
