//! First answer and majority vote per choice field; a tie goes to the answer
//! given first. And how each answer stands to the majority of the *others*.
//!
//! Not here: ratings (`rating.rs`), methods over classes alone (`majority.rs` and others).

use crate::event::{FieldVotes, ResultAnswer};
use crate::lease::{Lease, Submitted};
use crate::project::Aggregation;
use crate::schema::{Choices, FieldKind, Schema};
use crate::{Fingerprint, LeaseId, Revision, WorkerId};

/// What the counted answers of a task say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) answer: Option<ResultAnswer>,
    pub(crate) confidence_ppm: u32,
    pub(crate) votes: Vec<FieldVotes>,
    /// The counted leases, first answer first.
    pub(crate) counted: Vec<LeaseId>,
    /// Of what the answer says, whoever said it.
    pub(crate) content: Fingerprint,
}

/// What a method other than the vote says of a class field: its index, its classes, the
/// votes in order of arrival; the class and how sure it is, in millionths. `None`: the
/// vote decides.
pub(crate) type Opine<'a> = dyn FnMut(u16, u16, &[(WorkerId, u16)]) -> Option<(u16, u32)> + 'a;

/// Counts the votes of a task's counted leases.
///
/// `schema` is that of the newest revision among them. Cost: answers × fields.
pub(crate) fn aggregate(
    leases: &[Lease],
    schema: &Schema,
    revision: Revision,
    method: Aggregation,
    opine: &mut Opine<'_>,
) -> Verdicts {
    let mut counted: Vec<(&Lease, &Submitted)> =
        leases.iter().filter_map(|l| l.counted().map(|s| (l, s))).collect();
    counted.sort_by_key(|(_, s)| s.order);
    let mut verdicts = Verdicts {
        answer: None,
        confidence_ppm: 0,
        votes: Vec::new(),
        counted: counted.iter().map(|(l, _)| l.id).collect(),
        content: Fingerprint::default(),
    };
    let Some((first, first_answer)) = counted.first() else { return verdicts };

    let answers: Vec<&Choices> = counted.iter().map(|(_, s)| &s.choices).collect();
    let mut choices: Choices = vec![None; schema.fields.len()];
    let mut surest = u32::MAX;
    for (index, field) in schema.fields.iter().enumerate() {
        let FieldKind::Choice(of) = &field.kind else { continue };
        let tally = tally(&answers, index);
        let field = u16::try_from(index).unwrap_or(u16::MAX);
        let vote = |(l, s): &(&Lease, &Submitted)| {
            Some((l.worker, s.choices.get(index).copied().flatten()?))
        };
        let votes: Vec<(WorkerId, u16)> = counted.iter().filter_map(vote).collect();
        let classes = u16::try_from(of.len()).unwrap_or(u16::MAX);
        let opinion = if votes.is_empty() { None } else { opine(field, classes, &votes) };
        let vote = || tally.winner(&answers, index).map(|won| (won, tally.share_ppm(won)));
        if let Some((class, confidence_ppm)) = opinion.or_else(vote) {
            choices[index] = Some(class);
            surest = surest.min(confidence_ppm);
        }
        verdicts.votes.push(FieldVotes { field, votes: tally.votes });
    }
    if method == Aggregation::First || !schema.has_choices() {
        let same = counted.iter().filter(|(_, s)| s.answer == first_answer.answer).count();
        verdicts.confidence_ppm = share_ppm(same, counted.len());
        verdicts.answer = Some(ResultAnswer::Of(first.id));
        verdicts.content = first_answer.answer;
    } else {
        let said: Vec<[u8; 3]> = choices.iter().map(|choice| said(*choice)).collect();
        verdicts.content = Fingerprint::of(&[said.as_flattened()]);
        verdicts.confidence_ppm = if surest == u32::MAX { 0 } else { surest };
        verdicts.answer = Some(match counted.len() {
            1 if first_answer.choices == choices => ResultAnswer::Of(first.id),
            _ => ResultAnswer::Choices { revision, choices },
        });
    }
    verdicts
}

fn said(choice: Option<u16>) -> [u8; 3] {
    let [low, high] = choice.unwrap_or_default().to_le_bytes();
    [u8::from(choice.is_some()), low, high]
}

/// Whether each counted answer agrees with the majority of the others: over all
/// choice fields on which at least two others voted and did not tie.
pub(crate) fn judge(leases: &[Lease]) -> Vec<(LeaseId, Option<bool>)> {
    let counted: Vec<(&Lease, &Submitted)> =
        leases.iter().filter_map(|l| l.counted().map(|s| (l, s))).collect();
    let answers: Vec<&Choices> = counted.iter().map(|(_, s)| &s.choices).collect();
    let fields = answers.iter().map(|a| a.len()).max().unwrap_or_default();
    let tallies: Vec<Tally> = (0..fields).map(|index| tally(&answers, index)).collect();
    counted
        .iter()
        .map(|(lease, answer)| {
            let mut agrees = None;
            for (index, tally) in tallies.iter().enumerate() {
                let Some(own) = answer.choices.get(index).copied().flatten() else { continue };
                if let Some(others) = tally.majority_without(own) {
                    agrees = Some(agrees.unwrap_or(true) && others == own);
                }
            }
            (lease.id, agrees)
        })
        .collect()
}

