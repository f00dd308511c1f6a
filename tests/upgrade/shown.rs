//! What the API shows, as JSON that a later release can be compared with.
//!
//! Only what must never change: new fields of later releases are left out, and
//! so is what passes by itself, such as the time left.

use piecework_client::proto::v1::{
    ListProjectsRequest, Project, Result as TaskResult, Submission, Task, Worker,
};
use serde_json::{Map, Value, json};

use crate::harness::Platform;

/// Everything, by name.
pub(super) async fn all(platform: &Platform) -> Value {
    let mut all = Map::new();
    let request = ListProjectsRequest { page_size: 1_000, ..ListProjectsRequest::default() };
    let listed = platform.client.projects().list_projects(request).await.expect("a list");
    let mut logs = vec!["workers/-".to_owned()];
    for project in listed.into_inner().projects {
        let name = project.name.clone();
        let stats = platform.stats(&name).await;
        let counts = json!([
            stats.counted,
            stats.counted_late,
            stats.kept,
            stats.expiries,
            stats.returns,
            stats.live_leases
        ]);
        all.insert(name.clone(), self::project(&project));
        all.insert(format!("{name} counts"), counts);
        for listed in platform.list_tasks(&name, "").await {
            let task = platform.task(&listed.name).await;
            all.insert(task.name.clone(), self::task(&task));
        }
        for result in platform.results(&name).await {
            all.insert(result.name.clone(), self::result(&result));
        }
        logs.push(name);
    }
    for worker in platform.list_workers().await {
        let worker = platform.get_worker(&worker.name).await;
        let name = worker.name.clone();
        for kept in platform.submissions(&name, "").await {
            all.insert(kept.name.clone(), submission(&kept));
        }
        let leases = platform.leases(&name).await;
        let leases: Vec<Value> = leases
            .iter()
            .map(|lease| {
                json!([lease.name, lease.project, text(&lease.payload), lease.project_revision])
            })
            .collect();
        all.insert(format!("{name} leases"), leases.into());
        all.insert(name, self::worker(&worker));
    }
    for log in logs {
        let events = platform.events(&log).await;
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        let last = json!({ "entries": sequences.len(), "last": sequences.last() });
        all.insert(format!("{log} log"), last);
    }
    all.into()
}

fn text(bytes: &[u8]) -> String {
    // A long one by its digest.
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= 200 => text.to_owned(),
        _ => format!("{} bytes {}", bytes.len(), blake3::hash(bytes).to_hex()),
    }
}

fn project(project: &Project) -> Value {
    let policy = project.lease_policy.unwrap_or_default();
    json!({
        "requester": project.requester,
        "title": project.title,
        "instructions": project.instructions,
        "fields": project.schema.iter().flat_map(|s| &s.fields).map(|f| json!([f.name, f.choices])).collect::<Vec<_>>(),
        "overlap": project.overlap,
        "assignment": project.assignment().as_str_name(),
        "lease_seconds": policy.duration.map(|duration| duration.seconds),
        "state": project.state().as_str_name(),
        "revision": project.revision,
        "labels": project.labels,
        "created": project.create_time.map(|time| time.seconds),
    })
}

fn task(task: &Task) -> Value {
    json!({
        "number": task.number,
        "id": task.task_id,
        "payload": text(&task.payload),
        "priority": task.priority,
        "overlap": task.overlap,
        "labels": task.labels,
        "state": task.state().as_str_name(),
        "failure": task.failure_cause().as_str_name(),
        "counted": task.counted,
        "live": task.live,
        "attempts": task.attempts,
    })
}

fn result(result: &TaskResult) -> Value {
    json!({
        "answer": text(&result.answer),
        "confidence": result.confidence,
        "state": result.state().as_str_name(),
        "revision": result.revision,
        "incomplete": result.incomplete,
        "sequence": result.sequence,
        "votes": result.votes.iter().map(|vote| &vote.submission).collect::<Vec<_>>(),
    })
}

fn submission(kept: &Submission) -> Value {
    json!({
        "task": kept.task,
        "worker": kept.worker,
        "answer": text(&kept.answer),
        "verdict": kept.verdict().as_str_name(),
        "counted": kept.counted,
        "payable_micros": kept.payable.as_ref().map(|money| money.micros),
        "submitted": kept.submit_time.map(|time| (time.seconds, time.nanos)),
    })
}

fn worker(worker: &Worker) -> Value {
    let rating = worker.rating.unwrap_or_default();
    json!({
        "kind": worker.kind().as_str_name(),
        "state": worker.state().as_str_name(),
        "suspended_for": worker.suspend_reason,
        "region": worker.region,
        "capacity": worker.capacity,
        "labels": worker.labels,
        "skills": worker.skills.iter().map(|s| json!([s.skill, s.level])).collect::<Vec<_>>(),
        "rating": [rating.overall, f64::from(rating.judged_answers), f64::from(rating.agreed_answers)],
        "live_leases": worker.live_leases,
    })
}
