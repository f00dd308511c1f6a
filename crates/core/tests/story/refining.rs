//! What the refiner says, and what a requester says of a result, in a story's words.

use piecework_core::Command;
use piecework_core::command::{FieldOpinion, Refine, RefinedTask, ResolveTask};
use piecework_core::schema::FieldKind;

use super::Story;
use super::options::{self, Words, number};

impl Story {
    /// `refine t1 dog 0.97 [stale]`: of the first field, at the task's answers and result
    /// as they are, or as they were one answer ago.
    pub(crate) fn refine(&self, words: &mut Words<'_>) -> Result<Command, String> {
        let id = self.task_id(words.need("task")?)?;
        let record = self.world.rows.tasks.get(&id).ok_or("nobody touched it")?;
        let choice = words.need("choice")?;
        let confidence: f64 = number(words.need("confidence")?)?;
        let schema = &self.world.rows.projects[&id.project].spec.terms.schema;
        let Some(FieldKind::Choice(choices)) = schema.fields.first().map(|f| &f.kind) else {
            return Err("the first field is no choice".into());
        };
        let class = choices.iter().position(|c| c == choice).ok_or("no such choice")?;
        let class = u16::try_from(class).map_err(|e| e.to_string())?;
        let confidence_ppm = number(&format!("{:.0}", confidence * 1e6))?;
        let opinion = FieldOpinion { field: 0, class, confidence_ppm };
        let stale = u32::from(words.next().is_some());
        let task = RefinedTask {
            task: id.number,
            answers: record.last_answer - stale,
            revision: record.result_revision,
            fields: vec![opinion],
        };
        Ok(Command::Refine(Refine { project: id.project, tasks: vec![task] }))
    }

    /// `resolve t1 cat`.
    pub(crate) fn resolve(&self, words: &mut Words<'_>) -> Result<Command, String> {
        let task = self.task_ref(words.need("task")?)?;
        let project = self.project_id(task.project.as_str())?;
        let schema = &self.world.rows.projects[&project].spec.terms.schema;
        let answer = options::answer(words.need("answer")?, schema);
        Ok(Command::ResolveTask(Box::new(ResolveTask { task, answer })))
    }
}
