//! stub
use piecework_core::change::Changed;
use piecework_core::{Limits, Now, Outcome, Position, Refusal, Request};
pub struct Model;
pub struct Predicted;
impl Model {
    pub fn new(_: Limits) -> Model {
        Model
    }
    pub fn apply(&mut self, _: Position, _: Now, _: &Request) -> Predicted {
        Predicted
    }
    pub fn compare(
        &self,
        _: &Predicted,
        _: &Result<Outcome, Refusal>,
        _: &[Changed],
    ) -> Result<(), String> {
        Ok(())
    }
    pub fn check(&self) -> Result<(), String> {
        Ok(())
    }
    pub fn unfinished(&self) -> Vec<String> {
        Vec::new()
    }
}
