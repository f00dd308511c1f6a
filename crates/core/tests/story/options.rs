//! The words after a verb: lengths of time, options of projects, tasks, workers.

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::command::UpdateRequester;
use piecework_core::lease::ReturnReason;
use piecework_core::project::{
    Aggregation, Assignment, DynamicOverlap, Late, LateExtra, LeasePolicy, Newcomers, ProjectSpec,
    Requirements, Terms,
};
use piecework_core::quality::Basis;
use piecework_core::relaxation::{self, Relaxation};
use piecework_core::schema::{
    Answer, Content, Field, FieldKind, Finite, Member, Members, Misfit, Schema,
};
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{ClientId, Currency, Fingerprint, Limits, Millis, Money, limits};

/// Words that come in pairs, read one after the other.
pub(crate) struct Words<'a>(std::slice::Iter<'a, &'a str>);

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [&'a str]) -> Words<'a> {
        Words(words.iter())
    }

    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.0.next().copied()
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.0.as_slice().first().copied()
    }

    pub(crate) fn need(&mut self, what: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("no {what}"))
    }
}

pub(crate) fn id(text: &str) -> Result<ClientId, String> {
    ClientId::new(text).ok_or_else(|| format!("{text} is no id"))
}

pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number that fits"))
}

/// `250` (milliseconds), `30s`, `10m`, `24h`.
pub(crate) fn length(text: &str) -> Result<Millis, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1_000),
        Some(b'm') => (&text[..text.len() - 1], 60_000),
        Some(b'h') => (&text[..text.len() - 1], 3_600_000),
        _ => (text, 1),
    };
    Ok(Millis(number::<u64>(digits)? * unit))
}

pub(crate) fn limits(words: &[&str]) -> Result<Limits, String> {
    let mut limits = Limits::default();
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        let value = words.need("value")?;
        match word {
            "service-gap" => limits.service_gap = length(value)?,
            "restart-grace" => limits.restart_grace = length(value)?,
            "expiry-bar" => limits.expiry_bar = length(value)?,
            "claim-within" => limits.claim_within = length(value)?,
            "decline-within" => limits.decline_within = length(value)?,
            "declines" => limits.declines_in_a_row = number(value)?,
            "decline-cooldown" => limits.decline_cooldown = length(value)?,
            "create-keys-kept" => limits.create_keys_kept = length(value)?,
            "create-keys-max" => limits.create_keys_max = number(value)?,
            other => return Err(format!("no limit {other}")),
        }
    }
    Ok(limits)
}

