//! What the daemon makes of workers, in batches of twenty answers.

use piecework_client::proto::v1::{
    GetRatingRequest, GrantSkillRequest, NewcomerMode, Newcomers, Project, Rating, RatingBasis,
    RatingExplanation, RatingSource, Requirements, SkillRequirement,
};

use crate::harness::{Daemon, Platform, piecework_at};

/// What was published, and the explanation.
async fn explained(
    platform: &Platform,
    worker: &str,
    as_worker: bool,
) -> (Rating, RatingExplanation) {
    let (name, min_position) = (worker.to_owned(), String::new());
    let request = GetRatingRequest { name, min_position, as_worker };
    let reply = platform.client.workers().get_rating(request).await.expect("a rating");
    let reply = reply.into_inner();
    (reply.rating.expect("a rating"), reply.explanation.expect("an explanation"))
}

async fn rating(platform: &Platform, worker: &str) -> Rating {
    explained(platform, worker, false).await.0
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
    assert!(careful.accuracy > 0.85 && !careful.newcomer, "{careful:?}");
    let careless = rating(&platform, &crowd[3]).await;
    assert_eq!((careless.judged_answers, careless.agreed_answers), (20, 0));
    assert!(careless.accuracy < 0.12 && careless.overall < 50.0, "{careless:?}");
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

/// Asks for points, by a basis, and does with newcomers what it says.
fn demanding(project: Project, points: u32, basis: RatingBasis, mode: NewcomerMode) -> Project {
    let mut needs = Requirements { min_rating: points, ..Requirements::default() };
    needs.set_rating_basis(basis);
    let newcomers = Some(Newcomers { mode: mode.into(), max_live: 0 });
    Project { requirements: Some(needs), newcomers, ..project }
}

#[tokio::test]
async fn the_platform_sees_evidence_and_what_it_opens_and_a_worker_what_was_published() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let skill = SkillRequirement { skill: "maps".to_owned(), min_level: 1 };
    let needs = Requirements { skills: vec![skill], ..Requirements::default() };
    let mapped = |project| Project { overlap: 4, requirements: Some(needs), ..project };
    let maps = platform.project_with("maps", mapped).await;
    let other = platform.project_with("other", |p| Project { overlap: 4, ..p }).await;
    let crowd = platform.workers(["ann", "bob", "cid", "eve"]).await;
    for name in &crowd {
        let (name, skill) = (name.clone(), "maps".to_owned());
        let request = GrantSkillRequest { name, skill, level: 50, expire_in: None };
        platform.client.workers().grant_skill(request).await.expect("granted");
    }
    for (project, tasks) in [(&maps, 12), (&other, 9)] {
        platform.numbered_tasks(project, tasks).await;
        for (worker, label) in crowd.iter().zip(["a", "a", "a", "b"]) {
            assert_eq!(platform.work_off(worker, project, label).await, tasks);
        }
    }
    let (mean, bound) = (RatingBasis::Mean, RatingBasis::LowerBound);
    for (name, points, basis, mode) in [
        ("easy", 60, mean, NewcomerMode::Refuse),
        ("proved", 95, bound, NewcomerMode::Refuse),
        ("nearly", 85, bound, NewcomerMode::Welcome),
    ] {
        platform.project_with(name, |p| demanding(p, points, basis, mode)).await;
    }

    // One who is always right: 21 judged answers, of which 20 were published.
    let (_, told) = explained(&platform, &crowd[0], false).await;
    let [all, area] = &told.areas[..] else { panic!("{told:?}") };
    let now = all.current.expect("as it is");
    assert_eq!((now.judged_answers, now.agreed_answers, now.newcomer), (21, 21, false));
    assert!(now.accuracy_low < now.accuracy && now.accuracy < now.accuracy_high, "{now:?}");
    assert_eq!(all.published.expect("a batch").judged_answers, 20);
    let evidence = &all.evidence[0];
    assert_eq!((evidence.source(), evidence.answers), (RatingSource::Agreement, 21));
    assert!(evidence.weight > 3.0 && evidence.right == Some(1.0), "{evidence:?}");
    assert!(all.unchanged_for.is_some() && told.half_life.is_some());
    assert_eq!((area.skill.as_str(), area.current.expect("an area").judged_answers), ("maps", 12));
    let stands: Vec<_> = told.projects.iter().map(|p| (p.project.as_str(), p.unlocked)).collect();
    let order = [("projects/nearly", false), ("projects/proved", false), ("projects/easy", true)];
    assert_eq!(stands, order, "the nearest miss first");
    let missed = &told.projects[0];
    assert_eq!(missed.rating_basis(), RatingBasis::LowerBound);
    assert_eq!(missed.has + missed.missing_points, missed.min_rating);

    // She herself: nothing but what was published, and nothing of the area yet.
    let (published, seen) = explained(&platform, &crowd[0], true).await;
    assert_eq!(seen.areas.len(), 1);
    assert_eq!((seen.areas[0].published, seen.areas[0].current), (Some(published), None));
    assert!(seen.areas[0].evidence.is_empty() && seen.areas[0].unchanged_for.is_none());
    assert_eq!(published.judged_answers, 20);

    // Of whom nothing is known: near 70, and only where newcomers are welcome.
    let newcomer = platform.worker("new").await;
    let (rating, told) = explained(&platform, &newcomer, false).await;
    assert!((rating.accuracy - 0.7).abs() < 1e-6 && rating.newcomer, "{rating:?}");
    let closed: Vec<_> = told.projects.iter().filter(|p| p.missing_answers == 10).collect();
    assert_eq!((closed.len(), told.projects.len()), (2, 3));

    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await.ended(0);
    at(&["worker", "rating", "ann"]).await.prints(&["maps", "agreement: 21 answers", "misses"]);
    let shown = at(&["worker", "rating", "ann", "--as-worker", "-o", "json"]).await.json();
    assert_eq!(shown["rating"]["judgedAnswers"], 20);
    let rows = at(&["worker", "rating", "ann", "-o", "csv"]).await.stdout;
    assert_eq!(rows.lines().count(), 3, "{rows}");
}
