//! What the refiner tells the engine of a project whose answers it went through.
//!
//! Not here: going through them (`quality::Refinement`; the server's refiner).

use std::sync::Arc;

use crate::quality::Evidence;
use crate::{EngineTime, ProjectId, TaskNumber};

/// What all answers on one field of a project say of its crowd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learn {
    /// Which project.
    pub project: ProjectId,
    /// Index of the field in its schema.
    pub field: u16,
    /// It rests on the answers until then.
    pub through: EngineTime,
    /// What it is.
    pub evidence: Arc<Evidence>,
}

/// What all answers of a project say of some of its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refine {
    /// Which project.
    pub project: ProjectId,
    /// At most `REFINED_PER_COMMAND_MAX`.
    pub tasks: Vec<RefinedTask>,
}

/// What they say of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefinedTask {
    /// Which.
    pub task: TaskNumber,
    /// Number of its newest counted answer; with another it is passed over.
    pub answers: u32,
    /// Revision of its result, zero for none; with another it is passed over.
    pub revision: u32,
    /// Fields that were looked at.
    pub fields: Vec<FieldOpinion>,
}

/// What they say of one field of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldOpinion {
    /// Its index in the schema.
    pub field: u16,
    /// The class held true.
    pub class: u16,
    /// How sure that is, in millionths.
    pub confidence_ppm: u32,
}
