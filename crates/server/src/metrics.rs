//! Every metric, declared once with unit and labels, and the way they are read.
//!
//! Prometheus conventions; no ids as labels; counts are maintained, never
//! scanned.
//!
//! Not here: where they are counted (`writer/meter.rs`, `rpc.rs`).

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use piecework_core::Totals;
use piecework_core::forecast::Flows;
use piecework_core::limits::RELAXATION_STEPS_MAX;
use piecework_storage::SnapshotInfo;

/// Always 1; labels `version`.
pub(crate) const BUILD_INFO: &str = "piecework_build_info";
/// Calls answered; labels `service`, `method`, `code`.
pub(crate) const RPCS: &str = "piecework_rpcs_total";
/// From a call's arrival to its answer's head; labels `service`, `method`.
pub(crate) const RPC_SECONDS: &str = "piecework_rpc_seconds";
/// Tasks now; label `state`.
pub(crate) const TASKS: &str = "piecework_tasks";
/// Leases that are live now.
pub(crate) const LIVE_LEASES: &str = "piecework_live_leases";
/// Projects now.
pub(crate) const PROJECTS: &str = "piecework_projects";
/// Workers known now.
pub(crate) const WORKERS: &str = "piecework_workers";
/// `Lease` calls that wait for work now.
pub(crate) const WAITING_WORKERS: &str = "piecework_waiting_lease_calls";
/// Projects whose places will not drain at the rates of the last fifteen minutes.
pub(crate) const PROJECTS_GROWING: &str = "piecework_projects_growing";
/// Projects whose longest waiting task has reached a step of their relaxation; label
/// `step`: which, from 1 on.
pub(crate) const PROJECTS_RELAXED: &str = "piecework_projects_relaxed";
/// Places that come, a minute, over the last fifteen.
pub(crate) const ARRIVALS: &str = "piecework_place_arrivals_per_minute";
/// Answers that count, a minute, over the last fifteen.
pub(crate) const COMPLETIONS: &str = "piecework_place_completions_per_minute";
/// Tasks created.
pub(crate) const TASKS_CREATED: &str = "piecework_tasks_created_total";
/// Leases granted.
pub(crate) const LEASES: &str = "piecework_leases_granted_total";
/// Looks for work that found none, those of waiting calls included.
pub(crate) const EMPTY_LEASES: &str = "piecework_empty_leases_total";
/// Leases that ran out.
pub(crate) const EXPIRIES: &str = "piecework_leases_expired_total";
/// Leases given back.
pub(crate) const RETURNS: &str = "piecework_leases_returned_total";
/// Answers; label `verdict`.
pub(crate) const SUBMISSIONS: &str = "piecework_submissions_total";
/// Commands refused; label `command`.
pub(crate) const REFUSALS: &str = "piecework_refusals_total";
/// From the start of a turn until its group is durable.
pub(crate) const COMMIT_SECONDS: &str = "piecework_commit_seconds";
/// Commands in one group.
pub(crate) const GROUP_COMMANDS: &str = "piecework_group_commands";
/// Bytes of the journal on disk, prepared segments included.
pub(crate) const JOURNAL_BYTES: &str = "piecework_journal_bytes";
/// Bytes that the journal wrote, with what goes around its groups.
pub(crate) const JOURNAL_WRITTEN: &str = "piecework_journal_written_bytes_total";
/// Syncs of the journal, each for all groups that had come by then.
pub(crate) const JOURNAL_SYNCS: &str = "piecework_journal_syncs_total";
/// Newest durable position.
pub(crate) const JOURNAL_POSITION: &str = "piecework_journal_position";
/// Refinements of a project that came to an end.
pub(crate) const REFINEMENTS: &str = "piecework_refinements_total";
/// How long a refinement took, its rests included.
pub(crate) const REFINEMENT_SECONDS: &str = "piecework_refinement_seconds";
/// Results that refinements changed.
pub(crate) const RESULTS_REVISED: &str = "piecework_results_revised_total";
/// Starts that found empty tables and filled them; label `from`: snapshot or journal.
pub(crate) const TABLES_REBUILT: &str = "piecework_tables_rebuilt_total";
/// How long checkpoints of the tables take.
pub(crate) const CHECKPOINT_SECONDS: &str = "piecework_checkpoint_seconds";
/// Position of the newest snapshot.
pub(crate) const SNAPSHOT_POSITION: &str = "piecework_snapshot_position";
/// The logged wall time of the newest snapshot, in seconds since 1970.
pub(crate) const SNAPSHOT_TIME: &str = "piecework_snapshot_timestamp_seconds";
/// Bytes of the newest snapshot's files, those that it shares included.
pub(crate) const SNAPSHOT_BYTES: &str = "piecework_snapshot_bytes";
/// How long the newest snapshot took to make, pauses included.
pub(crate) const SNAPSHOT_DURATION: &str = "piecework_snapshot_duration_seconds";
/// Snapshots that could not be made.
pub(crate) const SNAPSHOT_FAILURES: &str = "piecework_snapshot_failures_total";
/// 1: no snapshot can be made, since none that is whole reaches the journal.
pub(crate) const SNAPSHOT_BASE_LOST: &str = "piecework_snapshot_base_lost";

