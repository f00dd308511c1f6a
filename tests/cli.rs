//! The command line as people and scripts use it: output, exit status, messages.

mod quality;
mod replaying;

use std::path::Path;

use piecework_client::proto::v1::{LeaseReturn, ReturnLeasesRequest, ReturnReason};

use crate::harness::{Daemon, label_of, piecework, piecework_at};

fn shown(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[tokio::test]
async fn a_wrong_line_in_a_file_of_tasks_imports_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let file = daemon.home().join("tasks.jsonl");
    let file = shown(&file);
    for (text, place, problem) in [
        ("{\"payload\":1}\n{\"payload\":2,\"colour\":\"red\"}\n", ":2:", "colour"),
        ("{\"payload\":1}\n\n{\"payload\":}\n", ":3:", "expected value"),
        ("{\"payload\":1,\"overlap\":1001}\n", ":1", "overlap"),
        ("{\"payload\":1,\"id\":\"a b\"}\n", ":1", "id"),
    ] {
        std::fs::write(file, text).expect("written");
        let ran = piecework_at(&daemon.server(), &["submit", "p", file]).await;
        ran.ended(2).says(&[&format!("{file}{place}"), problem]);
    }
    assert!(platform.list_tasks(&project, "").await.is_empty());
    let ran = piecework_at(&daemon.server(), &["submit", "p", "nowhere.jsonl"]).await;
    ran.ended(2).says(&["nowhere.jsonl"]);
    std::fs::write(file, "{\"payload\":1}\n").expect("written");
    let ran = piecework_at(&daemon.server(), &["submit", "unknown", file]).await;
    ran.ended(1).says(&["projects/unknown", "PROJECT_NOT_FOUND"]);
}

#[tokio::test]
async fn a_file_submitted_again_imports_nothing_twice() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let jsonl = daemon.home().join("tasks.jsonl");
    let lines: String = (0..1_500).map(|n| format!("{{\"payload\":{{\"n\":{n}}}}}\n")).collect();
    std::fs::write(&jsonl, lines + "{\"id\":\"own\",\"payload\":\"text\"}\n").expect("written");
    let csv = daemon.home().join("tasks.csv");
    std::fs::write(&csv, "id,url,label.batch\nc1,http://x/1,7\nc2,http://x/2,7\n")
        .expect("written");
    for (file, tasks) in [(&jsonl, 1_501), (&csv, 2)] {
        for round in 0..2 {
            let args = ["-o", "json", "submit", "p", shown(file)];
            let summary = piecework_at(&daemon.server(), &args).await.ended(0).json();
            assert_eq!(summary["tasks"], tasks, "{summary}");
            let (new, old) = if round == 0 { (tasks, 0) } else { (0, tasks) };
            assert_eq!((&summary["created"], &summary["existed"]), (&new.into(), &old.into()));
        }
    }
    assert_eq!(platform.list_tasks(&project, "").await.len(), 1_503);
    let task = platform.task(&format!("{project}/tasks/own")).await;
    assert_eq!(&task.payload[..], b"text");
    assert_eq!(platform.task(&format!("{project}/tasks/c1")).await.labels["batch"], "7");
}

#[tokio::test]
async fn an_unreachable_daemon_is_told_with_its_address() {
    let mut daemon = Daemon::start().await;
    let server = daemon.server();
    daemon.kill().await;
    for args in [&["project", "list"][..], &["watch", "p"], &["work", "p", "--worker", "w"]] {
        piecework_at(&server, args).await.ended(4).says(&[&server, "cannot be reached"]);
    }
    piecework_at("no address", &["project", "list"]).await.ended(2).says(&["no address"]);
}

