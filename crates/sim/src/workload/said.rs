//! What projects ask and workers answer, drawn at random.

use piecework_core::Fingerprint;
use piecework_core::schema::{
    Answer, Content, Field, FieldKind, Finite, Member, Members, Misfit, Schema,
};

use crate::random::Random;

const LABELS: [&str; 3] = ["cat", "dog", "fox"];
const TONES: [&str; 2] = ["dark", "light"];
const TAGS: [&str; 3] = ["tail", "ears", "fur"];
/// Two places; the first four are the same, and so are the last two.
const PLACES: [&str; 6] = ["Turku", " turku", "TURKU", "Ｔｕｒｋｕ", "New York", "new  york "];

/// No fields, or a label and perhaps fields of other kinds.
pub(super) fn schema(random: &mut Random) -> Schema {
    if random.one_in(5) {
        return Schema::default();
    }
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let (least, most) = (Finite::new(0.0), Finite::new(100.0));
    let tolerance = number(random.below(3));
    let others = [
        ("tone", FieldKind::Choice(texts(&TONES))),
        ("tags", FieldKind::MultiChoice(texts(&TAGS))),
        ("sure", FieldKind::Boolean),
        ("age", FieldKind::Number { tolerance, least, most }),
        ("place", FieldKind::Text),
        ("note", FieldKind::Free),
    ];
    let label = FieldKind::Choice(texts(&LABELS));
    let mut fields = vec![Field { name: "label".into(), kind: label, required: true }];
    for (name, kind) in others {
        if random.one_in(4) {
            // Every answer here has all of them but these two.
            let required = !["tone", "note"].contains(&name) && random.one_in(3);
            fields.push(Field { name: name.into(), kind, required });
        }
    }
    Schema { fields }
}

/// An answer that every schema here takes; most say the same.
pub(super) fn answer(random: &mut Random) -> Answer {
    let members = members(random);
    said(random, Content::Object(members))
}

/// An answer that most schemas with fields do not take.
pub(super) fn wrong(random: &mut Random) -> Answer {
    let mut members = members(random);
    let mut with = |name: &str, member| _ = members.insert(name.to_owned(), member);
    match random.below(10) {
        0 => with("label", Member::text("horse")),
        1 => with("label", Member::Other),
        2 => with("label", Member::Repeated),
        3 => with("tags", list(&["tail", "wings"])),
        4 => with("tags", list(&["fur", "tail", "fur"])),
        5 => with("sure", Member::text("yes")),
        6 => with("age", number_of(*random.pick(&[101, 4_000]))),
        7 => members.clear(),
        8 => return said(random, Content::Broken(Misfit::NotAnObject)),
        _ => return said(random, Content::Other),
    }
    said(random, Content::Object(members))
}

fn members(random: &mut Random) -> Members {
    let label = if random.percent(70) { LABELS[0] } else { *random.pick(&LABELS) };
    let tags: Vec<&str> = TAGS.into_iter().filter(|_| random.one_in(2)).collect();
    let age = if random.one_in(9) { 90 } else { 40 + random.below(4) };
    let (place, tone) = (*random.pick(&PLACES), *random.pick(&TONES));
    let mut members = Members::from([
        ("label".to_owned(), Member::text(label)),
        ("tags".to_owned(), list(&tags)),
        ("sure".to_owned(), Member::Boolean(random.percent(70))),
        ("age".to_owned(), number_of(age)),
        ("place".to_owned(), Member::text(place)),
    ]);
    if random.one_in(2) {
        members.insert("tone".to_owned(), Member::text(tone));
    }
    members
}

fn list(entries: &[&str]) -> Member {
    Member::List(entries.iter().map(|entry| Some((*entry).to_owned())).collect())
}

fn number(whole: u64) -> Finite {
    Finite::new(f64::from(u32::try_from(whole).expect("small"))).expect("finite")
}

fn number_of(whole: u64) -> Member {
    Member::Number(number(whole))
}

/// What the edge makes of it. Spaces are nothing to what an object means.
fn said(random: &mut Random, content: Content) -> Answer {
    let text = format!("{content:?}");
    let bytes = format!("{text}{}", if random.one_in(3) { " " } else { "" }).into_bytes();
    let content_type = match content {
        Content::Other => "text/plain",
        Content::Object(_) | Content::Broken(_) => "application/json",
    };
    let fingerprint = Fingerprint::of(&[content_type.as_bytes(), &bytes]);
    let meaning = match content {
        Content::Object(_) => Fingerprint::of(&[content_type.as_bytes(), text.as_bytes()]),
        Content::Other | Content::Broken(_) => fingerprint,
    };
    Answer { bytes, content_type: content_type.to_owned(), content, fingerprint, meaning }
}
