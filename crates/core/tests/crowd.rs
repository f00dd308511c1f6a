//! What must hold of every crowd: the methods of `quality` on invented ones, and against
//! another implementation.

#[path = "crowd/invented.rs"]
mod invented;

use std::collections::BTreeMap;

use piecework_core::quality::{
    Crowd, Judgement, Opinion, Overlap, Record, Refinement, Refiner, majority,
};
use piecework_core::{TaskNumber, WorkerId};
use proptest::prelude::*;

use invented::{Dice, Invented, Recipe, collected, invent};

const PLAIN: Recipe = Recipe {
    tasks: 300,
    workers: 40,
    classes: 3,
    votes_per_task: 6,
    accuracy: (0.55, 0.95),
    spammers: 0.0,
    leaning: 0.0,
    shared: 0.0,
};

fn crowds() -> Vec<(&'static str, Recipe)> {
    vec![
        ("plain", PLAIN),
        ("spammers", Recipe { spammers: 0.4, ..PLAIN }),
        ("leaning", Recipe { leaning: 0.6, classes: 4, ..PLAIN }),
        ("shared errors", Recipe { shared: 0.2, classes: 2, votes_per_task: 10, ..PLAIN }),
        ("many classes", Recipe { classes: 20, ..PLAIN }),
        ("few labels", Recipe { votes_per_task: 3, classes: 2, workers: 60, ..PLAIN }),
        ("very few labels", Recipe { votes_per_task: 3, classes: 2, tasks: 60, ..PLAIN }),
    ]
}

fn refined(made: &Invented, refiner: Refiner) -> BTreeMap<u32, Opinion> {
    let refinement = Refinement::start(made.collected().table(), refiner).settled();
    refinement.opinions().map(|(task, opinion)| (task.0, opinion)).collect()
}

fn by_task(made: &Invented) -> BTreeMap<u32, Vec<(WorkerId, u16)>> {
    let mut tasks: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (task, worker, class) in &made.votes {
        tasks.entry(task.0).or_default().push((*worker, *class));
    }
    tasks
}

fn by_majority(made: &Invented) -> f64 {
    let tasks = by_task(made);
    made.percent(|task| {
        let votes: Vec<u16> = tasks.get(&task)?.iter().map(|(_, class)| *class).collect();
        majority(&votes, made.classes).map(|o| o.answer)
    })
}

#[test]
fn the_default_is_never_much_below_majority_and_finds_spammers() {
    for (name, recipe) in crowds() {
        let (mut default, mut most) = (0.0, 0.0);
        for seed in 1..=5 {
            let made = invent(recipe, seed);
            let opinions = refined(&made, Refiner::Smoothed);
            default += made.percent(|task| opinions.get(&task).map(|o| o.answer)) / 5.0;
            most += by_majority(&made) / 5.0;
        }
        assert!(default >= most - 1.0, "{name}: {default:.1} %, majority {most:.1} %");
        if name == "spammers" {
            assert!(default >= most + 3.0, "{name}: {default:.1} %, majority {most:.1} %");
        }
    }
}

#[test]
fn dynamic_overlap_saves_answers_and_loses_little() {
    for (name, recipe) in crowds() {
        let (mut used, mut dynamic, mut full) = (0.0, 0.0, 0.0);
        for seed in 1..=3 {
            let made = invent(recipe, seed);
            let bought = replayed(&made);
            used += 100.0 * bought.votes.len() as f64 / made.votes.len() as f64 / 3.0;
            let of = |made: &Invented| {
                let opinions = refined(made, Refiner::Smoothed);
                made.percent(|task| opinions.get(&task).map(|o| o.answer)) / 3.0
            };
            full += of(&made);
            dynamic += of(&bought);
        }
        assert!(dynamic >= full - 4.0, "{name}: {dynamic:.1} % of {full:.1} %, {used:.0} % used");
        if name == "plain" {
            assert!(used < 75.0, "{name}: {used:.0} % used");
        }
    }
}

/// What is left of a crowd's votes when sure tasks take none; refined every 200 votes.
fn replayed(made: &Invented) -> Invented {
    let overlap = Overlap { min: 2, max: u16::MAX, target_ppm: 950_000 };
    let mut crowd = Crowd::new(made.classes);
    let mut bought = Invented { votes: Vec::new(), ..made.clone() };
    let mut tasks: BTreeMap<u32, (Vec<(WorkerId, u16)>, bool)> = BTreeMap::new();
    for (task, worker, class) in &made.votes {
        let (votes, is_sure) = tasks.entry(task.0).or_default();
        if *is_sure {
            continue;
        }
        votes.push((*worker, *class));
        bought.votes.push((*task, *worker, *class));
        *is_sure = overlap
            .is_sure(crowd.opinion(votes).confidence_ppm(), u16::try_from(votes.len()).unwrap());
        if bought.votes.len().is_multiple_of(200) {
            let table = collected(made.classes, &bought.votes).table();
            let evidence = Refinement::start(table, Refiner::Smoothed).settled().evidence();
            crowd.adopt(&evidence.expect("smoothed and settled"));
        }
    }
    bought
}

