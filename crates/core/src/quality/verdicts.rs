//! What the counted answers of a task say together, by its project's method; and what
//! the *others* say of each answer.
//!
//! Not here: single fields (`field.rs`), what becomes of judgements (`record.rs`),
//! methods over classes alone (`majority.rs` and others).

use super::field::{self, Said, share_ppm};
use super::judgement::{Judgement, Weighed};
use super::majority::majority;
use super::opinion::Opinion;
use super::said as content;
use crate::event::{FieldVotes, ResultAnswer};
use crate::lease::{Lease, Submitted};
use crate::planted::{self, Mistake};
use crate::project::Aggregation;
use crate::schema::{Schema, Values};
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

    let mut values = vec![None; schema.fields.len()];
    let mut surest = None;
    for (index, field) in schema.fields.iter().enumerate() {
        let said: Vec<Said<'_>> = counted
            .iter()
            .filter_map(|(lease, s)| {
                let value = s.values.get(index)?.as_ref()?;
                Some(Said { lease: lease.id, worker: lease.worker, value })
            })
            .collect();
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let mut of_field = |classes, votes: &[(WorkerId, u16)]| opine(number, classes, votes);
        let Some(verdict) = field::verdict(&field.kind, &said, &mut of_field) else { continue };
        if let Some((value, confidence_ppm)) = verdict.agreed {
            values[index] = Some(value);
            surest = Some(confidence_ppm.min(surest.unwrap_or(u32::MAX)));
        }
        verdicts.votes.push(FieldVotes { field: number, fell: verdict.fell });
    }
    match method {
        Aggregation::Collect => {}
        Aggregation::First => first_is_it(&mut verdicts, &counted),
        _ if !schema.is_compared() => first_is_it(&mut verdicts, &counted),
        _ => {
            verdicts.confidence_ppm = surest.unwrap_or(0);
            verdicts.content = content::of(&values, &counted);
            let alone = counted.len() == 1 && content::is_said_by(&values, first_answer);
            verdicts.answer = Some(match alone {
                true => ResultAnswer::Of(first.id),
                false => ResultAnswer::Values { revision, values },
            });
        }
    }
    verdicts
}

fn first_is_it(verdicts: &mut Verdicts, counted: &[(&Lease, &Submitted)]) {
    let Some((first, answer)) = counted.first() else { return };
    let same = counted.iter().filter(|(_, s)| is_same(s, answer)).count();
    verdicts.confidence_ppm = share_ppm(same, counted.len());
    verdicts.answer = Some(ResultAnswer::Of(first.id));
    verdicts.content = answer.meaning;
}

fn is_same(one: &Submitted, other: &Submitted) -> bool {
    match planted::is(Mistake::SpellingCounts) {
        true => one.answer == other.answer,
        false => one.meaning == other.meaning,
    }
}

/// What the others say of each counted answer: field by field where at least two others
/// voted, know enough and do not tie; all fields together are one judgement. In
/// thousandths, as it is applied.
///
/// `schema` is that of the newest revision among them. Cost: answers × fields.
pub(crate) fn judge(leases: &[Lease], schema: &Schema) -> Vec<(LeaseId, Option<Weighed>)> {
    let counted: Vec<(&Lease, &Submitted)> =
        leases.iter().filter_map(|l| l.counted().map(|s| (l, s))).collect();
    if let [(alone, _)] = &counted[..] {
        // Without others there is nobody to say anything, and no need to count.
        return vec![(alone.id, None)];
    }
    let answers: Vec<&Values> = counted.iter().map(|(_, s)| &s.values).collect();
    let tallies: Vec<Option<(Tally, u16)>> = (0..)
        .zip(&schema.fields)
        .map(|(index, field)| Some((tally(&answers, index), field.kind.classes()?)))
        .collect();
    let judged = |answer: &Submitted| {
        let fields = tallies.iter().enumerate().filter_map(|(index, tally)| {
            let ((tally, classes), own) = (tally.as_ref()?, class(&answer.values, index)?);
            Judgement::by_agreement(own, &tally.others(own, *classes)?)
        });
        Judgement::of_fields(&fields.collect::<Vec<_>>())?.weighed()
    };
    counted.iter().map(|(lease, answer)| (lease.id, judged(answer))).collect()
}

