//! `AdminService`.

use std::time::Duration;

use piecework_core::Millis;
use piecework_proto::v1;
use piecework_proto::v1::admin_service_server::AdminService;
use tonic::{Request, Response, Status};

use crate::drain::Drain;
use crate::services::{Life, StatusFacts, StatusSource};
use crate::wire::{field, status, to_wire, tokens};
use crate::writer::{self, SnapshotDesk};

/// The longest end that may be asked for.
const DRAIN_MAX: Millis = Millis::from_secs(3_600);

pub(crate) struct AdminApi {
    pub(crate) status: StatusSource,
    pub(crate) snapshots: SnapshotDesk,
    pub(crate) drain: Drain,
}

fn formatted(facts: &StatusFacts) -> v1::GetStatusResponse {
    let gauges = &facts.gauges;
    let state = match facts.life {
        Life::Serving => v1::DaemonState::Serving,
        Life::Draining => v1::DaemonState::Draining,
        Life::Stopped => v1::DaemonState::Stopped,
    };
    v1::GetStatusResponse {
        state: state.into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime: Some(to_wire::std_duration(facts.uptime)),
        durable_position: tokens::position(facts.durable),
        engine_time: Some(to_wire::duration(Millis(facts.engine_time.0))),
        wall_time: Some(to_wire::timestamp(writer::wall())),
        requesters: gauges.requesters,
        projects: gauges.projects,
        workers: gauges.workers,
        tasks: Some(v1::TaskCounts {
            open: gauges.tasks.open,
            done: gauges.tasks.done,
            failed: gauges.tasks.failed,
            cancelled: gauges.tasks.cancelled,
        }),
        live_leases: gauges.live_leases,
        journal: Some(v1::JournalStatus {
            bytes: facts.journal_bytes,
            segments: facts.journal_segments,
        }),
        tables: Some(v1::TablesStatus {
            checkpoint_position: tokens::position(facts.checkpoint),
            overlay_bytes: facts.overlay_bytes,
        }),
    }
}

#[tonic::async_trait]
impl AdminService for AdminApi {
    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(formatted(&(self.status)())))
    }

    async fn create_snapshot(
        &self,
        _: Request<v1::CreateSnapshotRequest>,
    ) -> Result<Response<v1::CreateSnapshotResponse>, Status> {
        let made = self.snapshots.create().await;
        let made = made.map_err(|why| status::no_snapshot(&why))?;
        let snapshot = Some(to_wire::snapshot::snapshot(&made));
        Ok(Response::new(v1::CreateSnapshotResponse { snapshot }))
    }

    async fn list_snapshots(
        &self,
        _: Request<v1::ListSnapshotsRequest>,
    ) -> Result<Response<v1::ListSnapshotsResponse>, Status> {
        let snapshots = self.snapshots.list().iter().map(to_wire::snapshot::snapshot).collect();
        Ok(Response::new(v1::ListSnapshotsResponse { snapshots }))
    }

    async fn drain(
        &self,
        request: Request<v1::DrainRequest>,
    ) -> Result<Response<v1::DrainResponse>, Status> {
        let within = request.into_inner().within;
        let within = within.map(|time| field::positive("within", time, DRAIN_MAX)).transpose()?;
        let remaining = self.drain.ask(within.map(|Millis(ms)| Duration::from_millis(ms)));
        let remaining = Some(to_wire::std_duration(remaining));
        Ok(Response::new(v1::DrainResponse { remaining }))
    }
}