#[tokio::test]
async fn projects_are_created_and_printed_in_every_format() {
    let daemon = Daemon::start().await;
    let server = daemon.server();
    let run = async |args: &[&str]| piecework_at(&server, args).await;
    run(&["requester", "create", "acme"]).await.ended(0);
    let choices = ["--choices", "label=cat,dog", "--overlap", "3", "--lease", "90s"];
    let create = [&["project", "create", "cats", "--requester", "acme"][..], &choices].concat();
    run(&create).await.ended(0);
    run(&create).await.ended(0);
    let other = ["project", "create", "cats", "--requester", "acme", "--overlap", "5"];
    run(&other).await.ended(1).says(&["ID_TAKEN"]);
    run(&["project", "create", "dogs", "--requester", "nobody"]).await.ended(1);

    let json = run(&["-o", "json", "project", "list"]).await.ended(0).json();
    assert_eq!(json.as_array().map(Vec::len), Some(1));
    assert_eq!((&json[0]["name"], &json[0]["overlap"]), (&"projects/cats".into(), &3.into()));
    assert_eq!(json[0]["leasePolicy"]["duration"], "90s");
    let csv = run(&["project", "list", "-o", "csv"]).await.ended(0).stdout;
    let mut lines = csv.lines();
    assert!(lines.next().expect("a header").starts_with("project,state,requester,title,overlap"));
    assert!(lines.next().expect("a row").starts_with("cats,ACTIVE,acme,cats,3"), "{csv}");
    let table = run(&["project", "list", "-o", "table"]).await.ended(0).stdout;
    assert!(table.starts_with("project") && table.contains("cats"), "{table}");
    assert!(!table.contains('\u{1b}'), "NO_COLOR is honoured");
    run(&["project", "pause", "cats"]).await.ended(0);
    let paused = run(&["-o", "json", "project", "get", "cats"]).await.ended(0).json();
    assert_eq!(paused["state"], "PROJECT_STATE_PAUSED");
    run(&["project", "get", "workers/x"]).await.ended(2);
    run(&["project", "frobnicate"]).await.ended(2);
}

#[tokio::test]
async fn a_program_works_and_its_results_are_watched() {
    let daemon = Daemon::start().await;
    let server = daemon.server();
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let file = daemon.home().join("tasks.jsonl");
    std::fs::write(&file, "{\"payload\":\"a\"}\n{\"payload\":\"b\"}\n{\"payload\":\"bad\"}\n")
        .expect("written");
    let run = async |args: &[&str]| piecework_at(&server, args).await;
    run(&["submit", "p", shown(&file)]).await.ended(0);
    run(&["worker", "create", "ai", "--kind", "ai"]).await.ended(0);
    // Says what the payload says; fails on the one that is no choice.
    let program = "read -r text; [ \"$text\" != bad ] && echo \"$text\"";
    let work = ["work", "p", "--worker", "ai", "--exec", program, "-o", "jsonl"];
    let ran = run(&work).await.ended(0).says(&["answers taken: 2"]);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert_eq!(platform.stats(&project).await.returns, 1);
    assert_eq!(platform.stats(&project).await.live_leases, 0);

    let watched = run(&["watch", "p", "--count", "2"]).await.ended(0).says(&["resume with"]);
    let mut said = Vec::new();
    for line in watched.stdout.lines() {
        let result: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let task = result["task"].as_str().expect("a name").to_owned();
        said.push((platform.task(&task).await.payload, result));
    }
    assert_eq!(said.len(), 2);
    for result in platform.results(&project).await {
        let payload = platform.task(&result.task).await.payload;
        assert_eq!(label_of(&result.answer).as_bytes(), &payload[..]);
    }
    // From the token it printed on, there is nothing but what comes next.
    let token = watched.stderr.split("--from ").nth(1).expect("a token").trim().to_owned();
    platform.tasks(&project, &["c"]).await;
    run(&work).await.ended(0);
    let next = run(&["watch", "p", "--count", "1", "--from", &token]).await.ended(0);
    assert!(next.stdout.contains("projects/p/tasks/c"), "{}", next.stdout);
    run(&["watch", "p", "--from", "zz"]).await.ended(1).says(&["RESUME_TOKEN_INVALID"]);
}

#[tokio::test]
async fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = piecework(&["completions", shell]).await.ended(0).stdout;
        for verb in ["serve", "submit", "replay"] {
            assert!(script.contains(verb), "{shell} does not complete {verb}");
        }
    }
    piecework(&["completions", "dos"]).await.ended(2);
}

