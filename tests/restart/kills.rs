//! SIGKILL at once after an acknowledgement: what was acknowledged is there.

use std::collections::BTreeSet;

use piecework_client::proto::v1::{
    CreateTasksRequest, LeaseRequest, NewTask, Project, Receipt, SubmitAnswersRequest,
};
use tokio::task::JoinSet;

use crate::harness::{Daemon, Outcome, Platform, answer, wait_until};

#[tokio::test]
async fn each_acknowledged_step_survives_a_kill_right_after_it() {
    let mut daemon = Daemon::start().await;
    let project = daemon.platform().project("p").await;
    daemon.restart().await;
    let ann = daemon.platform().worker("ann").await;
    daemon.restart().await;
    let tasks = daemon.platform().numbered_tasks(&project, 3).await;
    daemon.restart().await;
    let request = LeaseRequest {
        worker: ann.clone(),
        count: 2,
        request_id: "r1".to_owned(),
        ..LeaseRequest::default()
    };
    let lease = async |platform: Platform| {
        platform.client.dispatch().lease(request.clone()).await.unwrap().into_inner().leases
    };
    let granted = lease(daemon.platform()).await;
    daemon.restart().await;
    let again = lease(daemon.platform()).await;
    assert_eq!(names(&granted), names(&again));
    let receipt = daemon.platform().submit(&ann, &granted[0].name, "b").await;
    daemon.restart().await;
    let platform = daemon.platform();
    assert_eq!(platform.submit(&ann, &granted[0].name, "b").await, receipt);
    assert_eq!(platform.results(&project).await.len(), 1);
    assert_eq!(platform.get_worker(&ann).await.live_leases, 1);
    assert_eq!(platform.list_tasks(&project, "").await.len(), tasks.len());

    // And all of it once more, field by field.
    let before = platform.picture().await;
    daemon.restart().await;
    assert_eq!(daemon.platform().picture().await, before);
}

fn names(leases: &[piecework_client::proto::v1::Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.name.as_str()).collect()
}

/// What one worker was told before the daemon died.
#[derive(Debug, Default)]
struct Acknowledged {
    worker: String,
    tasks: Vec<String>,
    /// Request ids of `Lease` with the lease they got.
    leases: Vec<(String, String)>,
    receipts: Vec<Receipt>,
}

/// Creates, leases and submits until a call is lost.
async fn toil(platform: Platform, project: String, worker: String, round: usize) -> Acknowledged {
    let mut told = Acknowledged { worker: worker.clone(), ..Acknowledged::default() };
    for step in 0.. {
        let tasks = vec![NewTask { payload: "x".into(), ..NewTask::default() }; 2];
        let parent = project.clone();
        let request = CreateTasksRequest { parent, tasks, request_id: String::new() };
        let Ok(created) = platform.client.tasks().create_tasks(request).await else { break };
        let created = created.into_inner().results.into_iter();
        told.tasks.extend(created.map(|result| result.outcome().expect("a task").name));

        let request_id = format!("r{round}-{step}");
        let request = LeaseRequest {
            worker: worker.clone(),
            request_id: request_id.clone(),
            ..LeaseRequest::default()
        };
        let Ok(leased) = platform.client.dispatch().lease(request).await else { break };
        // Other workers may have been quicker.
        let Some(lease) = leased.into_inner().leases.into_iter().next() else { continue };
        told.leases.push((request_id, lease.name.clone()));

        let answers = vec![answer(&lease.name, "a")];
        let request = SubmitAnswersRequest { worker: worker.clone(), answers, next: None };
        let Ok(reply) = platform.client.dispatch().submit_answers(request).await else { break };
        let item = reply.into_inner().results.remove(0);
        told.receipts.push(item.outcome().expect("a receipt"));
    }
    told
}

async fn check(platform: &Platform, project: &str, told: &Acknowledged) {
    let tasks = platform.list_tasks(project, "").await;
    let known: BTreeSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    assert!(told.tasks.iter().all(|name| known.contains(name.as_str())), "a task is lost");
    // The last sixteen request ids of a worker are remembered in any case; one of
    // them may be that of the call that was lost.
    for (request_id, lease) in told.leases.iter().rev().take(15) {
        let request = LeaseRequest {
            worker: told.worker.clone(),
            request_id: request_id.clone(),
            ..LeaseRequest::default()
        };
        let again = platform.client.dispatch().lease(request).await.unwrap().into_inner();
        assert_eq!(names(&again.leases), [lease.as_str()], "{request_id}");
    }
    for receipt in &told.receipts {
        let again = platform.submit(&told.worker, &receipt.lease, "a").await;
        assert_eq!(&again, receipt);
    }
}

#[tokio::test]
async fn nothing_acknowledged_under_load_is_lost_over_five_kills() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let workers = platform.workers(["ann", "bob", "cid", "dan"]).await;
    let mut receipts = 0;
    for round in 0..5 {
        let mut toiling = JoinSet::new();
        for worker in &workers {
            let (platform, worker) = (daemon.platform(), worker.clone());
            toiling.spawn(toil(platform, project.clone(), worker, round));
        }
        // At another depth each time.
        let platform = daemon.platform();
        let enough = platform.stats(&project).await.counted + 7 + 20 * round as u64;
        wait_until("they have worked", async || {
            (platform.stats(&project).await.counted >= enough).then_some(())
        })
        .await;
        daemon.restart().await;
        let platform = daemon.platform();
        for told in toiling.join_all().await {
            check(&platform, &project, &told).await;
            receipts += told.receipts.len() as u64;
        }
        let events = platform.events(&project).await;
        assert!(events.iter().zip(1..).all(|(event, number)| event.sequence == number));
        let stats = platform.stats(&project).await;
        assert!(stats.counted >= receipts, "{} counted, {receipts} receipts", stats.counted);
        assert_eq!(stats.kept, 0);
        for task in platform.list_tasks(&project, "").await {
            assert!(task.counted + task.live <= task.overlap, "{task:?}");
        }
    }
}