/// What one answer says in a field, as a class.
fn class(values: &Values, field: usize) -> Option<u16> {
    values.get(field)?.as_ref()?.class()
}

/// Votes on one field: (class, votes), ascending by class.
struct Tally {
    votes: Vec<(u16, u32)>,
}

fn tally(answers: &[&Values], field: usize) -> Tally {
    Tally { votes: field::counts(answers.iter().filter_map(|values| class(values, field))) }
}

impl Tally {
    /// What the others of one who voted `own` say among so many choices: the shares of
    /// their votes. `None` without others.
    fn others(&self, own: u16, choices: u16) -> Option<Opinion> {
        let mut own = (!planted::is(Mistake::OwnVoteCounts)).then_some(own);
        let mut others = Vec::new();
        for (choice, votes) in &self.votes {
            let left_out = u32::from(own.take_if(|own| own == choice).is_some());
            others.extend((left_out..*votes).map(|_| *choice));
        }
        majority(&others, choices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Fell, ResultValue};
    use crate::lease::LeaseState;
    use crate::schema::{Field, FieldKind, Value};
    use crate::submission::Verdict;
    use crate::{EngineTime, Millis, WallTime};

    fn lease(number: u32, order: u32, choice: u16) -> Lease {
        let id = LeaseId { number, ..LeaseId::default() };
        let state = LeaseState::Submitted(Submitted {
            verdict: Verdict::Counted,
            payable_micros: 0,
            answer: Fingerprint(u128::from(choice)),
            meaning: Fingerprint(u128::from(choice)),
            values: vec![Some(Value::Choice(choice))],
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

    fn together(leases: &[Lease], schema: &Schema, method: Aggregation) -> Verdicts {
        aggregate(leases, schema, Revision(1), method, &mut |_, _, _| None)
    }

    fn winner(leases: &[Lease]) -> (Vec<Option<ResultValue>>, u32) {
        let v = together(leases, &schema(), Aggregation::Majority);
        match v.answer {
            Some(ResultAnswer::Values { values, .. }) => (values, v.confidence_ppm),
            other => panic!("no vote: {other:?}"),
        }
    }

    #[test]
    fn a_tie_goes_to_the_answer_given_first_not_to_the_older_lease() {
        let leases = [lease(1, 2, 0), lease(2, 1, 1)];
        assert_eq!(winner(&leases), (vec![Some(ResultValue::Choice(1))], 500_000));
    }

    #[test]
    fn most_votes_win_with_their_share_as_confidence() {
        let leases = [lease(1, 1, 0), lease(2, 2, 1), lease(3, 3, 1)];
        assert_eq!(winner(&leases), (vec![Some(ResultValue::Choice(1))], 666_666));
    }

    #[test]
    fn the_first_answer_is_as_sure_as_many_mean_the_same() {
        let mut leases = [lease(1, 1, 0), lease(2, 2, 0), lease(3, 3, 1)];
        // The second spelt it in another way.
        let LeaseState::Submitted(second) = &mut leases[1].state else { panic!("submitted") };
        second.answer = Fingerprint(77);
        let v = together(&leases, &Schema::default(), Aggregation::First);
        assert_eq!(v.answer, Some(ResultAnswer::Of(leases[0].id)));
        assert_eq!(v.confidence_ppm, 666_666);
    }

    #[test]
    fn collected_answers_are_counted_and_say_nothing_together() {
        let leases = [lease(1, 1, 0), lease(2, 2, 0)];
        let v = together(&leases, &schema(), Aggregation::Collect);
        assert_eq!((v.answer, v.confidence_ppm), (None, 0));
        assert_eq!(v.counted, [leases[0].id, leases[1].id]);
        assert_eq!(v.votes, [FieldVotes { field: 0, fell: Fell::Classes(vec![(0, 2)]) }]);
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
        schema.fields.push(Field { name: "free".into(), kind: FieldKind::Free, required: false });
        schema.fields.push(Field { name: "size".into(), ..schema.fields[0].clone() });
        let with = |number, choices: [Option<u16>; 3]| {
            let mut lease = lease(number, number, 0);
            if let LeaseState::Submitted(s) = &mut lease.state {
                s.values = choices.iter().map(|choice| choice.map(Value::Choice)).collect();
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