#[tokio::test]
async fn a_wrong_recording_is_told_with_line_and_column() {
    let home = tempfile::tempdir().expect("temp");
    let labels = home.path().join("labels.csv");
    for (text, place, problem) in [
        ("task,worker,label\nt1,w1,a\nt2,,b\n", "labels.csv:3: column 2", "is empty"),
        ("task,worker\nt1,w1\n", "labels.csv:1", "label"),
        ("task,worker,label\nt1,w1\n", "labels.csv:2", "fields"),
        ("task,worker,label\n", "labels.csv", "no rows"),
    ] {
        std::fs::write(&labels, text).expect("written");
        piecework(&["replay", shown(home.path())]).await.ended(2).says(&[place, problem]);
    }
    piecework(&["replay", "/nowhere"]).await.ended(2).says(&["/nowhere/labels.csv"]);
}

#[tokio::test]
async fn the_demo_shows_expiry_late_answers_and_all_results() {
    let begun = std::time::Instant::now();
    let report = piecework(&["demo", "-o", "json"]).await.ended(0).json();
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert_eq!((number("tasks"), number("results")), (2_000, 2_000));
    assert_eq!(number("answers_counted"), 6_000);
    assert_eq!((number("answers_per_task_min"), number("answers_per_task_max")), (3, 3));
    assert!(number("leases_expired") > 0 && number("late_answers_counted") > 0, "{report}");
    assert!(report["accuracy"].as_f64().is_some_and(|share| share > 0.8), "{report}");
}

#[tokio::test]
async fn a_share_that_is_set_is_a_share_that_is_shown() {
    let daemon = Daemon::start().await;
    let server = daemon.server();
    let run = async |args: &[&str]| piecework_at(&server, args).await;
    let json = async |args: &[&str]| {
        let args = [&["-o", "json"][..], args].concat();
        piecework_at(&server, &args).await.ended(0).json()
    };
    let shown = json(&["requester", "create", "plain"]).await;
    assert_eq!(shown["weight"], 100, "{shown}");
    let share = ["--weight", "300", "--tier-ceiling", "1", "--grants-per-minute", "60"];
    let create = [&["requester", "create", "acme", "--block", "mallory"][..], &share].concat();
    let shown = json(&create).await;
    assert_eq!((&shown["weight"], &shown["tierCeiling"]), (&300.into(), &1.into()));
    assert_eq!(shown["grantsPerMinute"], 60);
    assert_eq!(shown["blockedWorkers"], serde_json::json!(["workers/mallory"]));
    let update = ["requester", "update", "acme", "--weight", "200", "--block", "eve"];
    let update = [&update[..], &["--unblock", "mallory", "--allow", "workers/ann"]].concat();
    json(&update).await;
    let shown = json(&["requester", "get", "acme"]).await;
    assert_eq!((&shown["weight"], &shown["tierCeiling"]), (&200.into(), &1.into()));
    assert_eq!(shown["blockedWorkers"], serde_json::json!(["workers/eve"]));
    assert_eq!(shown["allowedWorkers"], serde_json::json!(["workers/ann"]));
    let table = run(&["requester", "list", "-o", "csv"]).await.ended(0).stdout;
    let row = table.lines().find(|line| line.starts_with("acme,")).expect("a row");
    assert!(row.ends_with(",200,1,60,1,1"), "{table}");
    run(&["requester", "update", "acme"]).await.ended(2).says(&["nothing to change"]);
    run(&["requester", "update", "acme", "--weight", "10001"]).await.says(&["requester.weight"]);

    let rules = ["--min-rating", "80", "--quota", "5", "--kind", "human"];
    let create = [&["project", "create", "cats", "--requester", "acme"][..], &rules].concat();
    assert_eq!(json(&create).await["tier"], 2);
    let update = ["project", "update", "cats", "--tier", "0", "--relax", "10m:rating=60"];
    json(&[&update[..], &["--relax", "1h", "--grants-per-minute", "30"]].concat()).await;
    let shown = json(&["project", "get", "cats"]).await;
    assert_eq!((&shown["tier"], &shown["grantsPerMinute"]), (&0.into(), &30.into()));
    let steps = &shown["relaxation"];
    assert_eq!((&steps[0]["after"], &steps[1]["after"]), (&"600s".into(), &"3600s".into()));
    let first = &steps[0]["requirements"];
    assert_eq!((&first["minRating"], &first["quotaPerWorker"]), (&60.into(), &5.into()));
    assert_eq!(first["kinds"], shown["requirements"]["kinds"]);
    let table = run(&["project", "get", "cats", "-o", "table"]).await.ended(0).stdout;
    assert!(table.contains("10m 0s, 1h 0m"), "{table}");
    let shown = json(&["project", "update", "cats", "--no-relax"]).await;
    assert!(shown.get("relaxation").is_none(), "{shown}");
    assert_eq!(shown["tier"], 0);
    let wrong = ["project", "update", "cats", "--relax", "10m:rating=90"];
    run(&wrong).await.ended(1).says(&["project.relaxation[0].requirements.min_rating"]);
    let shown = json(&[&wrong[..], &["--min-rating", "95"]].concat()).await;
    assert_eq!(shown["requirements"]["minRating"], 95);
    assert_eq!(shown["relaxation"][0]["requirements"]["minRating"], 90);
}