#[test]
fn a_worker_s_interval_holds_its_true_accuracy_nine_times_in_ten() {
    let (mut held, mut all) = (0, 0);
    for seed in 1..=12 {
        let recipe = Recipe { tasks: 400, votes_per_task: 5, accuracy: (0.6, 0.95), ..PLAIN };
        let made = invent(recipe, seed);
        let table = made.collected().table();
        let refinement = Refinement::start(table, Refiner::Smoothed).settled();
        let mut crowd = Crowd::new(made.classes);
        crowd.adopt(&refinement.evidence().expect("smoothed and settled"));
        let mut records = vec![Record::default(); made.accuracy.len()];
        for votes in by_task(&made).values() {
            for (own, (worker, class)) in votes.iter().enumerate() {
                let mut others = votes.clone();
                others.remove(own);
                let judged = Judgement::by_agreement(*class, &crowd.opinion(&others));
                judged.into_iter().for_each(|j| records[worker.0 as usize].judge(j));
            }
        }
        for (record, accuracy) in records.iter().zip(&made.accuracy) {
            let standing = record.standing();
            held += u32::from(standing.low <= *accuracy && *accuracy <= standing.high);
            all += 1;
        }
    }
    let share = 100.0 * f64::from(held) / f64::from(all);
    assert!((85.0..=95.0).contains(&share), "{share:.1} % of {all}");
}

#[test]
fn majority_and_dawid_skene_are_those_of_crowd_kit() {
    let mut votes = Vec::new();
    let mut expected = BTreeMap::new();
    for line in include_str!("crowd/golden.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells[at].parse::<i64>().expect("a number");
        let small = |at: usize| u32::try_from(number(at)).expect("a small number");
        let class = u16::try_from(number(2)).expect("a class");
        votes.push((TaskNumber(small(0)), WorkerId(small(1)), class));
        let probability: f64 = cells[5].parse().expect("a probability");
        expected.insert(small(0), (number(3), number(4), probability));
    }
    let truth = vec![0; expected.len()];
    let made = Invented { classes: 4, votes, truth, accuracy: Vec::new() };
    let opinions = refined(&made, Refiner::DawidSkene);
    for (task, votes) in by_task(&made) {
        let (most, dawid_skene, probability) = expected[&task];
        let opinion = &opinions[&task];
        assert_eq!(i64::from(opinion.answer), dawid_skene, "task {task}: {opinion:?}");
        let off = (opinion.confidence() - probability).abs();
        assert!(off < 1e-5, "task {task}: {opinion:?}, not {probability}");
        let classes: Vec<u16> = votes.iter().map(|(_, class)| *class).collect();
        let ours = majority(&classes, made.classes).map(|o| i64::from(o.answer));
        assert!(most < 0 || ours == Some(most), "task {task}: {ours:?}, not {most}");
    }
}

#[test]
fn what_is_known_is_certain_and_teaches() {
    // Two groups of workers contradict each other; gold says which one is right.
    let mut votes = piecework_core::quality::Votes::new(2);
    for task in 1..=40u32 {
        for worker in 1..=4u32 {
            let truth = u16::from(task % 2 == 0);
            let given = if worker <= 2 { truth } else { 1 - truth };
            votes.put(TaskNumber(task), WorkerId(worker), given);
        }
    }
    for task in 1..=10u32 {
        votes.know(TaskNumber(task), u16::from(task % 2 == 0));
    }
    let refinement = Refinement::start(votes.table(), Refiner::Smoothed).settled();
    for (task, opinion) in refinement.opinions() {
        assert_eq!(opinion.answer, u16::from(task.0 % 2 == 0), "task {task}");
        assert!(task.0 > 10 || opinion.confidence() >= 1.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Posteriors sum to one; neither the order of arrival nor the slices matter, to the bit.
    #[test]
    fn posteriors_sum_to_one_and_order_is_nothing(
        seed in any::<u64>(), classes in 2u16..6, votes_per_task in 1u32..5, slice in 1usize..500,
    ) {
        let recipe = Recipe { tasks: 30, workers: 8, classes, votes_per_task, spammers: 0.2, ..PLAIN };
        let made = invent(recipe, seed);
        let mut turned = made.clone();
        Dice(seed ^ 1).shuffle(&mut turned.votes);
        for refiner in [Refiner::Smoothed, Refiner::DawidSkene] {
            let opinions = refined(&made, refiner);
            prop_assert_eq!(&opinions, &refined(&turned, refiner));
            let mut sliced = Refinement::start(made.collected().table(), refiner);
            while !sliced.work(slice) {}
            for (task, opinion) in sliced.opinions() {
                prop_assert_eq!(&opinion, &opinions[&task.0]);
                prop_assert!((opinion.posterior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }

    /// The online posterior sums to one, and who is found right gains by it.
    #[test]
    fn learning_tells_who_is_right(seed in any::<u64>(), classes in 2u16..6) {
        let recipe = Recipe { tasks: 20, workers: 8, classes, ..PLAIN };
        let made = invent(recipe, seed);
        let tasks = by_task(&made);
        let mut crowd = Crowd::new(classes);
        for votes in tasks.values() {
            let opinion = crowd.opinion(votes);
            prop_assert!((opinion.posterior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            crowd.learn(votes, &opinion.posterior);
        }
        let before: Vec<f64> = (0..8).map(|w| crowd.accuracy(WorkerId(w))).collect();
        let more = [(WorkerId(1), 0), (WorkerId(2), 1)];
        let mut posterior = vec![0.0; usize::from(classes)];
        posterior[0] = 1.0;
        crowd.learn(&more, &posterior);
        prop_assert!(crowd.accuracy(WorkerId(1)) > before[1]);
        prop_assert!(crowd.accuracy(WorkerId(2)) < before[2]);
    }
}
