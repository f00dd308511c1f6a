//! What the API says when all is over.

use piecework_client::proto::v1::TaskState;

use crate::harness::{Platform, label_of};

use super::history::{End, Kept};
use super::requester::counts;
use super::watcher::logged;

/// Reads all tasks, submissions, logs and live leases.
pub(super) async fn read(platform: &Platform, projects: &[String], logs: &[String]) -> End {
    let mut end = End::default();
    for project in projects {
        for listed in platform.list_tasks(project, "").await {
            let task = platform.task(&listed.name).await;
            assert_eq!(counts(&task), counts(&listed), "a task and its place in the list");
            if task.state() == TaskState::Cancelled {
                end.cancelled.insert(task.name.clone());
            }
            let payload = String::from_utf8_lossy(&task.payload).into_owned();
            end.tasks.push((payload, counts(&task)));
        }
    }
    for worker in platform.list_workers().await {
        let submissions = platform.submissions(&worker.name, "").await;
        end.submissions.extend(submissions.into_iter().map(|kept| Kept {
            label: label_of(&kept.answer),
            verdict: kept.verdict().as_str_name().replace("VERDICT_", ""),
            lease: kept.lease,
            worker: kept.worker,
            task: kept.task,
        }));
        let leases = platform.leases(&worker.name).await;
        end.live.extend(leases.into_iter().map(|lease| lease.name));
    }
    for log in logs {
        let events = platform.events(log).await;
        end.logs.insert(log.clone(), events.iter().map(logged).collect());
    }
    end
}