#[tokio::test]
async fn explain_and_offers_tell_a_person_what_is_missing_and_what_helps() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await;
    at(&["requester", "create", "acme"]).await.ended(0);
    let create = ["project", "create", "maps", "--requester", "acme", "--skill", "lang:fi=70"];
    let paid = ["--reward", "0.05EUR", "--expected", "18s"];
    at(&[&create[..], &paid].concat()).await.ended(0);
    platform.numbered_tasks("projects/maps", 3).await;
    at(&["worker", "create", "ann"]).await.ended(0);
    let offers = at(&["offers", "--worker", "ann", "-o", "csv"]).await.ended(0);
    offers.prints(&["maps", "10.00 EUR", "lang:fi"]);
    at(&["work", "maps", "--worker", "ann", "--within", "7m", "--exec", "cat"]).await.ended(0);
    let told = at(&["explain", "task", "maps/tasks/~1"]).await.ended(0);
    told.prints(&["needed 70", "piecework worker grant ann lang:fi=70"]);
    let told = at(&["explain", "worker", "ann"]).await.ended(0);
    told.prints(&["Of 1 open projects, 0 have a task", "at least 2 tasks"]);
    at(&["worker", "grant", "ann", "lang:fi=70"]).await.ended(0);
    let args = ["-o", "json", "explain", "task", "maps/tasks/~1", "--worker", "ann"];
    let told = at(&args).await.ended(0).json();
    assert_eq!(told["couldLease"], 1, "{told}");
    let stats = at(&["project", "stats", "maps"]).await.ended(0);
    stats.prints(&["not known yet"]);
    at(&["explain", "task", "maps"]).await.ended(2).says(&["PROJECT/tasks/TASK"]);
    at(&["offers", "--worker", "nobody"]).await.ended(1).says(&["WORKER_NOT_FOUND"]);
}

