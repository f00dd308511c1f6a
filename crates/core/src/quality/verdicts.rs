//! First answer and majority vote per choice field; a tie goes to the answer
//! given first. And what the *others* say of each answer.
//!
//! Not here: what becomes of judgements (`record.rs`), methods over classes alone (`majority.rs` and others).

use super::judgement::{Judgement, Weighed};
use super::majority::majority;
use super::opinion::Opinion;
use crate::event::{FieldVotes, ResultAnswer};
use crate::lease::{Lease, Submitted};
use crate::planted::{self, Mistake};
use crate::project::Aggregation;
use crate::schema::{Choices, FieldKind, Schema};
use crate::{LeaseId, Revision};

/// What the counted answers of a task say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) answer: Option<ResultAnswer>,
    pub(crate) confidence_ppm: u32,
    pub(crate) votes: Vec<FieldVotes>,
    /// The counted leases, first answer first.
    pub(crate) counted: Vec<LeaseId>,
}

/// Counts the votes of a task's counted leases.
///
/// `schema` is that of the newest revision among them. Cost: answers × fields.
pub(crate) fn aggregate(
    leases: &[Lease],
    schema: &Schema,
    revision: Revision,
    method: Aggregation,
) -> Verdicts {
    let mut counted: Vec<(&Lease, &Submitted)> =
        leases.iter().filter_map(|l| l.counted().map(|s| (l, s))).collect();
    counted.sort_by_key(|(_, s)| s.order);
    let mut verdicts = Verdicts {
        answer: None,
        confidence_ppm: 0,
        votes: Vec::new(),
        counted: counted.iter().map(|(l, _)| l.id).collect(),
    };
    let Some((first, first_answer)) = counted.first() else { return verdicts };

    let answers: Vec<&Choices> = counted.iter().map(|(_, s)| &s.choices).collect();
    let mut choices: Choices = vec![None; schema.fields.len()];
    let mut surest = u32::MAX;
    for (index, field) in schema.fields.iter().enumerate() {
        if !matches!(field.kind, FieldKind::Choice(_)) {
            continue;
        }
        let tally = tally(&answers, index);
        if let Some(winner) = tally.winner(&answers, index) {
            choices[index] = Some(winner);
            surest = surest.min(tally.share_ppm(winner));
        }
        let field = u16::try_from(index).unwrap_or(u16::MAX);
        verdicts.votes.push(FieldVotes { field, votes: tally.votes });
    }
    if method == Aggregation::First || !schema.has_choices() {
        let same = counted.iter().filter(|(_, s)| s.answer == first_answer.answer).count();
        verdicts.confidence_ppm = share_ppm(same, counted.len());
        verdicts.answer = Some(ResultAnswer::Of(first.id));
    } else {
        verdicts.confidence_ppm = if surest == u32::MAX { 0 } else { surest };
        verdicts.answer = Some(match counted.len() {
            1 => ResultAnswer::Of(first.id),
            _ => ResultAnswer::Choices { revision, choices },
        });
    }
    verdicts
}

/// What the others say of each counted answer: field by field where at least two others
/// voted, know enough and do not tie; all fields together are one judgement. In
/// thousandths, as it is applied.
///
/// `schema` is that of the newest revision among them. Cost: answers × fields.
pub(crate) fn judge(leases: &[Lease], schema: &Schema) -> Vec<(LeaseId, Option<Weighed>)> {
    let counted: Vec<(&Lease, &Submitted)> =
        leases.iter().filter_map(|l| l.counted().map(|s| (l, s))).collect();
    let answers: Vec<&Choices> = counted.iter().map(|(_, s)| &s.choices).collect();
    let tallies: Vec<Option<(Tally, usize)>> = (0..)
        .zip(&schema.fields)
        .map(|(index, field)| {
            let FieldKind::Choice(choices) = &field.kind else { return None };
            Some((tally(&answers, index), choices.len()))
        })
        .collect();
    let judged = |answer: &Submitted| {
        let fields = answer.choices.iter().zip(&tallies).filter_map(|(own, tally)| {
            let ((tally, choices), own) = (tally.as_ref()?, (*own)?);
            Judgement::by_agreement(own, &tally.others(own, *choices)?)
        });
        Judgement::of_fields(&fields.collect::<Vec<_>>())?.weighed()
    };
    counted.iter().map(|(lease, answer)| (lease.id, judged(answer))).collect()
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

    /// What the others of one who voted `own` say among so many choices: the shares of
    /// their votes. `None` without others.
    fn others(&self, own: u16, choices: usize) -> Option<Opinion> {
        let mut own = (!planted::is(Mistake::OwnVoteCounts)).then_some(own);
        let mut others = Vec::new();
        for (choice, votes) in &self.votes {
            let left_out = u32::from(own.take_if(|own| own == choice).is_some());
            others.extend((left_out..*votes).map(|_| *choice));
        }
        majority(&others, u16::try_from(choices).unwrap_or(u16::MAX))
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
    use crate::{EngineTime, Fingerprint, Millis, WallTime, WorkerId};

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
        let v = aggregate(leases, &schema(), Revision(1), Aggregation::Majority);
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
        let of = |choices: &[u16]| -> Vec<Option<(i16, u16)>> {
            let leases: Vec<Lease> = (1..).zip(choices).map(|(n, c)| lease(n, n, *c)).collect();
            let judged = judge(&leases, &schema()).into_iter();
            judged.map(|(_, milli)| milli.map(|milli| (milli.right, milli.weight))).collect()
        };
        let (right, wrong) = (Some((1_000, 1_000)), Some((0, 1_000)));
        assert_eq!(of(&[0, 0]), [None, None]);
        assert_eq!(of(&[0, 0, 1]), [None, None, wrong]);
        assert_eq!(of(&[0, 0, 0]), [right, right, right]);
        // Two of three others: a third of them may be right. With three choices the
        // chance to agree with them without knowing better is a sixth.
        let unsure = Some((1_667, 250));
        assert_eq!(of(&[0, 0, 0, 1]), [unsure, unsure, unsure, wrong]);
    }

    #[test]
    fn fields_are_judged_one_by_one_and_make_one_judgement() {
        let mut schema = schema();
        schema.fields.push(Field { name: "free".into(), kind: FieldKind::Other, required: false });
        schema.fields.push(Field { name: "size".into(), ..schema.fields[0].clone() });
        let with = |number, choices: [Option<u16>; 3]| {
            let mut lease = lease(number, number, 0);
            if let LeaseState::Submitted(s) = &mut lease.state {
                s.choices = choices.to_vec();
            }
            lease
        };
        let leases = [
            with(1, [Some(0), None, Some(1)]),
            with(2, [Some(0), None, Some(2)]),
            with(3, [Some(0), None, Some(2)]),
            // An answer from before the schema grew.
            lease(4, 4, 0),
        ];
        let judged = judge(&leases, &schema);
        let milli = |right, weight| Some(Weighed { right, weight });
        // Right on the first field, wrong on the last; the second and third have one
        // other and a tie on the last.
        let told: Vec<_> = judged.into_iter().map(|(_, milli)| milli).collect();
        let (half, right) = (milli(500, 1_000), milli(1_000, 1_000));
        assert_eq!(told, [half, right, right, right]);
    }
}