const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0];
const COMMANDS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sets up the recorder, once a process, and describes every metric.
///
/// # Errors
/// Another recorder stands already, or the buckets are wrong.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full(GROUP_COMMANDS.into()), &COMMANDS)?
        .install_recorder()?;
    describe();
    ::metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn describe() {
    describe_gauge!(BUILD_INFO, "Always 1; the label tells the version.");
    describe_counter!(RPCS, "Calls answered, by service, method and gRPC code.");
    describe_histogram!(RPC_SECONDS, Unit::Seconds, "From a call's arrival to its answer's head.");
    describe_gauge!(TASKS, "Tasks now, by state.");
    describe_gauge!(LIVE_LEASES, "Leases that are live now.");
    describe_gauge!(PROJECTS, "Projects now.");
    describe_gauge!(WORKERS, "Workers known now.");
    describe_gauge!(WAITING_WORKERS, "Lease calls that wait for work now.");
    describe_gauge!(PROJECTS_GROWING, "Projects that will not drain as it goes now.");
    describe_gauge!(PROJECTS_RELAXED, "Projects by the step of their relaxation in force.");
    describe_gauge!(ARRIVALS, "Places that come, a minute, over the last fifteen.");
    describe_gauge!(COMPLETIONS, "Answers that count, a minute, over the last fifteen.");
    describe_counter!(TASKS_CREATED, "Tasks created.");
    describe_counter!(LEASES, "Leases granted.");
    describe_counter!(EMPTY_LEASES, "Looks for work that found none.");
    describe_counter!(EXPIRIES, "Leases that ran out.");
    describe_counter!(RETURNS, "Leases given back.");
    describe_counter!(SUBMISSIONS, "Answers, by verdict.");
    describe_counter!(REFUSALS, "Commands refused, by command.");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "From a turn's start to a durable group.");
    describe_histogram!(GROUP_COMMANDS, "Commands in one group.");
    describe_gauge!(JOURNAL_BYTES, Unit::Bytes, "Bytes of the journal on disk.");
    describe_counter!(JOURNAL_WRITTEN, Unit::Bytes, "Bytes that the journal wrote.");
    describe_counter!(JOURNAL_SYNCS, "Syncs of the journal.");
    describe_gauge!(JOURNAL_POSITION, "Newest durable position.");
    describe_histogram!(CHECKPOINT_SECONDS, Unit::Seconds, "How long a checkpoint took.");
    describe_counter!(REFINEMENTS, "Refinements of a project that came to an end.");
    describe_histogram!(REFINEMENT_SECONDS, Unit::Seconds, "How long a refinement took.");
    describe_counter!(RESULTS_REVISED, "Results that refinements changed.");
    describe_counter!(TABLES_REBUILT, "Starts that filled empty tables, by from what.");
    describe_gauge!(SNAPSHOT_POSITION, "Position of the newest snapshot.");
    describe_gauge!(SNAPSHOT_TIME, Unit::Seconds, "Wall time of the newest snapshot.");
    describe_gauge!(SNAPSHOT_BYTES, Unit::Bytes, "Bytes of the newest snapshot's files.");
    describe_gauge!(SNAPSHOT_DURATION, Unit::Seconds, "How long the newest snapshot took.");
    describe_counter!(SNAPSHOT_FAILURES, "Snapshots that could not be made.");
    describe_gauge!(SNAPSHOT_BASE_LOST, "1: damaged snapshots keep new ones from being made.");
    // Rates must not begin with a hole.
    for name in [TASKS_CREATED, LEASES, EMPTY_LEASES, EXPIRIES, RETURNS] {
        ::metrics::counter!(name).absolute(0);
    }
    for name in [JOURNAL_WRITTEN, JOURNAL_SYNCS, REFINEMENTS, RESULTS_REVISED, SNAPSHOT_FAILURES] {
        ::metrics::counter!(name).absolute(0);
    }
    for from in ["snapshot", "journal"] {
        ::metrics::counter!(TABLES_REBUILT, "from" => from).absolute(0);
    }
    gauge(SNAPSHOT_BASE_LOST, 0);
}