/// Votes on one field: (choice, votes), ascending by choice.
struct Tally {
    votes: Vec<(u16, u32)>,
}

fn tally(answers: &[&Choices], field: usize) -> Tally {
    let mut votes: Vec<(u16, u32)> = Vec::new();
    for choice in answers.iter().filter_map(|a| a.get(field).copied().flatten()) {
        match votes.binary_search_by_key(&choice, |(c, _)| *c) {
            Ok(at) => votes[at].1 += 1,
            Err(at) => votes.insert(at, (choice, 1)),
        }
    }
    Tally { votes }
}

impl Tally {
    /// The choice with most votes; of equals the one that was given first.
    fn winner(&self, answers: &[&Choices], field: usize) -> Option<u16> {
        let most = self.votes.iter().map(|(_, n)| *n).max()?;
        let leads = |choice: u16| self.votes.iter().any(|(c, n)| *c == choice && *n == most);
        answers.iter().filter_map(|a| a.get(field).copied().flatten()).find(|c| leads(*c))
    }

    fn share_ppm(&self, choice: u16) -> u32 {
        let votes = |(c, n): &(u16, u32)| if *c == choice { *n as usize } else { 0 };
        let all: usize = self.votes.iter().map(|(_, n)| *n as usize).sum();
        share_ppm(self.votes.iter().map(votes).sum(), all)
    }

    /// The majority among the others of one who voted `own`; `None` with fewer
    /// than two others, or a tie.
    fn majority_without(&self, own: u16) -> Option<u16> {
        let (mut best, mut tied, mut others) = ((0, 0), false, 0);
        for (choice, votes) in &self.votes {
            let votes = votes - u32::from(*choice == own);
            others += votes;
            if votes > best.1 {
                (best, tied) = ((*choice, votes), false);
            } else if votes == best.1 && votes > 0 {
                tied = true;
            }
        }
        (others >= 2 && !tied).then_some(best.0)
    }
}

fn share_ppm(part: usize, whole: usize) -> u32 {
    let ppm = (part as u64 * 1_000_000).checked_div(whole as u64).unwrap_or_default();
    u32::try_from(ppm).unwrap_or(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::LeaseState;
    use crate::schema::Field;
    use crate::submission::Verdict;
    use crate::{EngineTime, Millis, WallTime};

    fn lease(number: u32, order: u32, choice: u16) -> Lease {
        let id = LeaseId { number, ..LeaseId::default() };
        let state = LeaseState::Submitted(Submitted {
            verdict: Verdict::Counted,
            payable_micros: 0,
            answer: Fingerprint(u128::from(choice)),
            choices: vec![Some(choice)],
            judged: None,
            at: WallTime(0),
            took: Millis(0),
            order,
        });
        Lease {
            id,
            worker: WorkerId(number),
            request: 0,
            revision: Revision(1),
            granted: EngineTime(0),
            granted_wall: WallTime(0),
            claim_by: None,
            draft: false,
            deadline: EngineTime(0),
            state,
        }
    }

    fn schema() -> Schema {
        let choices = FieldKind::Choice(vec!["a".into(), "b".into(), "c".into()]);
        Schema { fields: vec![Field { name: "label".into(), kind: choices, required: true }] }
    }

    fn winner(leases: &[Lease]) -> (Choices, u32) {
        let v =
            aggregate(leases, &schema(), Revision(1), Aggregation::Majority, &mut |_, _, _| None);
        match v.answer {
            Some(ResultAnswer::Choices { choices, .. }) => (choices, v.confidence_ppm),
            other => panic!("no vote: {other:?}"),
        }
    }

    #[test]
    fn a_tie_goes_to_the_answer_given_first_not_to_the_older_lease() {
        let leases = [lease(1, 2, 0), lease(2, 1, 1)];
        assert_eq!(winner(&leases), (vec![Some(1)], 500_000));
    }

    #[test]
    fn most_votes_win_with_their_share_as_confidence() {
        let leases = [lease(1, 1, 0), lease(2, 2, 1), lease(3, 3, 1)];
        assert_eq!(winner(&leases), (vec![Some(1)], 666_666));
    }

    #[test]
    fn an_answer_is_judged_by_at_least_two_others_that_do_not_tie() {
        let of = |choices: &[u16]| -> Vec<Option<bool>> {
            let leases: Vec<Lease> = (1..).zip(choices).map(|(n, c)| lease(n, n, *c)).collect();
            judge(&leases).into_iter().map(|(_, agrees)| agrees).collect()
        };
        assert_eq!(of(&[0, 0]), [None, None]);
        assert_eq!(of(&[0, 0, 1]), [None, None, Some(false)]);
        assert_eq!(of(&[0, 0, 0]), [Some(true), Some(true), Some(true)]);
        assert_eq!(of(&[0, 0, 0, 1]), [Some(true), Some(true), Some(true), Some(false)]);
    }
}
