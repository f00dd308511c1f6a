//! What the daemon makes of workers, in batches of twenty answers.

use piecework_client::proto::v1::{GetRatingRequest, Newcomers, Project, Rating, Requirements};

use crate::harness::{Daemon, Platform};

async fn rating(platform: &Platform, worker: &str) -> Rating {
    let request = GetRatingRequest { name: worker.to_owned(), min_position: String::new() };
    let reply = platform.client.workers().get_rating(request).await.expect("a rating");
    reply.into_inner().rating.expect("a rating")
}

#[tokio::test]
async fn agreement_with_others_is_published_after_twenty_answers_and_not_before() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 4, ..project }).await;
    let crowd = platform.workers(["ann", "bob", "cid", "eve"]).await;
    platform.numbered_tasks(&project, 19).await;
    for (worker, label) in crowd.iter().zip(["a", "a", "a", "b"]) {
        assert_eq!(platform.work_off(worker, &project, label).await, 19);
    }
    for worker in &crowd {
        let unpublished = rating(&platform, worker).await;
        assert_eq!((unpublished.judged_answers, unpublished.newcomer), (0, true), "{worker}");
    }
    platform.tasks(&project, &["t20"]).await;
    for (worker, label) in crowd.iter().zip(["a", "a", "a", "b"]) {
        platform.answer_one(worker, &project, label).await;
    }
    let careful = rating(&platform, &crowd[0]).await;
    assert_eq!((careful.judged_answers, careful.agreed_answers), (20, 20));
    assert!(careful.overall > 90.0 && !careful.newcomer, "{careful:?}");
    let careless = rating(&platform, &crowd[3]).await;
    assert_eq!((careless.judged_answers, careless.agreed_answers), (20, 0));
    assert!(careless.overall < 20.0, "{careless:?}");
    assert_eq!(platform.get_worker(&crowd[3]).await.rating, Some(careless));

    // And it decides who gets what.
    let strict = platform
        .project_with("strict", |project| Project {
            requirements: Some(Requirements { min_rating: 80, ..Requirements::default() }),
            newcomers: Some(Newcomers::default()),
            ..project
        })
        .await;
    platform.numbered_tasks(&strict, 2).await;
    let nothing = platform.ask(&crowd[3], &strict, 1).await;
    assert_eq!(nothing.empty_reasons[0].cause().as_str_name(), "EMPTY_CAUSE_RATING_TOO_LOW");
    platform.lease(&crowd[0], &strict).await;
}
