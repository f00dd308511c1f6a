//! Offers, wishes, explanations and forecasts through the daemon.

use piecework_client::proto::v1::{
    EmptyCause, ErrorReason, ExplainTaskRequest, ExplainWorkerRequest, ForecastOutlook,
    GetProjectStatsRequest, GrantSkillRequest, LeaseRequest, ListOffersRequest, Money, PaceSource,
    Project, Requirements, SkillRequirement,
};

use crate::harness::{Daemon, Platform};

/// A project that asks for a skill, pays 0.05 and says that it takes 18 s.
async fn paid(platform: &Platform, id: &str, skill: Option<(&str, u32)>) -> String {
    let skills = skill
        .into_iter()
        .map(|(skill, min_level)| SkillRequirement { skill: skill.to_owned(), min_level });
    let requirements = Requirements { skills: skills.collect(), ..Requirements::default() };
    platform
        .project_with(id, |project| Project {
            requirements: Some(requirements),
            reward: Some(Money { micros: 50_000, currency: "EUR".to_owned() }),
            expected_duration: Some(prost_types::Duration { seconds: 18, nanos: 0 }),
            ..project
        })
        .await
}

#[tokio::test]
async fn offers_tell_pay_and_what_is_missing_page_by_page() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let cats = paid(&platform, "cats", None).await;
    let maps = paid(&platform, "maps", Some(("lang:fi", 70))).await;
    platform.numbered_tasks(&cats, 7).await;
    platform.numbered_tasks(&maps, 3).await;
    let ann = platform.worker("ann").await;

    let ask = ListOffersRequest { worker: ann.clone(), page_size: 1, ..Default::default() };
    let mut dispatch = platform.client.dispatch();
    let first = dispatch.list_offers(ask.clone()).await.expect("offers").into_inner();
    let page_token = first.next_page_token.clone();
    let next = ListOffersRequest { page_token, ..ask.clone() };
    let second = dispatch.list_offers(next).await.expect("offers").into_inner();
    let (cats_offer, maps_offer) = (&first.offers[0], &second.offers[0]);
    assert_eq!((cats_offer.project.as_str(), cats_offer.waiting), (cats.as_str(), 5));
    assert_eq!(cats_offer.hourly.as_ref().map(|m| m.micros), Some(10_000_000));
    assert_eq!(cats_offer.expected_from(), PaceSource::Declared);
    assert!(cats_offer.lacks.is_none() && second.next_page_token.is_empty());
    let lacks = maps_offer.lacks.as_ref().expect("a skill");
    assert_eq!(lacks.reason(), ErrorReason::SkillMissing);
    assert_eq!((lacks.skill.as_str(), lacks.needed, lacks.has), ("lang:fi", Some(70), Some(0)));

    // A token of other wishes is foreign.
    let page_token = first.next_page_token;
    let other = ListOffersRequest { page_token, max_payload_bytes: 9, ..ask.clone() };
    dispatch.list_offers(other).await.expect_err("another list's token");
    let unknown = ListOffersRequest { except_projects: vec!["projects/none".into()], ..ask };
    dispatch.list_offers(unknown).await.expect_err("no such project");

    // 0.05 for 18 s are 10 an hour: enough or not.
    let paid = |micros| LeaseRequest {
        worker: ann.clone(),
        min_hourly: Some(Money { micros, currency: String::new() }),
        ..LeaseRequest::default()
    };
    let more = dispatch.lease(paid(10_000_001)).await.expect("an answer").into_inner();
    assert!(more.leases.is_empty(), "{more:?}");
    let enough = dispatch.lease(paid(10_000_000)).await.expect("an answer").into_inner();
    assert_eq!(enough.leases.len(), 1);
}

