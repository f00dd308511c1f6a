//! A disk that fills up: new tasks are refused, finished work is still taken, and
//! all goes on once there is room, without a restart.

mod small_disk;

use std::time::{Duration, Instant};

use piecework_client::proto::v1::{CreateTasksRequest, ErrorReason as Reason, NewTask, Verdict};
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::harness::{Daemon, in_time, refused, wait_until};

use self::small_disk::SmallDisk;

const DISK_BYTES: u64 = 24 << 20;
const RESERVE_BYTES: u64 = 4 << 20;
const SETTINGS: [(&str, &str); 3] = [
    ("PIECEWORK_SEGMENT_BYTES", "524288"),
    ("PIECEWORK_OVERLAY_BYTES", "1048576"),
    ("PIECEWORK_RESERVE_BYTES", "4194304"),
];
/// Promised: intake works again so soon after there is room.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Answers that are taken while nothing is free, each in a group of its own.
const ANSWERS: usize = 40;
/// Answers for which its prepared segments have no room.
const BEYOND: usize = 190;
/// So long no answer: it waits for room.
const STANDSTILL: Duration = Duration::from_secs(3);

/// A daemon on a small disk, and what was acknowledged.
struct OnSmallDisk {
    // First, so that the daemon ends before its disk.
    daemon: Daemon,
    disk: SmallDisk,
    project: String,
    worker: String,
    created: usize,
    answered: usize,
}

impl OnSmallDisk {
    /// With 200 tasks and 5 answers; `None` where this machine allows no such disk.
    async fn start() -> Option<OnSmallDisk> {
        let Some(disk) = SmallDisk::new(DISK_BYTES).await else {
            println!("\nfull disk: skipped: neither root nor user namespaces here");
            return None;
        };
        let mut daemon = Daemon::not_started(&SETTINGS);
        let data = disk.path().join("data");
        std::fs::create_dir(&data).expect("created");
        std::os::unix::fs::symlink(&data, daemon.data()).expect("linked");
        daemon.resume().await;
        let platform = daemon.platform();
        let project = platform.project("p").await;
        let created = platform.numbered_tasks(&project, 200).await.len();
        let worker = platform.worker("ann").await;
        let mut this = OnSmallDisk { daemon, disk, project, worker, created, answered: 0 };
        this.answer(5).await;
        Some(this)
    }

    /// One more task.
    async fn create(&mut self) -> Result<(), Status> {
        let task_id = format!("n{}", self.created);
        let task = NewTask { payload: task_id.clone().into(), task_id, ..NewTask::default() };
        let parent = self.project.clone();
        let request = CreateTasksRequest { parent, tasks: vec![task], request_id: String::new() };
        self.daemon.platform().client.tasks().create_tasks(request).await?;
        self.created += 1;
        Ok(())
    }

    /// So many leases and answers, each in a group of its own.
    async fn answer(&mut self, count: usize) {
        for _ in 0..count {
            let receipt = self.daemon.platform().answer_one(&self.worker, &self.project, "a").await;
            assert_eq!(receipt.verdict(), Verdict::Counted);
            self.answered += 1;
        }
    }

    /// Somebody else takes the disk: the reserve is touched, and when that is
    /// noticed, all of it. Returns the refusal of new tasks and how soon it came.
    async fn fill(&mut self) -> (Status, Duration) {
        self.disk.fill_up_to(RESERVE_BYTES / 2);
        let filled = Instant::now();
        let refusal = wait_until("new tasks are refused", async || self.create().await.err()).await;
        let after = filled.elapsed();
        self.disk.fill_up_to(0);
        (refusal, after)
    }

    /// Everything acknowledged is there, and no more.
    async fn check(&self) {
        let platform = self.daemon.platform();
        assert_eq!(platform.stats(&self.project).await.counted, self.answered as u64);
        assert_eq!(platform.list_tasks(&self.project, "").await.len(), self.created);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_intake_takes_answers_and_is_over_when_there_is_room() {
    let Some(mut on) = OnSmallDisk::start().await else { return };
    let (refusal, refused_after) = on.fill().await;
    let told = Err::<(), _>(refusal);
    let details = refused(told, Code::ResourceExhausted, Reason::StorageFull, "");
    assert!(details.retry_info().and_then(|info| info.retry_delay).is_some(), "when to come back");
    on.answer(ANSWERS).await;
    assert!(on.create().await.is_err(), "still none");

    on.disk.empty();
    let emptied = Instant::now();
    wait_until("new tasks are taken again", async || on.create().await.ok()).await;
    let back_after = emptied.elapsed();
    assert!(back_after <= BACK_WITHIN, "only after {back_after:?}");
    assert_eq!(on.daemon.log().matches("INFO serving").count(), 1, "without a restart");
    on.answer(5).await;
    on.daemon.restart().await;
    on.check().await;
    println!(
        "\nfull disk: refused after {} ms, {ANSWERS} answers with nothing free, \
         intake again after {} ms, acknowledged={} lost=0",
        refused_after.as_millis(),
        back_after.as_millis(),
        on.created + on.answered,
    );
}

#[tokio::test]
async fn answers_beyond_the_reserve_wait_for_room_and_the_daemon_lives() {
    let Some(mut on) = OnSmallDisk::start().await else { return };
    on.fill().await;
    // More than the journal has prepared: somewhere on the way there is no block left.
    let (platform, worker, project) = (on.daemon.platform(), on.worker.clone(), on.project.clone());
    let (told, mut answered) = tokio::sync::watch::channel(0);
    let answering = tokio::spawn(async move {
        for answer in 1..=BEYOND {
            platform.answer_one(&worker, &project, "a").await;
            told.send_replace(answer);
        }
    });
    // It stands still for as long as there is no room.
    let still = async {
        while timeout(STANDSTILL, answered.changed()).await.is_ok_and(|changed| changed.is_ok()) {}
        *answered.borrow()
    };
    let taken = in_time("the reserve is used up", still).await;
    assert!((ANSWERS..BEYOND).contains(&taken), "{taken} answers from the reserve");
    assert!(!answering.is_finished(), "the next one waits");

    on.disk.empty();
    in_time("the rest is taken", answering).await.expect("no answer is refused");
    on.answered += BEYOND;
    assert_eq!(on.daemon.log().matches("INFO serving").count(), 1, "without a restart");
    on.daemon.restart().await;
    on.check().await;
}

#[tokio::test]
async fn p01_a_kill_on_a_full_disk_loses_nothing() {
    let Some(mut on) = OnSmallDisk::start().await else { return };
    on.fill().await;
    on.answer(3).await;
    let before = on.daemon.platform().picture().await;
    on.daemon.kill().await;
    // It may not start where nothing is free, and then says why.
    match on.daemon.try_resume().await {
        Ok(()) => {
            assert_eq!(on.daemon.platform().picture().await, before);
            on.daemon.kill().await;
        }
        Err(failed) => assert!(failed.stderr.contains("No space left"), "{}", failed.stderr),
    }
    on.disk.empty();
    on.daemon.resume().await;
    assert_eq!(on.daemon.platform().picture().await, before);
    on.check().await;
}