/// Sets a gauge of whole things.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 things are enough")]
pub(crate) fn gauge(name: &'static str, value: u64) {
    ::metrics::gauge!(name).set(value as f64);
}

/// Sets the gauges of tasks by state.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 tasks are enough")]
pub(crate) fn tasks(totals: &Totals) {
    let states = [
        ("open", totals.open),
        ("done", totals.done),
        ("failed", totals.failed),
        ("cancelled", totals.cancelled),
    ];
    for (state, count) in states {
        ::metrics::gauge!(TASKS, "state" => state).set(count as f64);
    }
}

/// Sets the gauges of what comes and is worked off.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; rates need not be exact")]
pub(crate) fn flows(flows: &Flows) {
    gauge(PROJECTS_GROWING, flows.growing);
    ::metrics::gauge!(ARRIVALS).set(flows.arrivals_milli as f64 / 1_000.0);
    ::metrics::gauge!(COMPLETIONS).set(flows.completions_milli as f64 / 1_000.0);
}

/// Sets the gauges of projects by the step of their relaxation that is in force.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; projects are few")]
pub(crate) fn relaxed(projects: &[u64; RELAXATION_STEPS_MAX]) {
    for (step, count) in (1..).zip(projects) {
        let step: u32 = step;
        ::metrics::gauge!(PROJECTS_RELAXED, "step" => step.to_string()).set(*count as f64);
    }
}

/// A checkpoint was written.
pub(crate) fn checkpoint(took: Duration) {
    ::metrics::histogram!(CHECKPOINT_SECONDS).record(took);
}

/// A project was refined.
pub(crate) fn refined(took: Duration) {
    ::metrics::counter!(REFINEMENTS).increment(1);
    ::metrics::histogram!(REFINEMENT_SECONDS).record(took);
}

/// A refinement changed so many results.
pub(crate) fn revised(results: u32) {
    ::metrics::counter!(RESULTS_REVISED).increment(results.into());
}

/// A start filled empty tables. `from`: snapshot or journal.
pub(crate) fn tables_rebuilt(from: &'static str) {
    ::metrics::counter!(TABLES_REBUILT, "from" => from).increment(1);
}

/// Tells of the newest snapshot.
pub(crate) fn snapshot(newest: &SnapshotInfo) {
    gauge(SNAPSHOT_POSITION, newest.position.0);
    gauge(SNAPSHOT_TIME, newest.now.wall.0 / 1_000);
    gauge(SNAPSHOT_BYTES, newest.stored_bytes);
}

/// A snapshot was made.
pub(crate) fn snapshot_made(made: &SnapshotInfo, took: Duration) {
    snapshot(made);
    ::metrics::gauge!(SNAPSHOT_DURATION).set(took.as_secs_f64());
    gauge(SNAPSHOT_BASE_LOST, 0);
}

/// A snapshot could not be made. `base_lost`: nor will the next one.
pub(crate) fn snapshot_failed(base_lost: bool) {
    ::metrics::counter!(SNAPSHOT_FAILURES).increment(1);
    gauge(SNAPSHOT_BASE_LOST, u64::from(base_lost));
}