#[tokio::test]
async fn the_command_that_is_advised_is_the_one_that_helps() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await;
    let explain = async |project: &str| {
        let task = format!("{project}/tasks/~1");
        let args = ["-o", "json", "explain", "task", &task, "--worker", "ann"];
        at(&args).await.ended(0).json()
    };
    at(&["requester", "create", "acme", "--block", "ann"]).await.ended(0);
    let create = ["project", "create", "cats", "--requester", "acme", "--region", "SE"];
    let relax = ["--relax", "1h:region=SE,region=NO", "--relax", "2h"];
    at(&[&create[..], &relax].concat()).await.ended(0);
    platform.numbered_tasks("projects/cats", 2).await;
    at(&["worker", "create", "ann", "--region", "FI", "--capacity", "1"]).await.ended(0);
    // One thing after the other stands in the way, and each advice is followed.
    for (reason, advice) in [
        ("WORKER_BLOCKED", "piecework requester update acme --unblock ann"),
        ("REGION_MISMATCH", "piecework project update cats --region FI"),
    ] {
        let told = explain("cats").await;
        let nearest = &told["obstacles"][0]["nearest"];
        assert_eq!(nearest["reason"], format!("ERROR_REASON_{reason}"), "{told}");
        assert_eq!(nearest["remedy"], advice, "{told}");
        let args: Vec<&str> = advice.split(' ').skip(1).collect();
        at(&args).await.ended(0);
    }
    assert_eq!(explain("cats").await["couldLease"], 1);
    let shown = at(&["-o", "json", "project", "get", "cats"]).await.ended(0).json();
    let regions = |step: &serde_json::Value| step["requirements"]["regions"].to_string();
    assert_eq!(regions(&shown), r#"["SE","FI"]"#);
    assert_eq!(regions(&shown["relaxation"][0]), r#"["SE","NO","FI"]"#);
    let nothing = ["project", "update", "cats"];
    at(&nothing).await.ended(2).says(&["--region"]);

    let lease = platform.lease("workers/ann", "projects/cats").await;
    let told = at(&["explain", "worker", "ann"]).await.ended(0);
    told.prints(&["piecework worker update ann --capacity 2"]);
    at(&["worker", "update", "ann", "--capacity", "2"]).await.ended(0);
    let told = at(&["-o", "json", "explain", "worker", "ann"]).await.ended(0).json();
    assert!(told.get("blocked").is_none(), "{told}");
    at(&["worker", "update", "ann"]).await.ended(2).says(&["--capacity"]);

    // Three say that a task is broken; the advice mends that, too.
    let report = async |worker: &str, lease: String| {
        let reason = ReturnReason::BrokenTask.into();
        let comment = String::new();
        let returns = vec![LeaseReturn { lease, reason, comment }];
        let request = ReturnLeasesRequest { worker: worker.to_owned(), returns };
        platform.client.dispatch().return_leases(request).await.expect("an answer");
    };
    report("workers/ann", lease.name).await;
    for worker in ["bob", "cid"] {
        at(&["worker", "create", worker, "--region", "FI"]).await.ended(0);
        let worker = format!("workers/{worker}");
        let lease = platform.lease(&worker, "projects/cats").await;
        report(&worker, lease.name).await;
    }
    let told = at(&["explain", "task", "cats/tasks/~1"]).await.ended(0);
    told.prints(&["Nobody gets it", "piecework task requeue cats/tasks/~1"]);
    at(&["task", "requeue", "cats/tasks/~1"]).await.ended(0).prints(&["OPEN"]);
    at(&["task", "requeue", "cats/tasks/~1"]).await.ended(1).says(&["TASK_NOT_FAILED"]);
}

#[tokio::test]
async fn a_family_on_bad_connections_loses_no_finished_answer() {
    let begun = std::time::Instant::now();
    let args = ["demo", "--scenario", "family", "-o", "json"];
    let report = piecework(&args).await.ended(0).json();
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert_eq!((number("answers_lost"), number("answers_doubled")), (0, 0), "{report}");
    assert_eq!(number("answers_finished"), number("answers_stored") + number("answers_refused"));
    assert!(number("answers_in_bursts") > 50 && number("connections_dropped") > 5, "{report}");
    assert_eq!((number("offline_taken"), number("offline_returned")), (10, 2), "{report}");
    assert_eq!(number("offline_calls_failed"), 1, "there was a network on the train");
    assert_eq!((number("box_asked_for"), number("box_granted")), (10, 3), "{report}");
    assert!(number("box_ends_within_seconds") <= 8 * 60, "{report}");
    assert_eq!((number("drafts_taken_up"), number("drafts_shown_to_others")), (4, 0), "{report}");
    piecework(&["demo", "--scenario", "circus"]).await.ended(2).says(&["family"]);
}