#[tokio::test]
async fn a_waiting_task_is_explained_until_the_advice_is_followed() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let maps = paid(&platform, "maps", Some(("lang:fi", 70))).await;
    platform.tasks(&maps, &["t"]).await;
    let ann = platform.worker("ann").await;
    assert!(platform.ask(&ann, &maps, 1).await.leases.is_empty());
    let name = format!("{maps}/tasks/t");
    let explain = async || {
        let request = ExplainTaskRequest { name: name.clone(), ..Default::default() };
        let reply = platform.client.tasks().explain_task(request).await.expect("explained");
        reply.into_inner().explanation.expect("an explanation")
    };
    let told = explain().await;
    assert_eq!((told.workers, told.could_lease), (1, 0), "{told:?}");
    let nearest = told.nearest.expect("a miss");
    assert_eq!((nearest.needed, nearest.has), (Some(70), Some(0)));
    assert_eq!(nearest.remedy, "piecework worker grant ann lang:fi=70");
    let idle = ExplainWorkerRequest { name: ann.clone(), ..Default::default() };
    let idle = platform.client.workers().explain_worker(idle).await.expect("explained");
    let idle = idle.into_inner().explanation.expect("an explanation");
    assert_eq!((idle.projects, idle.could_lease, idle.present), (1, 0, true));
    assert_eq!(idle.unlock.expect("advice").waiting, 1);

    let grant = GrantSkillRequest {
        name: ann.clone(),
        skill: "lang:fi".to_owned(),
        level: 70,
        expire_in: None,
    };
    platform.client.workers().grant_skill(grant).await.expect("granted");
    assert_eq!(explain().await.could_lease, 1);
    platform.lease(&ann, &maps).await;
    let full = explain().await;
    assert_eq!(full.blocked.expect("taken").reason(), ErrorReason::TaskFull);

    let request = GetProjectStatsRequest { name: maps, min_position: String::new() };
    let stats = platform.client.projects().get_project_stats(request).await.expect("stats");
    let forecast = stats.into_inner().stats.and_then(|s| s.forecast).expect("a forecast");
    assert_eq!((forecast.outlook(), forecast.places), (ForecastOutlook::Learning, 1));
}

#[tokio::test]
async fn an_empty_answer_names_the_wish_that_leaves_work_out() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let cats = paid(&platform, "cats", None).await;
    let dogs = paid(&platform, "dogs", None).await;
    let none = paid(&platform, "none", None).await;
    platform.numbered_tasks(&cats, 3).await;
    platform.numbered_tasks(&dogs, 3).await;
    let ann = platform.worker("ann").await;
    // 0.05 for 18 s are 10 an hour; the smallest payloads are two bytes.
    let any = LeaseRequest { worker: ann.clone(), ..LeaseRequest::default() };
    let min_hourly = Some(Money { micros: 10_000_001, currency: String::new() });
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let cases = [
        (LeaseRequest { min_hourly, ..any.clone() }, EmptyCause::PayTooLow, "lower"),
        (LeaseRequest { within: seconds(17), ..any.clone() }, EmptyCause::TakesTooLong, "more"),
        (
            LeaseRequest { max_payload_bytes: 1, ..any.clone() },
            EmptyCause::PayloadTooLarge,
            "raise",
        ),
        (
            LeaseRequest { except_projects: vec![cats.clone(), dogs.clone()], ..any.clone() },
            EmptyCause::LeftOut,
            "fewer",
        ),
        (LeaseRequest { projects: vec![none], ..any }, EmptyCause::LeftOut, "other projects"),
    ];
    for (request, cause, advice) in cases {
        let reply = platform.client.dispatch().lease(request).await.expect("an answer");
        let reply = reply.into_inner();
        let told = |cause| reply.empty_reasons.iter().find(|r| r.cause() == cause);
        assert_eq!(told(cause).map(|r| r.projects), Some(2), "{reply:?}");
        assert_eq!(told(EmptyCause::NoTasks).map(|r| r.projects), Some(1), "{reply:?}");
        assert!(reply.empty_reason.contains(advice), "{}", reply.empty_reason);
        let request = ExplainWorkerRequest { name: ann.clone(), ..Default::default() };
        let idle = platform.client.workers().explain_worker(request).await.expect("explained");
        let idle = idle.into_inner().explanation.expect("an explanation");
        let wishes: Vec<_> = idle.unwished.iter().map(|r| (r.cause(), r.projects)).collect();
        assert_eq!((wishes, idle.could_lease), (vec![(cause, 2)], 0), "{idle:?}");
        assert_eq!(idle.nothing_ready, 1);
    }
}