/// A project before its options: one answer a task, out of cat, dog and bird.
pub(crate) fn plain_project() -> ProjectSpec {
    ProjectSpec {
        title: String::new(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: schema("label:cat|dog|bird").unwrap_or_default(),
            aggregation: Aggregation::Majority,
            reward: Money::NONE,
            lease: LeasePolicy::of(limits::LEASE_DEFAULT),
            expected: None,
        },
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 1_000,
        tier: limits::TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// One option of a requester; `Ok(false)` where the word is none.
pub(crate) fn requester(
    update: &mut UpdateRequester,
    word: &str,
    value: &str,
) -> Result<bool, String> {
    match word {
        "weight" => update.weight = Some(number(value)?),
        "ceiling" => update.tier_ceiling = Some(number(value)?),
        "rate" => update.grants_per_minute = Some(number(value)?),
        "block" => update.blocked_workers = Some(listed(value)?),
        "allow" => update.allowed_workers = Some(listed(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// `w1,w2`, or `nobody`.
fn listed(text: &str) -> Result<BTreeSet<ClientId>, String> {
    text.split(',').filter(|name| *name != "nobody").map(id).collect()
}

/// One option of a project; `Ok(false)` where the word is none.
pub(crate) fn project(
    spec: &mut ProjectSpec,
    word: &str,
    words: &mut Words<'_>,
) -> Result<bool, String> {
    if lease_policy(&mut spec.terms.lease, word, words)?
        || requirement(&mut spec.requirements, word, words)?
    {
        return Ok(true);
    }
    let mut value = || words.need("value");
    match word {
        "title" => spec.title = value()?.into(),
        "overlap" => spec.overlap = number(value()?)?,
        "up-to" => {
            let (max, target) = value()?.split_once('@').ok_or("up-to is 5@0.95")?;
            let target: f64 = number(target)?;
            let target_ppm = number(&format!("{:.0}", target * 1e6))?;
            spec.dynamic = Some(DynamicOverlap { max: number(max)?, target_ppm });
        }
        "expected" => spec.terms.expected = Some(length(value()?)?),
        "reward" => {
            let currency = Currency::USD;
            spec.terms.reward = Money { micros: number(value()?)?, currency };
        }
        "schema" => spec.terms.schema = schema(value()?)?,
        "aggregation" => {
            spec.terms.aggregation = match value()? {
                "first" => Aggregation::First,
                "majority" => Aggregation::Majority,
                "weighted" => Aggregation::Weighted,
                "online" => Aggregation::Online,
                "refined" => Aggregation::Refined,
                "dawid-skene" => Aggregation::DawidSkene,
                "collect" => Aggregation::Collect,
                other => return Err(format!("no aggregation {other}")),
            }
        }
        "assignment" => {
            spec.assignment = match value()? {
                "worker-picks" => Assignment::WorkerPicks,
                "server-picks" => Assignment::ServerPicks,
                other => return Err(format!("no assignment {other}")),
            }
        }
        "instructions" => _ = spec.terms.instructions.insert("en".into(), value()?.into()),
        "tier" => spec.tier = number(value()?)?,
        "rate" => spec.grants_per_minute = number(value()?)?,
        "relax" => {
            let step = step(&spec.requirements, value()?)?;
            spec.relaxation.push(step);
            relaxation::check(&spec.requirements, &spec.relaxation).map_err(|e| e.to_string())?;
        }
        "payload-max" => spec.payload_bytes_max = number(value()?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn lease_policy(
    policy: &mut LeasePolicy,
    word: &str,
    words: &mut Words<'_>,
) -> Result<bool, String> {
    let mut value = || words.need("value");
    match word {
        "lease" => {
            let fresh = LeasePolicy::of(length(value()?)?);
            let LeasePolicy { max_attempts, late, late_extra, .. } = *policy;
            *policy = LeasePolicy { max_attempts, late, late_extra, ..fresh };
        }
        "hold" => policy.max_hold = length(value()?)?,
        "attempts" => policy.max_attempts = number(value()?)?,
        "late" => {
            policy.late = match value()? {
                "until-replaced" => Late::UntilReplaced,
                "refuse" => Late::Refuse,
                other => return Err(format!("no late rule {other}")),
            }
        }
        "late-extra" => {
            policy.late_extra = match value()? {
                "refuse" => LateExtra::Refuse,
                "keep-payable" => LateExtra::KeepPayable,
                "keep-unpaid" => LateExtra::KeepUnpaid,
                other => return Err(format!("no rule {other}")),
            }
        }
        "grace" => policy.late_grace = length(value()?)?,
        "window" => policy.late_window = length(value()?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn requirement(
    needs: &mut Requirements,
    word: &str,
    words: &mut Words<'_>,
) -> Result<bool, String> {
    let mut value = || words.need("value");
    match word {
        "skills" => {
            for skill in value()?.split(',') {
                let (name, level) = skill.split_once('=').ok_or("skills are name=level")?;
                needs.skills.insert(name.into(), number(level)?);
            }
        }
        "min-rating" => needs.min_rating = number(value()?)?,
        "basis" => {
            needs.rating_basis = match value()? {
                "mean" => Basis::Mean,
                "lower-bound" => Basis::LowerBound,
                other => return Err(format!("no basis {other}")),
            }
        }
        "newcomers" => {
            needs.newcomers = match value()? {
                "welcome" => Newcomers::Welcome,
                "refuse" => Newcomers::Refuse,
                limit => Newcomers::Limit(number(limit)?),
            }
        }
        "kinds" => needs.kinds = value()?.split(',').map(kind).collect::<Result<_, _>>()?,
        "regions" => needs.regions = value()?.split(',').map(str::to_owned).collect(),
        "quota" => needs.quota_per_worker = number(value()?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `10m`, `10m:skills=a=5;min-rating=3;regions=fi`: what is not said is not asked
/// for, except what no step may change. Stands after the project's own rules.
fn step(own: &Requirements, text: &str) -> Result<Relaxation, String> {
    let (after, rules) = text.split_once(':').unwrap_or((text, ""));
    let mut requirements =
        Requirements { skills: BTreeMap::new(), min_rating: 0, regions: Vec::new(), ..own.clone() };
    for rule in rules.split(';').filter(|rule| !rule.is_empty()) {
        let (word, value) = rule.split_once('=').ok_or("rules are name=value")?;
        let values = [value];
        let known = ["skills", "min-rating", "regions"].contains(&word)
            && requirement(&mut requirements, word, &mut Words::new(&values))?;
        if !known {
            return Err(format!("no rule {word} of a step"));
        }
    }
    Ok(Relaxation { after: length(after)?, requirements })
}

fn kind(text: &str) -> Result<WorkerKind, String> {
    match text {
        "human" => Ok(WorkerKind::Human),
        "ai" => Ok(WorkerKind::Ai),
        other => Err(format!("no kind {other}")),
    }
}

/// A person without anything special.
pub(crate) fn plain_worker() -> WorkerSpec {
    WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: None,
        identity_cluster: String::new(),
        requester: None,
        labels: BTreeMap::new(),
    }
}

/// One option of a worker; `Ok(false)` where the word is none.
pub(crate) fn worker(
    spec: &mut WorkerSpec,
    word: &str,
    words: &mut Words<'_>,
) -> Result<bool, String> {
    let mut value = || words.need("value");
    match word {
        "kind" => spec.kind = kind(value()?)?,
        "region" => spec.region = value()?.into(),
        "device" => spec.device = value()?.into(),
        "capacity" => spec.capacity = Some(number(value()?)?),
        "cluster" => {
            let cluster = value()?;
            spec.identity_cluster = if cluster == "none" { String::new() } else { cluster.into() };
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `label:cat|dog,note?:*`: a name, `?` where optional, and what it holds: choices,
/// `some(cat|dog)`, `bool`, `text`, `*` for anything, or a number as
/// `num(tolerance;least;most)` whose bounds may be left out.
pub(crate) fn schema(text: &str) -> Result<Schema, String> {
    if text == "free" {
        return Ok(Schema::default());
    }
    let fields = text.split(',').map(|field| {
        let (name, kind) = field.split_once(':').ok_or("fields are name:choice|choice")?;
        let (name, required) = match name.strip_suffix('?') {
            Some(name) => (name, false),
            None => (name, true),
        };
        Ok(Field { name: name.into(), kind: field_kind(kind)?, required })
    });
    Ok(Schema { fields: fields.collect::<Result<_, String>>()? })
}

fn field_kind(text: &str) -> Result<FieldKind, String> {
    let inside = |before: &str| text.strip_prefix(before)?.strip_suffix(')');
    let choices = |text: &str| text.split('|').map(str::to_owned).collect();
    if let Some(options) = inside("some(") {
        return Ok(FieldKind::MultiChoice(choices(options)));
    }
    if let Some(numbers) = inside("num(") {
        let mut numbers = numbers.split(';').map(finite);
        let mut next = || numbers.next().unwrap_or(Ok(None));
        let tolerance = next()?.unwrap_or_default();
        return Ok(FieldKind::Number { tolerance, least: next()?, most: next()? });
    }
    Ok(match text {
        "*" => FieldKind::Free,
        "bool" => FieldKind::Boolean,
        "text" => FieldKind::Text,
        one_of => FieldKind::Choice(choices(one_of)),
    })
}

fn finite(text: &str) -> Result<Option<Finite>, String> {
    match text {
        "" => Ok(None),
        text => Finite::new(number(text)?).map(Some).ok_or_else(|| format!("{text} is not finite")),
    }
}

/// `cat` answers the first field of the schema, `label=cat,note=x` several,
/// `text:anything` is no JSON, `broken:anything` breaks off. Numbers, `true`, `false`
/// and `[a|b]` are what they look like; `_` in a string is a space. A member said twice
/// is repeated.
pub(crate) fn answer(text: &str, schema: &Schema) -> Answer {
    let first = schema.fields.first().map(|f| f.name.clone());
    let content = match (text.strip_prefix("text:"), text.strip_prefix("broken:"), first) {
        (Some(_), _, _) | (None, None, None) => Content::Other,
        (None, Some(_), _) => Content::Broken(Misfit::NotAnObject),
        (None, None, Some(first)) => Content::Object(members(text, &first)),
    };
    let is_json = !matches!(content, Content::Other);
    let content_type = String::from(if is_json { "application/json" } else { "text/plain" });
    let fingerprint = Fingerprint::of(&[content_type.as_bytes(), text.as_bytes()]);
    let meaning = match &content {
        Content::Object(members) => Fingerprint::of(&[format!("{members:?}").as_bytes()]),
        Content::Other | Content::Broken(_) => fingerprint,
    };
    Answer { bytes: text.into(), content_type, content, fingerprint, meaning }
}

fn members(text: &str, first: &str) -> Members {
    let mut members = Members::new();
    for said in text.split(',') {
        let (name, value) = said.split_once('=').unwrap_or((first, said));
        let again = members.insert(name.to_owned(), member(value)).is_some();
        if again {
            members.insert(name.to_owned(), Member::Repeated);
        }
    }
    members
}

fn member(text: &str) -> Member {
    if let Some(entries) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let entries = entries.split('|').filter(|entry| !entry.is_empty());
        return Member::List(entries.map(|entry| Some(entry.to_owned())).collect());
    }
    match (text, text.parse().ok().and_then(Finite::new)) {
        ("null", _) => Member::Other,
        ("true" | "false", _) => Member::Boolean(text == "true"),
        (_, Some(number)) => Member::Number(number),
        (text, None) => Member::text(&text.replace('_', " ")),
    }
}

pub(crate) fn reason(text: &str) -> Result<ReturnReason, String> {
    match text {
        "declined" => Ok(ReturnReason::Declined),
        "not-for-me" => Ok(ReturnReason::NotForMe),
        "out-of-time" => Ok(ReturnReason::OutOfTime),
        "unstarted" => Ok(ReturnReason::Unstarted),
        "broken" => Ok(ReturnReason::BrokenTask),
        other => Err(format!("no reason {other}")),
    }
}
